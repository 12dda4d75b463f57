# libsync_add_schema(<target> SCHEMAS a.fbs b.fbs ... [INCLUDE_DIRS dir ...] [PREFIX path])
#
# Makes the INTERFACE library <target>: link to it, and include
#   "<name>_generated.h"       accessors, builders and object API of <name>.fbs
#   "<name>_bfbs_generated.h"  the binary schema of its root type: <Root>BinarySchema::data() and ::size()
# or "<path>/<name>_generated.h" where a PREFIX is given. `include` statements of a schema are looked up in its own
# folder and in INCLUDE_DIRS.
#
# The schema fingerprint is the XXH3-64 of that binary schema. Every language must hash the same bytes, those of
#   flatc -b --schema [-I dir ...] -o <out> /absolute/path/of/<name>.fbs      in <out>/<name>.bfbs
# They hold the file's name, and those of included files relative to it. With an absolute path neither the place of
# the tree nor the working directory changes them; comments and the order of declarations never do. The flags must
# not gain --bfbs-comments, --bfbs-builtins or --bfbs-filenames.

find_package(FlatBuffers REQUIRED CONFIG NAMES FlatBuffers flatbuffers)
find_program(LIBSYNC_FLATC flatc REQUIRED)
mark_as_advanced(LIBSYNC_FLATC)

function(libsync_add_schema target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "PREFIX" "SCHEMAS;INCLUDE_DIRS")
  if(NOT arg_SCHEMAS OR arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "libsync_add_schema(<target> SCHEMAS a.fbs ... [INCLUDE_DIRS dir ...] [PREFIX path])")
  endif()

  set(include_root ${CMAKE_CURRENT_BINARY_DIR}/${target})
  cmake_path(APPEND include_root ${arg_PREFIX} OUTPUT_VARIABLE out)
  file(MAKE_DIRECTORY ${out})

  set(flags --cpp --scoped-enums --gen-object-api --gen-compare --gen-name-strings --cpp-std c++17
            --bfbs-gen-embed)
  if(arg_PREFIX)
    list(APPEND flags --include-prefix ${arg_PREFIX})
  endif()
  set(included)
  foreach(dir IN LISTS arg_INCLUDE_DIRS)
    cmake_path(ABSOLUTE_PATH dir BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} NORMALIZE)
    list(APPEND flags -I ${dir})
    file(GLOB found CONFIGURE_DEPENDS ${dir}/*.fbs)
    list(APPEND included ${found})
  endforeach()

  set(schemas)
  foreach(schema IN LISTS arg_SCHEMAS)
    cmake_path(ABSOLUTE_PATH schema BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} NORMALIZE)
    list(APPEND schemas ${schema})
  endforeach()

  set(headers)
  foreach(schema IN LISTS schemas)
    cmake_path(GET schema STEM name)
    set(made ${out}/${name}_generated.h ${out}/${name}_bfbs_generated.h)
    add_custom_command(
      OUTPUT ${made}
      COMMAND ${LIBSYNC_FLATC} ${flags} -o ${out} ${schema}
      DEPENDS ${schemas} ${included}  # an included schema that changed changes what includes it
      COMMENT "flatc ${name}.fbs"
      VERBATIM)
    list(APPEND headers ${made})
  endforeach()

  add_custom_target(${target}_generate DEPENDS ${headers})
  add_library(${target} INTERFACE)
  add_dependencies(${target} ${target}_generate)
  target_compile_features(${target} INTERFACE cxx_std_17)
  target_link_libraries(${target} INTERFACE flatbuffers::flatbuffers)
  # SYSTEM: the warnings of the user's project are not for generated code.
  target_include_directories(${target} SYSTEM INTERFACE $<BUILD_INTERFACE:${include_root}>)
  set_target_properties(${target} PROPERTIES
    LIBSYNC_SCHEMAS "${schemas}" LIBSYNC_SCHEMA_HEADERS "${headers}" LIBSYNC_SCHEMA_PREFIX "${arg_PREFIX}")
endfunction()
