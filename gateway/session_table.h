// Owner of all sessions of a gateway: slots with generations, freed slots used again. Sessions lie
// side by side in blocks, each a whole number of cache lines; a block that is empty is given back.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "gateway/client_session.h"

namespace sluice::gateway {

class SessionTable {
 public:
  SessionTable();
  ~SessionTable();
  SessionTable(const SessionTable&) = delete;
  SessionTable& operator=(const SessionTable&) = delete;

  [[nodiscard]] ClientSession& add();
  [[nodiscard]] ClientSession* find(ClientRef ref) const;
  void remove(ClientRef ref);

  [[nodiscard]] std::size_t size() const { return size_; }
  /// Slots, free ones included: for walks that go on in a later turn.
  [[nodiscard]] std::size_t slots() const { return slots_.size(); }
  /// Null: the slot is free.
  [[nodiscard]] ClientSession* at(std::size_t slot) const { return slots_[slot]; }

 private:
  static constexpr std::size_t kBlockSlots = 32;

  struct Block;
  struct BlockDeleter {
    void operator()(Block* block) const;
  };

  std::vector<ClientSession*> slots_;
  std::vector<std::unique_ptr<Block, BlockDeleter>> blocks_;
  std::vector<std::uint32_t> generations_;
  std::vector<std::uint32_t> free_;
  std::size_t size_ = 0;
};

}  // namespace sluice::gateway
