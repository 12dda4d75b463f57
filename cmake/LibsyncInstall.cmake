# libsync_install(<library> [SCHEMA_TARGETS t ...])
#
# Installs everything a consumer of find_package(libsync) needs, as the component `libsync`:
#   the library, and the headers in include/libsync/ beside the caller's CMakeLists.txt;
#   of each target of libsync_add_schema() the generated headers, and the .fbs files for clients in other languages;
#   the CMake package: the target libsync::libsync, libsync_add_schema(), the finder of xxHash.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

function(libsync_install library)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SCHEMA_TARGETS")
  set(package ${CMAKE_INSTALL_LIBDIR}/cmake/libsync)
  set(installed_includes $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

  target_include_directories(${library} PUBLIC ${installed_includes})
  install(DIRECTORY include/libsync DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT libsync
          FILES_MATCHING PATTERN "*.h")

  foreach(target IN LISTS arg_SCHEMA_TARGETS)
    get_target_property(schemas ${target} LIBSYNC_SCHEMAS)
    get_target_property(headers ${target} LIBSYNC_SCHEMA_HEADERS)
    get_target_property(prefix ${target} LIBSYNC_SCHEMA_PREFIX)
    target_include_directories(${target} SYSTEM INTERFACE ${installed_includes})
    install(FILES ${headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/${prefix} COMPONENT libsync)
    install(FILES ${schemas} DESTINATION ${CMAKE_INSTALL_DATADIR}/libsync/schemas COMPONENT libsync)
  endforeach()

  install(TARGETS ${library} ${arg_SCHEMA_TARGETS} EXPORT libsyncTargets COMPONENT libsync)
  install(EXPORT libsyncTargets NAMESPACE libsync:: DESTINATION ${package} COMPONENT libsync)

  set(config ${CMAKE_CURRENT_BINARY_DIR}/libsyncConfig.cmake)
  set(version ${CMAKE_CURRENT_BINARY_DIR}/libsyncConfigVersion.cmake)
  configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/libsyncConfig.cmake.in ${config}
                                INSTALL_DESTINATION ${package})
  # Before 1.0 a minor version may break callers.
  write_basic_package_version_file(${version} VERSION ${PROJECT_VERSION} COMPATIBILITY SameMinorVersion)
  install(FILES ${config} ${version} ${PROJECT_SOURCE_DIR}/cmake/LibsyncSchema.cmake
                ${PROJECT_SOURCE_DIR}/cmake/FindxxHash.cmake
          DESTINATION ${package} COMPONENT libsync)
endfunction()
