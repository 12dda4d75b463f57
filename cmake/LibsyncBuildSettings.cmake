# How this repository compiles itself: language, warnings, hardening, sanitizers, compiler cache, linker.
# Not used when libsync is part of another project, which has its own ideas.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug, Release or RelWithDebInfo" FORCE)
endif()
# -g1 keeps line numbers for backtraces of a server in production; it costs size on disk, not speed.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1 -DNDEBUG")

set(optimized $<NOT:$<CONFIG:Debug>>)
set(gnu $<CXX_COMPILER_ID:GNU>)
set(clang $<CXX_COMPILER_ID:Clang>)

# Warnings. g++ 12 calls the members of a moved std::variant uninitialized (GCC bug 80635); clang and the sanitizers
# look for the real ones. A sanitizer changes what the optimizer sees, and so what it warns of, and clang has warnings of
# its own: no errors there.
add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wconversion $<${gnu}:-Wno-maybe-uninitialized>)
if(NOT LIBSYNC_SANITIZE AND NOT LIBSYNC_COVERAGE AND NOT DEFINED CMAKE_COMPILE_WARNING_AS_ERROR)
  set(CMAKE_COMPILE_WARNING_AS_ERROR ON)
endif()

# Hardening. The checks of the standard library stay on in release: a broken invariant ends the process.
include(CheckPIESupported)
check_pie_supported()
add_compile_definitions(_GLIBCXX_ASSERTIONS)
add_compile_options(-fstack-protector-strong -fstack-clash-protection)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  add_compile_options(-fcf-protection)
endif()
if(NOT LIBSYNC_SANITIZE)  # the sanitizers intercept the functions that _FORTIFY_SOURCE replaces
  add_compile_options($<${optimized}:-D_FORTIFY_SOURCE=3>)
endif()
add_link_options(-Wl,-z,relro,-z,now,-z,noexecstack)

if(LIBSYNC_SANITIZE)
  add_compile_options(-fsanitize=${LIBSYNC_SANITIZE} -fno-sanitize-recover=all
                      -fno-omit-frame-pointer -O1 -g1)
  add_link_options(-fsanitize=${LIBSYNC_SANITIZE})
  if(LIBSYNC_SANITIZE MATCHES "undefined")
    # The verifier of FlatBuffers 2.0.8 does not check that the 8-byte elements of a vector are aligned.
    # clang 14 cannot combine the check of function types with coroutines.
    add_compile_options(-fno-sanitize=alignment $<${clang}:-fno-sanitize=function>)
  endif()
  if(LIBSYNC_SANITIZE MATCHES "thread")
    add_compile_options($<${gnu}:-Wno-tsan>)  # Asio's atomic_thread_fence; no false report came of it
  endif()
endif()
if(LIBSYNC_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "LIBSYNC_FUZZ needs clang: cmake --preset fuzz")
  endif()
  # Coverage inside the libraries, not only in the targets. Of edges, not of what is compared: the corpora hold the
  # magic numbers, and calls at each comparison take a third of the time.
  add_compile_options(-fsanitize=fuzzer-no-link -fno-sanitize-coverage=trace-cmp,trace-div,trace-gep -O2)
endif()

if(LIBSYNC_COVERAGE)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "LIBSYNC_COVERAGE needs clang: cmake --preset coverage")
  endif()
  add_compile_options(-fprofile-instr-generate -fcoverage-mapping -O1 -Wno-unused-command-line-argument)
  add_link_options(-fprofile-instr-generate)
endif()

# A compiled object does not depend on where the tree lies, so that one cache serves every build directory.
find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_NOHASHDIR=1
                                  CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} ${CCACHE_PROGRAM})
endif()

# mold links in a fifth of the time.
find_program(MOLD_PROGRAM mold)
if(MOLD_PROGRAM)
  add_link_options(-fuse-ld=mold)
endif()
