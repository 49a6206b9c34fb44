#include "tui/key_table.hpp"

#include <algorithm>

namespace ecmp::tui {
namespace {

using Kind = Key::Kind;

constexpr Key key(Kind kind) {
  return {kind};
}

constexpr std::array<Binding, static_cast<std::size_t>(Action::count_)> kBindings = {{
    {Action::up, {key(Kind::up), character('k')}, "one row up", ""},
    {Action::down, {key(Kind::down), character('j')}, "one row down", ""},
    {Action::page_up, {key(Kind::page_up), character(2)}, "a page up", ""},
    {Action::page_down, {key(Kind::page_down), character(6)}, "a page down", ""},
    {Action::first, {key(Kind::home), character('g')}, "to the first row", ""},
    {Action::last, {key(Kind::end), character('G')}, "to the last row", ""},
    {Action::previous_view, {key(Kind::left), character('h'), key(Kind::back_tab)}, "the view before", ""},
    {Action::next_view, {key(Kind::right), character('l'), key(Kind::tab)}, "the next view: flows, hops, fan", "view"},
    {Action::summary, {character('1')}, "the flows", ""},
    {Action::detail, {character('2')}, "the hops of the chosen flow", ""},
    {Action::fan, {character('3')}, "the fan of all flows as a tree", ""},
    {Action::open, {key(Kind::enter)}, "open the hops of the chosen flow or branch", ""},
    {Action::back, {key(Kind::escape), key(Kind::backspace)}, "back: close the help, end the search, to the flows", ""},
    {Action::previous_flow, {character('[')}, "the flow before, in every view", ""},
    {Action::next_flow, {character(']')}, "the next flow, in every view", ""},
    {Action::sort, {character('s')}, "sort the flows by the next column", "sort"},
    {Action::reverse, {character('S')}, "turn the order round", ""},
    {Action::search, {character('/')}, "show only flows with this port, path, address or name", "search"},
    {Action::names, {character('n')}, "names on or off", "names"},
    {Action::labels, {character('e')}, "MPLS labels on or off", ""},
    {Action::pause,
     {character('p'), character(' ')},
     "hold the picture; measuring goes on. Replay: play, stop",
     "pause"},
    {Action::reset, {character('r')}, "count anew from now", "reset"},
    {Action::redraw, {character(12)}, "draw the screen anew", ""},
    {Action::suspend, {character(26)}, "suspend; fg in the shell continues", ""},
    {Action::earlier, {character(',')}, "replay: a round earlier", "earlier"},
    {Action::later, {character('.')}, "replay: a round later", "later"},
    {Action::far_earlier, {character('<')}, "replay: a twentieth of it all earlier", ""},
    {Action::far_later, {character('>')}, "replay: a twentieth of it all later", ""},
    {Action::change_before, {character('(')}, "replay: to the change of a path before", ""},
    {Action::change_after, {character(')')}, "replay: to the next change of a path", "change"},
    {Action::oldest, {character('{')}, "replay: to the first round", ""},
    {Action::newest, {character('}')}, "replay: to the last round", ""},
    {Action::slower, {character('-')}, "replay: play half as fast", ""},
    {Action::faster, {character('+')}, "replay: play twice as fast", ""},
    {Action::help, {character('?')}, "this help on or off", "help"},
    {Action::quit, {character('q')}, "quit", "quit"},
}};

}  // namespace

std::string Binding::key_names() const {
  std::string names;
  for (const Key& one : keys) {
    if (one.kind == Kind::other) break;
    if (!names.empty()) names += ", ";
    names += to_string(one);
  }
  return names;
}

std::span<const Binding> bindings() {
  return kBindings;
}

Action action_of(const Key& pressed) {
  if (pressed.kind == Kind::other) return Action::count_;
  for (const Binding& binding : kBindings)
    if (std::find(binding.keys.begin(), binding.keys.end(), pressed) != binding.keys.end()) return binding.action;
  return Action::count_;
}

}  // namespace ecmp::tui
