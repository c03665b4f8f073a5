// What a client would make of the bytes that it is given: server frames, whole and unfragmented.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/check.h"
#include "gateway/frame_run.h"
#include "proto/frame.h"

namespace sluice::test {

/// Payloads of the frames in `bytes`, which hold nothing else.
inline std::vector<std::string> payloads(std::span<const std::uint8_t> bytes) {
  std::vector<std::string> all;
  while (!bytes.empty()) {
    CHECK(bytes.size() >= 2);
    std::uint64_t length = bytes[1];
    std::size_t head = 2;
    if (length >= 126) {
      const std::size_t extra = length == 126 ? 2 : 8;
      length = 0;
      CHECK(bytes.size() >= head + extra);
      for (std::size_t i = 0; i < extra; ++i) length = length << 8U | bytes[head + i];
      head += extra;
    }
    CHECK(bytes.size() >= head + length);
    all.emplace_back(proto::as_text(bytes.subspan(head, length)));
    bytes = bytes.subspan(head + length);
  }
  return all;
}

/// The same of views, each of which holds as many frames as it says.
inline std::vector<std::string> payloads(std::span<const gateway::RunView> views) {
  std::vector<std::string> all;
  for (const gateway::RunView& view : views) {
    const auto some = payloads({view.data(), view.size()});
    CHECK(some.size() == view.frames);
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

}  // namespace sluice::test
