# sluice_embed_scripts(OUTPUT): writes OUTPUT, which defines relay/brokers/redis_scripts.h's table: the text of each
# script of this directory, and the SHA-1 of it by which EVALSHA names it.
function(sluice_embed_scripts output)
  set(directory ${CMAKE_CURRENT_FUNCTION_LIST_DIR})
  set(entries "")
  foreach(name publish position history remove presence)
    set(file ${directory}/${name}.lua)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    file(READ ${file} text)
    file(SHA1 ${file} digest)
    string(APPEND entries "    {\"${name}\", \"${digest}\", R\"lua(${text})lua\"},\n")
  endforeach()
  file(CONFIGURE OUTPUT ${output} @ONLY CONTENT [[
// Made by relay/brokers/scripts/embed.cmake.
#include "relay/brokers/redis_scripts.h"

namespace sluice::relay {
namespace {

constexpr std::array<RedisScriptText, kRedisScripts> kTexts{{
@entries@}};

}  // namespace

const RedisScriptText& script_text(RedisScript script) {
  return kTexts[static_cast<std::size_t>(script)];
}

}  // namespace sluice::relay
]])
endfunction()
