// Texts that many clients share (names of channels and users), each kept once for as long as
// somebody holds it: what a client keeps is one pointer. Of one thread. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/ref_ptr.h"

namespace sluice::gateway {

/// `Extra`: what is kept beside each name.
template <typename Extra>
class NamePool {
 public:
  class Entry {
   public:
    Entry(NamePool& pool, std::string_view name) : name_(name), pool_(&pool) {}
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] std::uint32_t holders() const { return holders_; }
    Extra extra{};

    void add_ref() const { ++holders_; }
    void release() const {
      if (--holders_ > 0) return;
      if (pool_ != nullptr) pool_->entries_.erase(name_);
      delete this;
    }

   private:
    friend class NamePool;
    ~Entry() = default;

    const std::string name_;
    mutable std::uint32_t holders_ = 0;
    NamePool* pool_;  ///< null: it has ended before its holders
  };
  using Name = RefPtr<Entry>;

  NamePool() = default;
  NamePool(const NamePool&) = delete;
  NamePool& operator=(const NamePool&) = delete;
  ~NamePool() {
    for (auto& [name, entry] : entries_) entry->pool_ = nullptr;
  }

  [[nodiscard]] Name hold(std::string_view name) {
    const auto found = entries_.find(name);
    if (found != entries_.end()) return Name(found->second);
    auto* entry = new Entry(*this, name);
    Name held(entry);
    entries_.emplace(entry->name(), entry);
    return held;
  }
  /// Null: nobody holds it.
  [[nodiscard]] Entry* find(std::string_view name) const {
    const auto found = entries_.find(name);
    return found == entries_.end() ? nullptr : found->second;
  }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  /// visit(entry): nothing may be held or let go meanwhile.
  template <typename Visit>
  void each(Visit&& visit) const {
    for (const auto& [name, entry] : entries_) visit(*entry);
  }

 private:
  std::unordered_map<std::string_view, Entry*> entries_;
};

}  // namespace sluice::gateway
