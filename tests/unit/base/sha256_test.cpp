#include "base/sha256.hpp"

#include <fmt/format.h>
#include <string>

#include "catch.hpp"

TEST_CASE("the SHA-256 of short and long messages is what others compute", "[base]") {
  // "abc" is FIPS 180-4's own example, the rest coreutils' sha256sum: around each border of a block.
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
      {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
      {std::string(55, 'a'), "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318"},
      {std::string(56, 'a'), "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a"},
      {std::string(63, 'a'), "7d3e74a05d7db15bce4ad9ec0658ea98e3f06eeecf16b4c6fff2da457ddc2f34"},
      {std::string(64, 'a'), "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb"},
      {std::string(119, 'a'), "31eba51c313a5c08226adf18d4a359cfdfd8d2e816b13f4af952f7ea6584dcfb"},
      {std::string(120, 'a'), "2f3d335432c70b580af0e8e1b3674a7c020d683aa5f73aaaedfdc55af904c21c"},
      {std::string(1000, 'a'), "41edece42d63e8d9bf515a9ba6932e1c20cbc9f5a5d134645adb5db1b9737ea3"},
  };
  for (const auto& [message, wanted] : cases) {
    CAPTURE(message.size());
    std::string hex;
    for (const std::uint8_t byte :
         ecmp::sha256({reinterpret_cast<const std::uint8_t*>(message.data()), message.size()}))
      hex += fmt::format("{:02x}", byte);
    CHECK(hex == wanted);
  }
}
