// floor_broken: a server that does to each tenth message one of the things that the bench must see.
// For its test alone.
#include "bench/fanout/floors/floor.h"

namespace sluice::fanout {
namespace {

class BrokenFloor : public Floor {
 public:
  using Floor::Floor;

 private:
  void fan_out(const std::vector<int>& subscribers, const std::string& frame) override {
    constexpr std::size_t kEvery = 10;
    if (!held_.empty()) {  // the one before comes late
      send_all(subscribers, frame);
      send_all(subscribers, held_);
      held_.clear();
      return;
    }
    if (++count_ % kEvery != 0) {
      send_all(subscribers, frame);
      return;
    }
    switch (count_ / kEvery % 4) {
      case 0:
        break;  // lost
      case 1:
        send_all(subscribers, frame);
        send_all(subscribers, frame);
        break;
      case 2:
        held_ = frame;
        break;
      default:
        std::string other = frame;
        other.back() = other.back() == 'x' ? 'y' : 'x';
        send_all(subscribers, other);
    }
  }
  void wake_up_ends() override {}

  void send_all(const std::vector<int>& subscribers, const std::string& frame) {
    for (const int fd : subscribers) send_direct(fd, frame);
  }

  std::size_t count_ = 0;
  std::string held_;
};

}  // namespace
}  // namespace sluice::fanout

int main(int argc, char** argv) {
  sluice::fanout::BrokenFloor(sluice::fanout::parse_floor_options(argc, argv)).run();
}
