// Intrusive reference for objects of one thread: 8 bytes, no atomics. What every queue of shared
// frames holds.
#pragma once

#include <utility>

namespace sluice {

/// T offers `void add_ref() const` and `void release() const` (which frees it at the last
/// reference).
template <typename T>
class RefPtr {
 public:
  RefPtr() = default;
  /// Shares an object already owned elsewhere, or takes over the first reference with adopt().
  explicit RefPtr(T* object) : object_(object) {
    if (object_ != nullptr) object_->add_ref();
  }
  [[nodiscard]] static RefPtr adopt(T* object) {
    RefPtr p;
    p.object_ = object;
    return p;
  }
  RefPtr(const RefPtr& other) : RefPtr(other.object_) {}
  RefPtr(RefPtr&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  RefPtr& operator=(RefPtr other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~RefPtr() {
    if (object_ != nullptr) object_->release();
  }

  [[nodiscard]] T* get() const { return object_; }
  T& operator*() const { return *object_; }
  T* operator->() const { return object_; }
  explicit operator bool() const { return object_ != nullptr; }
  friend bool operator==(const RefPtr& a, const RefPtr& b) { return a.object_ == b.object_; }

 private:
  T* object_ = nullptr;
};

}  // namespace sluice
