#include "render/fan/diagram.hpp"

#include "render/fan/diagram_forms.hpp"

namespace ecmp::render {

void append_diagram(std::string& out, DiagramForm form, const DestinationSnapshot& snapshot, const HopNames& names) {
  const Fan fan = make_fan(snapshot);
  const DiagramSource source{snapshot, fan, names};
  switch (form) {
    case DiagramForm::ascii:
      append_text_diagram(out, source, false);
      break;
    case DiagramForm::utf8:
      append_text_diagram(out, source, true);
      break;
    case DiagramForm::dot:
      append_dot(out, source);
      break;
    case DiagramForm::svg:
      append_svg(out, source);
      break;
  }
}

}  // namespace ecmp::render
