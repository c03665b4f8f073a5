#include <liburing.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "common/check.h"
#include "gateway/limits.h"
#include "gateway/transport.h"

namespace sluice::gateway {
namespace {

constexpr int kUringFlags = MSG_DONTWAIT | MSG_NOSIGNAL;
/// A batch of one is cheaper by send(2).
constexpr std::size_t kBatchMin = 2;

class UringTransport final : public Transport {
 public:
  UringTransport() = default;
  ~UringTransport() override {
    if (ready_) io_uring_queue_exit(&ring_);
  }
  UringTransport(const UringTransport&) = delete;
  UringTransport& operator=(const UringTransport&) = delete;

  [[nodiscard]] Result<void> open(std::size_t slots_max);

  [[nodiscard]] std::string_view name() const override { return "io_uring"; }
  void send(std::span<SendOp> batch) override;
  void opened(std::uint32_t slot, int fd) override;
  void closed(std::uint32_t slot) override;

 private:
  /// A socket is registered when it sends for the second time: many come, get one frame and go.
  enum class File : std::uint8_t { kNone, kNew, kPlain, kRegistered };

  [[nodiscard]] Result<void> probe();
  void prepare(std::size_t index, const SendOp& op);
  [[nodiscard]] bool use_registered(const SendOp& op);
  void submit(std::span<SendOp> batch);
  std::size_t reap(std::span<SendOp> batch);

  io_uring ring_{};
  bool ready_ = false;
  bool files_ = false;  ///< the kernel keeps a table of our sockets
  std::vector<File> slots_;
  std::array<msghdr, kSendsPerBatch> messages_{};
  std::unique_ptr<Transport> direct_ = make_direct_transport();
};

Result<void> UringTransport::open(std::size_t slots_max) {
  io_uring_params params{};
  // One thread submits, and it alone runs completions, when it asks for them: Linux 6.1.
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CLAMP;
  const int error =
      io_uring_queue_init_params(static_cast<unsigned>(kSendsPerBatch), &ring_, &params);
  if (error < 0)
    return fail(ErrorCode::kSystem, std::string("io_uring_setup: ") + std::strerror(-error));
  ready_ = true;
  if (ring_.sq.ring_entries < kSendsPerBatch)
    return fail(ErrorCode::kSystem, "io_uring: too few entries");
  slots_.resize(slots_max, File::kNone);
  files_ = io_uring_register_files_sparse(&ring_, static_cast<unsigned>(slots_max)) == 0;
  return probe();
}

/// Sends for real, once: a kernel may have a ring and refuse what is put into it.
Result<void> UringTransport::probe() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return fail(ErrorCode::kSystem, std::string("socketpair: ") + std::strerror(errno));
  char byte[2] = {'a', 'b'};
  const iovec vectors[2] = {{&byte[0], 1}, {&byte[1], 1}};
  // A plain send and a gathered one; to the same socket, which is only for real batches forbidden.
  std::array<SendOp, 2> batch{SendOp{ends[0], 0, vectors, 1}, SendOp{ends[0], 0, vectors, 2}};
  opened(0, ends[0]);
  submit(batch);
  closed(0);
  char got[4];
  const ssize_t n = ::recv(ends[1], got, sizeof got, MSG_DONTWAIT);
  ::close(ends[0]);
  ::close(ends[1]);
  if (batch[0].result == 1 && batch[1].result == 2 && n == 3) return {};
  const int error = batch[0].result < 0 ? batch[0].result : batch[1].result;
  return fail(ErrorCode::kSystem,
              std::string("io_uring can't send: ") + std::strerror(error < 0 ? -error : EIO));
}

void UringTransport::opened(std::uint32_t slot, int /*fd*/) {
  if (slot < slots_.size()) slots_[slot] = File::kNew;
}

void UringTransport::closed(std::uint32_t slot) {
  if (slot >= slots_.size()) return;
  if (slots_[slot] == File::kRegistered) {
    // Else the ring would hold the socket, and the client never see its end.
    int none = -1;
    CHECK(io_uring_register_files_update(&ring_, slot, &none, 1) == 1);
  }
  slots_[slot] = File::kNone;
}

bool UringTransport::use_registered(const SendOp& op) {
  if (!files_ || op.slot >= slots_.size()) return false;
  File& file = slots_[op.slot];
  if (file == File::kNew) {
    file = File::kPlain;
  } else if (file == File::kPlain) {
    int fd = op.fd;
    if (io_uring_register_files_update(&ring_, op.slot, &fd, 1) != 1) return false;
    ++system_calls_;
    file = File::kRegistered;
  }
  return file == File::kRegistered;
}

void UringTransport::prepare(std::size_t index, const SendOp& op) {
  const bool registered = use_registered(op);
  io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
  CHECK(sqe != nullptr);
  const int file = registered ? static_cast<int>(op.slot) : op.fd;
  if (op.vector_count == 1) {
    io_uring_prep_send(sqe, file, op.vectors[0].iov_base, op.vectors[0].iov_len, kUringFlags);
  } else {
    msghdr& message = messages_[index];
    message.msg_iov = const_cast<iovec*>(op.vectors);
    message.msg_iovlen = op.vector_count;
    io_uring_prep_sendmsg(sqe, file, &message, kUringFlags);
  }
  if (registered) io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
  io_uring_sqe_set_data64(sqe, index);
}

void UringTransport::send(std::span<SendOp> batch) {
  if (batch.size() >= kBatchMin) return submit(batch);
  direct_->send(batch);
  system_calls_ += batch.size();
}

/// MSG_DONTWAIT sends are done, or refused, while they are submitted; so waiting for all of them
/// does not wait.
void UringTransport::submit(std::span<SendOp> batch) {
  CHECK(batch.size() <= kSendsPerBatch);
  for (std::size_t i = 0; i < batch.size(); ++i) prepare(i, batch[i]);
  std::size_t done = 0;
  while (done < batch.size()) {
    const int error = io_uring_submit_and_wait(&ring_, static_cast<unsigned>(batch.size() - done));
    ++system_calls_;
    CHECK(error >= 0 || error == -EINTR || error == -EAGAIN || error == -EBUSY);
    done += reap(batch);
  }
}

std::size_t UringTransport::reap(std::span<SendOp> batch) {
  unsigned head = 0;
  std::size_t n = 0;
  io_uring_cqe* cqe = nullptr;
  io_uring_for_each_cqe(&ring_, head, cqe) {
    batch[cqe->user_data].result = cqe->res;
    ++n;
  }
  io_uring_cq_advance(&ring_, static_cast<unsigned>(n));
  return n;
}

}  // namespace

Result<std::unique_ptr<Transport>> make_uring_transport(std::size_t slots_max) {
  auto transport = std::make_unique<UringTransport>();
  if (auto opened = transport->open(slots_max); !opened) return tl::make_unexpected(opened.error());
  return std::unique_ptr<Transport>(std::move(transport));
}

}  // namespace sluice::gateway
