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
  /// The same in a given slot, under a given generation: a session that another process had. Null:
  /// the slot is taken, or `ref` is nobody's. The caller bounds the index.
  [[nodiscard]] ClientSession* add_at(ClientRef ref);
  [[nodiscard]] ClientSession* find(ClientRef ref) const;
  void remove(ClientRef ref);

  [[nodiscard]] std::size_t size() const { return size_; }
  /// Slots, free ones included: for walks that go on in a later turn.
  [[nodiscard]] std::size_t slots() const { return slots_.size(); }
  /// Null: the slot is free.
  [[nodiscard]] ClientSession* at(std::size_t slot) const { return slots_[slot]; }

 private:
  static constexpr std::size_t kBlockSlots = 32;

  void add_slot();
  [[nodiscard]] std::uint32_t take_free();
  [[nodiscard]] ClientSession& construct(std::uint32_t index);

  struct Block;
  struct BlockDeleter {
    void operator()(Block* block) const;
  };

  std::vector<ClientSession*> slots_;
  std::vector<std::unique_ptr<Block, BlockDeleter>> blocks_;
  std::vector<std::uint32_t> generations_;
  std::vector<std::uint32_t> free_;  ///< every free slot, and some that add_at() has taken since
  std::size_t size_ = 0;
};

}  // namespace sluice::gateway
