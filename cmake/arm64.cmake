# Toolchain file: cross-compiles for arm64 with Debian's crossbuild-essential-arm64 and the -dev packages of that
# architecture (packaging/dependencies.sh cross); what is built runs here under qemu-user. docs/testing.md has the commands.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
# Libraries of the other architecture stand beside our own (multiarch), so nothing is looked up under another root.
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(ENV{PKG_CONFIG_LIBDIR} /usr/lib/aarch64-linux-gnu/pkgconfig:/usr/share/pkgconfig)
find_program(ECMP_EMULATOR NAMES qemu-aarch64-static qemu-aarch64)
if(ECMP_EMULATOR)
  set(CMAKE_CROSSCOMPILING_EMULATOR ${ECMP_EMULATOR})
endif()
