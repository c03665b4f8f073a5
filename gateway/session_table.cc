#include "gateway/session_table.h"

#include <cstddef>
#include <cstdio>
#include <memory>
#include <new>
#include <utility>

#include "common/check.h"

namespace sluice::gateway {

std::string to_string(const ClientId& id) {
  char text[33];
  std::snprintf(text, sizeof text, "%016llx%016llx", static_cast<unsigned long long>(id[0]),
                static_cast<unsigned long long>(id[1]));
  return text;
}

/// Room for sessions, of which the table knows which are there.
struct SessionTable::Block {
  [[nodiscard]] ClientSession* at(std::size_t i) {
    return std::launder(reinterpret_cast<ClientSession*>(&room[i * sizeof(ClientSession)]));
  }
  alignas(ClientSession) std::byte room[kBlockSlots * sizeof(ClientSession)];
  std::size_t used = 0;
};

void SessionTable::BlockDeleter::operator()(Block* block) const {
  delete block;
}

SessionTable::SessionTable() = default;

SessionTable::~SessionTable() {
  for (ClientSession* session : slots_)
    if (session != nullptr) std::destroy_at(session);
}

void SessionTable::add_slot() {
  slots_.push_back(nullptr);
  generations_.push_back(0);
  if (slots_.size() > blocks_.size() * kBlockSlots) blocks_.emplace_back();
}

std::uint32_t SessionTable::take_free() {
  while (!free_.empty()) {
    const std::uint32_t index = free_.back();
    free_.pop_back();
    if (slots_[index] == nullptr) return index;
  }
  add_slot();
  return static_cast<std::uint32_t>(slots_.size() - 1);
}

ClientSession& SessionTable::add() {
  const std::uint32_t index = take_free();
  if (++generations_[index] == 0) generations_[index] = 1;
  return construct(index);
}

ClientSession* SessionTable::add_at(ClientRef ref) {
  if (ref.generation == 0) return nullptr;
  while (slots_.size() <= ref.index) {
    // Its own entry would be passed over at once.
    if (slots_.size() != ref.index) free_.push_back(static_cast<std::uint32_t>(slots_.size()));
    add_slot();
  }
  if (slots_[ref.index] != nullptr) return nullptr;
  generations_[ref.index] = ref.generation;
  return &construct(ref.index);
}

ClientSession& SessionTable::construct(std::uint32_t index) {
  auto& block = blocks_[index / kBlockSlots];
  if (!block) block.reset(new Block);
  ++block->used;
  slots_[index] = std::construct_at(block->at(index % kBlockSlots));
  slots_[index]->ref = {index, generations_[index]};
  ++size_;
  return *slots_[index];
}

ClientSession* SessionTable::find(ClientRef ref) const {
  if (ref.index >= slots_.size() || ref.generation == 0 ||
      generations_[ref.index] != ref.generation)
    return nullptr;
  return slots_[ref.index];
}

void SessionTable::remove(ClientRef ref) {
  CHECK(find(ref) != nullptr);
  std::destroy_at(std::exchange(slots_[ref.index], nullptr));
  auto& block = blocks_[ref.index / kBlockSlots];
  if (--block->used == 0) block.reset();
  free_.push_back(ref.index);
  --size_;
}

}  // namespace sluice::gateway
