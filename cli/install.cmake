# `cmake --install` puts the program, the libraries, their headers and a CMake package into place, so that elsewhere
#   find_package(moescope REQUIRED)
#   target_link_libraries(mine PRIVATE moescope::readers)
# is all that is needed.
include(CMakePackageConfigHelpers)

set(moescope_libraries metrics readers analysis plots)
set(moescope_package ${CMAKE_INSTALL_LIBDIR}/cmake/moescope)

install(TARGETS moescope RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS ${moescope_libraries} EXPORT moescopeTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
# A header that includes some other library's (<name.h>, <folder/name>; the standard library's have neither) is internal.
foreach(library ${moescope_libraries})
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/${library}/*.h)
  foreach(header ${headers})
    file(STRINGS ${PROJECT_SOURCE_DIR}/${header} foreign REGEX "#include <.*([.]h(pp)?|/.*)>")
    if(NOT foreign)
      get_filename_component(room ${header} DIRECTORY)
      install(FILES ${PROJECT_SOURCE_DIR}/${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/moescope/${room})
    endif()
  endforeach()
endforeach()

install(EXPORT moescopeTargets NAMESPACE moescope:: DESTINATION ${moescope_package})
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/moescopeConfig.cmake.in
  ${PROJECT_BINARY_DIR}/package/moescopeConfig.cmake INSTALL_DESTINATION ${moescope_package})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/package/moescopeConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/package/moescopeConfig.cmake
              ${PROJECT_BINARY_DIR}/package/moescopeConfigVersion.cmake DESTINATION ${moescope_package})
