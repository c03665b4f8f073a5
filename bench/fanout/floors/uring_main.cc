// floor_uring: the same sends by io_uring, submitted and waited for in batches. Epoll does the
// rest, as in floor_send.
#include <liburing.h>

#include <cstdio>
#include <cstdlib>
#include <deque>

#include "bench/fanout/floors/floor.h"

namespace sluice::fanout {
namespace {

constexpr unsigned kBatchMax = 1024;
constexpr unsigned kFilesMax = 20000;

[[noreturn]] void fail(const char* what, int error) {
  std::fprintf(stderr, "%s: error %d\n", what, -error);
  std::exit(1);
}

class UringFloor : public Floor {
 public:
  explicit UringFloor(const FloorOptions& options) : Floor(options) {
    io_uring_params params{};
    params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    if (const int error = ::io_uring_queue_init_params(kBatchMax, &ring_, &params); error < 0)
      fail("io_uring", error);
    if (const int error = ::io_uring_register_files_sparse(&ring_, kFilesMax); error < 0)
      fail("registered files", error);
    if (const int error = ::io_uring_register_ring_fd(&ring_); error < 0) fail("ring fd", error);
  }
  ~UringFloor() override { ::io_uring_queue_exit(&ring_); }

 private:
  /// Sends of one batch may be looked at in any order once one of them was cut short: a client is
  /// in a batch once at most.
  void fan_out(const std::vector<int>& subscribers, const std::string& frame) override {
    const std::string& kept = frames_.emplace_back(frame);
    for (const int fd : subscribers) {
      if (client(fd).batch == batch_) submit();
      if (client(fd).waiting) {
        send_direct(fd, kept);
        continue;
      }
      if (queued_ == kBatchMax) submit();
      client(fd).batch = batch_;
      io_uring_sqe* entry = ::io_uring_get_sqe(&ring_);
      ::io_uring_prep_send(entry, fd, kept.data(), kept.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      entry->flags |= IOSQE_FIXED_FILE;
      sends_[queued_] = {fd, &kept};
      entry->user_data = queued_++;
    }
  }

  void wake_up_ends() override {
    if (queued_ > 0) submit();
    frames_.clear();
  }

  void submit() {
    const unsigned wanted = queued_;
    queued_ = 0;
    ++batch_;
    if (const int done = ::io_uring_submit_and_wait(&ring_, wanted); done < 0) fail("submit", done);
    unsigned seen = 0;
    while (seen < wanted) {
      io_uring_cqe* answer = nullptr;
      if (const int error = ::io_uring_wait_cqe(&ring_, &answer); error < 0) fail("wait", error);
      const Send& send = sends_[answer->user_data];
      if (answer->res != static_cast<int>(send.frame->size()))
        after_send(send.fd, *send.frame, answer->res);
      ::io_uring_cqe_seen(&ring_, answer);
      ++seen;
    }
  }

  void on_open(int fd) override {
    if (const int done =
            ::io_uring_register_files_update(&ring_, static_cast<unsigned>(fd), &fd, 1);
        done < 0)
      fail("register", done);
  }

  /// Else the ring would keep the connection open.
  void on_close(int fd) override {
    const int none = -1;
    ::io_uring_register_files_update(&ring_, static_cast<unsigned>(fd), &none, 1);
  }

  struct Send {
    int fd = -1;
    const std::string* frame = nullptr;
  };

  io_uring ring_{};
  Send sends_[kBatchMax];
  std::deque<std::string> frames_;  ///< of this wake-up
  unsigned queued_ = 0;
  std::uint32_t batch_ = 1;
};

}  // namespace
}  // namespace sluice::fanout

int main(int argc, char** argv) {
  sluice::fanout::UringFloor(sluice::fanout::parse_floor_options(argc, argv)).run();
}
