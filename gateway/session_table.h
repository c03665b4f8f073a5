// Owner of all sessions of a gateway: slots with generations, freed slots used again.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "gateway/client_session.h"

namespace sluice::gateway {

class SessionTable {
 public:
  [[nodiscard]] ClientSession& add();
  [[nodiscard]] ClientSession* find(ClientRef ref) const;
  void remove(ClientRef ref);

  [[nodiscard]] std::size_t size() const { return size_; }
  /// Slots, free ones included: for walks that go on in a later turn.
  [[nodiscard]] std::size_t slots() const { return slots_.size(); }
  [[nodiscard]] ClientSession* at(std::size_t slot) const { return slots_[slot].get(); }

 private:
  std::vector<std::unique_ptr<ClientSession>> slots_;
  std::vector<std::uint32_t> generations_;
  std::vector<std::uint32_t> free_;
  std::size_t size_ = 0;
};

}  // namespace sluice::gateway
