# sluice_protobuf(TARGET FILE...): adds the code that protoc makes of these files (relative to the project) to a target, whose users
# include it as "DIRECTORY/NAME.pb.h". Generated code is not held to our warnings.
function(sluice_protobuf target)
  find_package(Protobuf REQUIRED)
  foreach(file ${ARGN})
    string(REGEX REPLACE "\\.proto$" "" stem ${file})
    set(made ${CMAKE_BINARY_DIR}/protobuf/${stem}.pb.cc ${CMAKE_BINARY_DIR}/protobuf/${stem}.pb.h)
    add_custom_command(
      OUTPUT ${made}
      COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/protobuf
      COMMAND protobuf::protoc --cpp_out ${CMAKE_BINARY_DIR}/protobuf -I ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/${file}
      DEPENDS ${CMAKE_SOURCE_DIR}/${file})
    target_sources(${target} PRIVATE ${made})
    set_source_files_properties(${made} PROPERTIES COMPILE_OPTIONS -w SKIP_LINTING ON)
  endforeach()
  target_include_directories(${target} SYSTEM PUBLIC ${CMAKE_BINARY_DIR}/protobuf)
  target_link_libraries(${target} PUBLIC protobuf::libprotobuf-lite)
endfunction()
