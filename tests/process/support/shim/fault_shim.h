// What a test and the shim in the process under test share: a page of rules, mapped by both. A rule
// may be changed while the process runs.
#pragma once

#include <atomic>
#include <cstdint>

namespace sluice::test {

enum class FaultCall : std::uint32_t {
  kAccept,
  kSend,     ///< send, sendmsg
  kReceive,  ///< recv; read and recvmsg of sockets
  kPoll,     ///< epoll_wait
  kSocket,
  kConnect,
};
inline constexpr std::uint32_t kFaultCalls = 6;
/// Instead of an errno, for kSend: one byte is taken.
inline constexpr std::int32_t kPartial = -1;
inline constexpr const char* kFaultFileVariable = "FAULT_SHIM_FILE";

struct FaultRule {
  std::atomic<std::int32_t> error;    ///< errno, 0: off
  std::atomic<std::int32_t> family;   ///< AF_UNIX, AF_INET; 0: any. Not for kPoll
  std::atomic<std::uint32_t> every;   ///< each n-th matching call fails
  std::atomic<std::uint64_t> calls;   ///< matching ones while on
  std::atomic<std::uint64_t> failed;  ///< of them
};

struct FaultPage {
  FaultRule rules[kFaultCalls];
};

static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

}  // namespace sluice::test
