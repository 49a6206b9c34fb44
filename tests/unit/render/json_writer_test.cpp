#include "render/json/json_writer.hpp"

#include <vector>

#include "catch.hpp"

using namespace ecmp;
using namespace ecmp::render;

TEST_CASE("commas stand between values and nowhere else (RFC 8259)", "[render][json]") {
  std::string out;
  JsonWriter json(out);
  json.begin('{').key("a").number(1).key("b").begin('[').end(']').key("c").begin('{').end('}');
  json.key("d").list(std::vector<int>{1, -2, 3}).key("e").begin('[').begin('[').end(']').text("x").null().end(']');
  json.key("f").boolean(false).end('}');
  CHECK(out == R"({"a":1,"b":[],"c":{},"d":[1,-2,3],"e":[[],"x",null],"f":false})");
}

TEST_CASE("a string that ends like an opening bracket or a comma does not hide the comma behind it", "[render][json]") {
  std::string out;
  JsonWriter json(out);
  json.begin('[').text("{").text(",").text("[").text(":").text("\n").text("\"").number(0).end(']');
  CHECK(out == R"(["{",",","[",":","\u000a","\"",0])");
}

TEST_CASE("what is appended beside the writer is one of its values", "[render][json]") {
  std::string out = "[\n";
  JsonWriter json(out);
  json.next().append("1");
  out.append(",\n");
  json.begin('{').key("x").next().append("2");
  json.key("y").ratio(2).end('}').end(']');
  CHECK(out == "[\n1,\n{\"x\":2,\"y\":2.0}]");
}

TEST_CASE("what is not known is null or empty", "[render][json]") {
  std::string out;
  JsonWriter json(out);
  json.begin('[').loss(0, 0).loss(1, 4).address(IpAddress()).path_id(0).path_id(0xb7).node_id(3, IpAddress());
  json.node_id(4, *IpAddress::parse("2001:db8::1")).end(']');
  CHECK(out == R"([null,0.25,"","","000000b7","3/","4/2001:db8::1"])");
}
