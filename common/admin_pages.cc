#include "common/admin_pages.h"

namespace sluice {

HttpReply AdminPages::handle(std::string_view method, std::string_view target,
                             const AdminPeer& peer) const {
  if (method != "GET") return {.status = 405, .body = "only GET\n"};
  const auto page = pages_.find(target.substr(0, target.find('?')));
  if (page != pages_.end()) return page->second(peer);
  HttpReply reply{.status = 404, .body = "no such page; there are:\n"};
  for (const auto& [path, unused] : pages_) reply.body += path + "\n";
  return reply;
}

}  // namespace sluice
