#include "path/model/path_content.hpp"

#include <initializer_list>
#include <string>

#include "catch.hpp"
#include "round_builder.hpp"

namespace ecmp {
namespace {

/// "a" a responder, "a1|a2" a balanced set, "*" unknown.
PathContent content(std::initializer_list<std::string_view> slots, bool complete = true) {
  PathContent made;
  made.complete = complete;
  for (const std::string_view text : slots) {
    ContentSlot slot;
    if (const auto bar = text.find('|'); bar != std::string_view::npos) {
      slot.balanced = true;
      slot.add(round_builder::address(text.substr(0, bar)));
      slot.add(round_builder::address(text.substr(bar + 1)));
    } else if (text != "*") {
      slot.add(round_builder::address(text));
    }
    made.slots.push_back(slot);
  }
  return made;
}

}  // namespace

TEST_CASE("contents are compatible where both are known", "[path]") {
  CHECK(compatible(content({"a", "*", "D"}), content({"a", "b", "D"})));
  CHECK_FALSE(compatible(content({"a", "c", "D"}), content({"a", "b", "D"})));
  CHECK_FALSE(compatible(content({"a", "D"}), content({"a", "b", "D"})));
  CHECK_FALSE(compatible(content({"a"}, false), content({"a", "D"})));
  CHECK(compatible(content({"a"}, false), content({"a", "b"}, false)));
  CHECK(compatible(content({"a1|a2", "D"}), content({"a2|a3", "D"})));
  CHECK_FALSE(compatible(content({"a1|a2", "D"}), content({"a3|a4", "D"})));
  CHECK_FALSE(compatible(content({"a1", "D"}), content({"a1|a2", "D"})));
}

TEST_CASE("a content refines another that knows less of the same", "[path]") {
  CHECK(refines(content({"a", "b", "D"}), content({"a", "*", "D"})));
  CHECK(refines(content({"a", "b", "D"}), content({"a", "b"}, false)));
  CHECK_FALSE(refines(content({"a", "*", "D"}), content({"a", "b", "D"})));
  CHECK_FALSE(refines(content({"a", "b", "D"}), content({"c"}, false)));
  CHECK_FALSE(refines(content({"a", "b"}, false), content({"a", "b"}, true)));
}

TEST_CASE("the hash tells unknown slots, completeness and balance apart", "[path]") {
  const std::uint64_t plain = content_hash(content({"a", "b"}), 0);
  CHECK(plain == content_hash(content({"a", "b"}), 0));
  CHECK(plain != content_hash(content({"a", "b"}), 1));
  CHECK(plain != content_hash(content({"a", "*", "b"}), 0));
  CHECK(plain != content_hash(content({"*", "a", "b"}), 0));
  CHECK(plain != content_hash(content({"a", "b"}, false), 0));
  CHECK(content_hash(content({"a1", "D"}), 0) != content_hash(content({"a1|a2", "D"}), 0));
  CHECK(content_hash(content({"a1|a3", "D"}), 0) == content_hash(content({"a1|a2", "D"}), 0));
}

TEST_CASE("ids are the same in every process and version", "[path]") {
  CHECK(static_cast<std::uint32_t>(content_hash(content({"a", "b", "D"}), 0)) == 0x801f4261u);
  CHECK(static_cast<std::uint32_t>(content_hash(content({"a", "*", "D"}), 0)) == 0xc10a9ef3u);
}

}  // namespace ecmp
