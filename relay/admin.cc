#include "relay/admin.h"

#include <utility>

#include "common/address.h"
#include "relay/limits.h"

namespace sluice::relay {

AdminServer::AdminServer(event_base* base, UniqueFd socket, const AdminPages& pages,
                         const TimeSource& time)
    : base_(base),
      pages_(pages),
      name_(local_name(socket.get())),
      free_event_(make_event<&AdminServer::free_closed>(base, -1, 0, this)),
      listener_(base, std::move(socket), "an admin connection", time,
                [this](UniqueFd fd) { admit(std::move(fd)); }) {
}

void AdminServer::admit(UniqueFd fd) {
  const bool full = stats_.connections >= kAdminConnectionsMax;
  if (full) ++stats_.refused_full;
  // Where even the refusals are too many, the close has to say it.
  if (stats_.connections >= kAdminConnectionsMax + kAdminRefusalsMax) return;
  auto made = std::make_unique<AdminConnection>(base_, std::move(fd), *this);
  AdminConnection* key = made.get();
  connections_.emplace(key, std::move(made));
  ++stats_.connections;
  if (full) key->refuse(503, "too many admin connections");
}

HttpReply AdminServer::admin_page(std::string_view method, std::string_view target) {
  ++stats_.requests;
  return pages_.handle(method, target);
}

void AdminServer::admin_closed(AdminConnection& connection) {
  --stats_.connections;
  closed_.push_back(&connection);
  event_active(free_event_.get(), 0, 0);
}

void AdminServer::free_closed() {
  for (AdminConnection* connection : closed_) connections_.erase(connection);
  closed_.clear();
}

}  // namespace sluice::relay
