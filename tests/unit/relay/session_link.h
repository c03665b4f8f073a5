// A GatewaySession without a socket, and whoever is at its other end.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "proto/decoder.h"
#include "proto/encoder.h"
#include "relay/gateway_session.h"
#include "tests/unit/relay/recording.h"

namespace sluice::relay::test {

/// A session and the gateway at its other end.
struct Link final : SessionHost {
  explicit Link(RouterWorld& world) : session(world.router, *this) {}

  void wake() override { ++wakes; }
  void send(std::string_view bytes, std::size_t chunk = SIZE_MAX) {
    while (!bytes.empty() && !session.ending()) {
      const std::span<std::uint8_t> room = session.prepare();
      const std::size_t n = std::min({bytes.size(), room.size(), chunk});
      std::copy_n(bytes.begin(), n, room.begin());
      session.commit(n);
      bytes.remove_prefix(n);
    }
  }
  void hello(std::string_view id, std::uint64_t instance = 0, std::uint64_t last = 0) {
    std::string out;
    proto::encode(out, proto::Hello{.resume = instance != 0,
                                    .last_sequence = last,
                                    .relay_instance = instance,
                                    .gateway_id = id,
                                    .software = "test"});
    send(out);
  }
  void hello_tool() {
    std::string out;
    proto::encode(out, proto::Hello{.tool = true, .gateway_id = "", .software = "sluice test"});
    send(out);
  }
  void subscribe(std::string_view channel, std::uint64_t request = 1) {
    std::string out;
    proto::Subscribe s;
    s.request = request;
    s.channel = channel;
    proto::encode(out, s);
    send(out);
  }
  /// Types of the frames that came since the last call; the frames' bytes stay in `decoder`.
  std::vector<proto::FrameType> receive(std::size_t write_bytes = SIZE_MAX) {
    OutputBatch batch;
    while (session.fill(batch)) {
      while (!batch.empty()) {
        std::array<iovec, 3> pieces;
        const std::size_t count = batch.pieces(pieces);
        std::size_t written = 0;
        for (std::size_t i = 0; i < count && written < write_bytes; ++i) {
          const std::size_t n = std::min(pieces[i].iov_len, write_bytes - written);
          decoder.feed({static_cast<const std::uint8_t*>(pieces[i].iov_base), n});
          written += n;
        }
        batch.consume(written);
      }
    }
    std::vector<proto::FrameType> types;
    for (;;) {
      const auto frame = decoder.next();
      EXPECT_TRUE(frame);
      if (!frame || !*frame) return types;
      types.push_back((*frame)->header.type);
      last = (*frame)->header;
      bodies.emplace_back(proto::as_text((*frame)->body));
    }
  }

  GatewaySession session;
  proto::Decoder decoder;
  proto::Header last;
  std::vector<std::string> bodies;
  int wakes = 0;
};

}  // namespace sluice::relay::test
