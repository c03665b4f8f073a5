# Writes a .cc that holds files byte by byte. Two uses:
#   include(embed.cmake) and sluice_embed(OUTPUT FUNCTION FILE...): a rule that makes OUTPUT, which defines
#     std::span<const EmbeddedFile> sluice::gateway::FUNCTION()
#   cmake -DOUTPUT=… -DFUNCTION=… -DFILES=… -P embed.cmake: what the rule runs.
if(NOT CMAKE_SCRIPT_MODE_FILE)
  set(SLUICE_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_FILE} CACHE INTERNAL "")
  function(sluice_embed output function)
    add_custom_command(OUTPUT ${output}
      COMMAND ${CMAKE_COMMAND} "-DOUTPUT=${output}" "-DFUNCTION=${function}" "-DFILES=${ARGN}" -P ${SLUICE_EMBED_SCRIPT}
      DEPENDS ${ARGN} ${SLUICE_EMBED_SCRIPT}
      COMMENT "Embedding files: ${function}"
      VERBATIM)
  endfunction()
  return()
endif()

set(arrays "")
set(entries "")
set(index 0)
list(LENGTH FILES count)
foreach(file IN LISTS FILES)
  get_filename_component(name "${file}" NAME)
  file(SIZE "${file}" size)
  if(size EQUAL 0)
    message(FATAL_ERROR "${file} is empty")
  endif()
  file(READ "${file}" hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  # Lines of 32 bytes: nobody reads them, but some tools choke on one of a megabyte.
  string(REGEX REPLACE "(................................................................................................................................................................)" "\\1\n" bytes "${bytes}")
  string(APPEND arrays "const unsigned char kFile${index}[] = {\n${bytes}};\n")
  string(APPEND entries "    {\"${name}\", {reinterpret_cast<const char*>(kFile${index}), sizeof kFile${index}}},\n")
  math(EXPR index "${index} + 1")
endforeach()

file(WRITE "${OUTPUT}" "// Made by gateway/demo/embed.cmake.
#include \"gateway/embedded_files.h\"

namespace sluice::gateway {
std::span<const EmbeddedFile> ${FUNCTION}();
namespace {
${arrays}
const EmbeddedFile kFiles[${count}] = {
${entries}};
}  // namespace

std::span<const EmbeddedFile> ${FUNCTION}() {
  return kFiles;
}
}  // namespace sluice::gateway
")
