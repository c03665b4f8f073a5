// The tool's end of the relay link (proto/PROTOCOL.md, Tools): dials, says HELLO, then frames out
// and frames in, each within a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "common/unique_fd.h"
#include "ctl/failure.h"
#include "ctl/interrupts.h"
#include "proto/decoder.h"

namespace sluice::ctl {

/// From the dial to WELCOME, and from a request to its answer.
inline constexpr Duration kAnswerWait = std::chrono::seconds(5);

/// What the relay said of itself.
struct RelayInfo {
  std::string software;
  std::uint64_t instance = 0;
  std::size_t payload_bytes_max = 0;
  std::uint32_t features = 0;  ///< proto::kFeature…
};

/// A frame, or why there is none. The frame lives until the next call.
struct Received {
  Wake wake = Wake::kReady;
  proto::FrameView frame;  ///< with kReady
};

/// A failure with kOk and no message: a signal, or the end of who reads our output, came between.
class RelayClient {
 public:
  /// Connected and welcomed. `path` of a Unix socket; `interrupts` outlives it.
  [[nodiscard]] static Outcome<RelayClient> dial(const std::string& path, Interrupts& interrupts);

  [[nodiscard]] const RelayInfo& relay() const { return relay_; }
  /// All of it; when it fails, the last byte has not been sent.
  [[nodiscard]] Outcome<void> send(std::string_view frames);
  /// The next frame that means something to the caller: PINGs are answered here, a GOODBYE or an
  /// ERROR of the whole link is a failure, as is its end.
  [[nodiscard]] Outcome<Received> next(Duration wait);
  /// An id that no request of this link has had.
  [[nodiscard]] std::uint64_t new_request() { return ++last_request_; }
  /// Sends the request and a PING behind it, then hands out the answer: a relay that does not know
  /// the request skips it and answers the PING alone. `id`, a new one, stands in both. An ERROR for
  /// the request is a failure.
  [[nodiscard]] Outcome<Received> ask(std::uint64_t id, std::string_view request,
                                      proto::FrameType answer);
  /// For requests of history and presence, which are answered by several frames, the last of them
  /// of type `end`, and not in order with a PING. `take` gets each.
  [[nodiscard]] Outcome<void> query(std::uint64_t id, std::string_view request,
                                    proto::FrameType end,
                                    const std::function<void(const proto::FrameView&)>& take,
                                    const Failure& interrupted);
  /// An acknowledged PUBLISH: it has been published, or why that is not known.
  [[nodiscard]] Outcome<void> publish(proto::Publish publish, const Failure& interrupted);
  /// The relay's status as JSON, with so many channels at most. `interrupted`: what it counts as
  /// when a signal comes before the answer.
  [[nodiscard]] Outcome<std::string> ask_status(std::uint32_t channels_max,
                                                const Failure& interrupted);
  /// Passed on or taken: done. Its request id is this link's to give.
  [[nodiscard]] Outcome<void> ask_control(proto::Control control, const Failure& interrupted);

 private:
  RelayClient(std::string path, UniqueFd fd, Interrupts& interrupts);
  [[nodiscard]] Outcome<void> greet();
  [[nodiscard]] Outcome<std::optional<proto::FrameView>> buffered();
  [[nodiscard]] Outcome<void> read_some();
  [[nodiscard]] tl::unexpected<Failure> link_refused(const proto::ErrorFrame& error) const;
  [[nodiscard]] std::string where() const { return "the relay at unix:" + path_; }

  std::string path_;
  UniqueFd fd_;
  Interrupts* interrupts_;
  std::unique_ptr<proto::Decoder> decoder_ = std::make_unique<proto::Decoder>();
  RelayInfo relay_;
  std::uint64_t last_request_ = 0;
};

}  // namespace sluice::ctl
