// floor_send: one send(2) per message and client. The bench's unit: its cost per delivery is 1.0.
#include "bench/fanout/floors/floor.h"

namespace sluice::fanout {
namespace {

class SendFloor : public Floor {
 public:
  using Floor::Floor;

 private:
  void fan_out(const std::vector<int>& subscribers, const std::string& frame) override {
    for (const int fd : subscribers) send_direct(fd, frame);
  }
  void wake_up_ends() override {}
};

}  // namespace
}  // namespace sluice::fanout

int main(int argc, char** argv) {
  sluice::fanout::SendFloor(sluice::fanout::parse_floor_options(argc, argv)).run();
}
