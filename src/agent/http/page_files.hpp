#pragma once

#include <span>
#include <string_view>

namespace ecmp {

/// A file of the page, as it stands in src/page.
struct PageFile {
  std::string_view path;  ///< where it is served
  std::string_view content_type;
  std::string_view etag;  ///< with its quotes; of the content
  std::string_view content;
};

/// They are part of the program: written into a source file by src/page/embed.cmake.
std::span<const PageFile> page_files();

}  // namespace ecmp
