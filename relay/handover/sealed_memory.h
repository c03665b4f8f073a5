// Memory that outlives the program which wrote it and that nobody can change afterwards: a sealed
// memfd.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/result.h"
#include "common/unique_fd.h"
#include "proto/frame.h"

namespace sluice::relay {

/// Being written; close-on-exec.
class StateMemory {
 public:
  [[nodiscard]] static Result<StateMemory> create();

  /// False: the system has no more; errno says why.
  [[nodiscard]] bool append(std::string_view bytes);
  /// Writes over the first bytes.
  [[nodiscard]] bool overwrite_front(std::string_view bytes);
  [[nodiscard]] bool seal();
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] int descriptor() const { return fd_.get(); }

 private:
  explicit StateMemory(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
  std::uint64_t bytes_ = 0;
};

/// Mapped for reading. Only memory that is sealed: what could be cut short would end the process.
class MappedState {
 public:
  /// Takes the descriptor.
  [[nodiscard]] static Result<MappedState> open(UniqueFd fd);
  MappedState(MappedState&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(other.bytes_) {}
  MappedState& operator=(MappedState&&) = delete;
  ~MappedState();

  [[nodiscard]] proto::Bytes bytes() const {
    return {static_cast<const std::uint8_t*>(data_), bytes_};
  }

 private:
  MappedState(void* data, std::size_t bytes) : data_(data), bytes_(bytes) {}

  void* data_;
  std::size_t bytes_;
};

}  // namespace sluice::relay
