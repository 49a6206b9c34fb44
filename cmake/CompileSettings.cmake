# What every target of ours is compiled with. It is an INTERFACE target and not CMAKE_CXX_FLAGS, so that presets,
# packagers (hardening flags) and users can set those without losing the warnings.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

add_library(compile_settings INTERFACE)
target_compile_options(compile_settings INTERFACE
  -Wall -Wextra -Wpedantic -Werror -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast -Wnon-virtual-dtor
  -Woverloaded-virtual -Wcast-align -Wnull-dereference -Wimplicit-fallthrough -Wformat=2
  # A designated initialiser leaves out what keeps its default: that is what it is for.
  -Wno-missing-field-initializers)
target_include_directories(compile_settings INTERFACE ${PROJECT_SOURCE_DIR}/src)

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 reports null dereferences and uninitialised optionals inside libstdc++ and fmt once it inlines them.
  # With a precompiled <string> it also finds impossible sizes and bounds in std::string's own fill.
  target_compile_options(compile_settings INTERFACE -Wno-null-dereference -Wno-maybe-uninitialized
                         -Wno-stringop-overflow -Wno-array-bounds -Wduplicated-cond -Wlogical-op
                         # At -O3 it takes "literal" + std::string for overlapping copies (GCC bug 105651).
                         $<$<CONFIG:Release>:-Wno-restrict>)
endif()

option(ECMP_UNITY "Compile files in groups (cmake/Unity.cmake)" OFF)
if(ECMP_UNITY)
  # A local variable may have the name of another file's constant, and a class a member of a type in a group's anonymous
  # namespace. Builds without groups find what is wrong within one file.
  target_compile_options(compile_settings INTERFACE -Wno-shadow)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(compile_settings INTERFACE -Wno-subobject-linkage)
  endif()
endif()

if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # libstdc++ 12's own std::stable_sort uses what it has marked as deprecated, and clang says so at our call of it.
  # g++ still tells of ours.
  target_compile_options(compile_settings INTERFACE -Wno-deprecated-declarations)
endif()

# What nearly every file includes is parsed once. Files still include all that they use: clang-tidy and the release build
# of packages (ECMP_PRECOMPILE=OFF) compile them without.
option(ECMP_PRECOMPILE "Precompile the headers of the standard library and of fmt" ON)
function(ecmp_precompile target)
  if(ECMP_PRECOMPILE)
    target_precompile_headers(${target} PRIVATE
      <algorithm> <array> <charconv> <chrono> <cmath> <cstdint> <cstring> <functional> <map> <memory> <optional> <set>
      <span> <string> <string_view> <unordered_map> <utility> <variant> <vector> <fmt/format.h> ${ARGN})
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      target_compile_options(${target} PRIVATE -fpch-preprocess) # ccache looks into the header's dependencies by it
    endif()
  endif()
endfunction()

# The same for `target`, which is linked to core, with what was precompiled for that.
function(ecmp_share_precompiled target)
  if(ECMP_PRECOMPILE)
    target_precompile_headers(${target} REUSE_FROM core)
    # g++ takes precompiled headers only where the same macros are defined, and core is compiled with these.
    target_link_libraries(${target} PRIVATE PkgConfig::TOMLPLUSPLUS)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      target_compile_options(${target} PRIVATE -fpch-preprocess)
    endif()
  endif()
endfunction()

if(ECMP_SANITIZE)
  target_compile_options(compile_settings INTERFACE -fsanitize=${ECMP_SANITIZE} -fno-sanitize-recover=all
                         -fno-omit-frame-pointer
                         # What is checked at run time looks to g++ like what it warns of. Other builds have no warning.
                         -Wno-error)
  target_link_options(compile_settings INTERFACE -fsanitize=${ECMP_SANITIZE})
endif()

# Every clone and every work tree shares what one of them has compiled: paths are hashed relative to the source. The
# sloppiness is what a precompiled header takes, by ccache's manual.
find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=true
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE})
endif()
find_program(MOLD mold)
if(MOLD AND NOT ECMP_SANITIZE)
  add_link_options(-fuse-ld=mold)
endif()
