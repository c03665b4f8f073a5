#include "gateway/protocols/centrifuge_service.h"

#include <algorithm>
#include <utility>

namespace sluice::gateway {
namespace {

[[nodiscard]] int digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

constexpr std::size_t kUuidBytes = 36;

[[nodiscard]] constexpr bool is_dash_at(std::size_t i) {
  return i == 8 || i == 13 || i == 18 || i == 23;
}

}  // namespace

std::string uuid_of(const ClientId& id) {
  const std::string digits = to_string(id);
  std::string uuid;
  uuid.reserve(kUuidBytes);
  for (const char digit : digits) {
    if (is_dash_at(uuid.size())) uuid.push_back('-');
    uuid.push_back(digit);
  }
  return uuid;
}

std::optional<ClientId> client_id_of(std::string_view uuid) {
  if (uuid.size() != kUuidBytes) return std::nullopt;
  ClientId id{};
  std::size_t digits = 0;
  for (std::size_t i = 0; i < uuid.size(); ++i) {
    if (is_dash_at(i)) {
      if (uuid[i] != '-') return std::nullopt;
      continue;
    }
    const int value = digit_value(uuid[i]);
    if (value < 0) return std::nullopt;
    std::uint64_t& half = id[digits++ / 16];
    half = half << 4U | static_cast<std::uint64_t>(value);
  }
  return id;
}

CentrifugeService::CentrifugeService(CentrifugeOptions options, const RulesStore& rules,
                                     const TokenJudge& tokens, HookCaller* hooks,
                                     SessionTable& sessions, ProtocolActions& actions,
                                     const TimeSource& time, Random& random)
    : options_(std::move(options)),
      rules_(rules),
      tokens_(tokens),
      hooks_(hooks),
      sessions_(sessions),
      actions_(actions),
      time_(time),
      random_(random) {
}

HookCaller* CentrifugeService::hooks(HookKind kind) const {
  return hooks_ != nullptr && hooks_->has(kind) ? hooks_ : nullptr;
}

ClientSession* CentrifugeService::find(ClientRef ref) const {
  ClientSession* session = sessions_.find(ref);
  if (session == nullptr || session->state.protocol == nullptr) return nullptr;
  const auto known = by_id_.find(session->state.id);
  return known != by_id_.end() && known->second == ref ? session : nullptr;
}

void CentrifugeService::add(const ClientSession& session) {
  by_id_[session.state.id] = session.ref;
}

bool CentrifugeService::remove(const ClientSession& session) {
  const auto found = by_id_.find(session.state.id);
  if (found == by_id_.end() || found->second != session.ref) return false;
  by_id_.erase(found);
  return true;
}

void CentrifugeService::add_user(CentrifugeState& state, const ClientSession& session,
                                 std::string_view user) {
  if (user.empty()) return;
  state.user = users_.hold(user);
  state.user->extra.push_back(session.ref);
}

void CentrifugeService::remove_user(CentrifugeState& state, const ClientSession& session) {
  if (!state.user) return;
  std::erase(state.user->extra, session.ref);
  state.user = {};
}

}  // namespace sluice::gateway
