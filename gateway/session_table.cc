#include "gateway/session_table.h"

#include <cstdio>

#include "common/check.h"

namespace sluice::gateway {

std::string to_string(const ClientId& id) {
  char text[33];
  std::snprintf(text, sizeof text, "%016llx%016llx", static_cast<unsigned long long>(id[0]),
                static_cast<unsigned long long>(id[1]));
  return text;
}

ClientSession& SessionTable::add() {
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
    generations_.push_back(0);
  }
  const std::uint32_t index = free_.back();
  free_.pop_back();
  if (++generations_[index] == 0) generations_[index] = 1;
  slots_[index] = std::make_unique<ClientSession>();
  slots_[index]->ref = {index, generations_[index]};
  ++size_;
  return *slots_[index];
}

ClientSession* SessionTable::find(ClientRef ref) const {
  if (ref.index >= slots_.size() || ref.generation == 0 ||
      generations_[ref.index] != ref.generation)
    return nullptr;
  return slots_[ref.index].get();
}

void SessionTable::remove(ClientRef ref) {
  CHECK(find(ref) != nullptr);
  slots_[ref.index].reset();
  free_.push_back(ref.index);
  --size_;
}

}  // namespace sluice::gateway
