// How a client talks to the server under test, beside RFC 6455 itself: what it asks for, what it
// says behind the 101, and where in a frame the published message is. Pure codecs: bytes in, bytes
// out, one object for all clients of a server.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace sluice::fanout {

/// What a dialect makes of (the first part of) one frame. Views point into the frame or into the
/// dialect and live until the next call.
struct Heard {
  enum class Kind : std::uint8_t {
    kNothing,  ///< none of our business
    kMessage,  ///< `message` is what was published
    kReady,    ///< the subscription stands; only where ready_at_upgrade() is false
    kBroken,   ///< not what the dialect allows: the client counts as disconnected
  };
  Kind kind = Kind::kNothing;
  std::size_t consumed = 0;    ///< bytes of the payload taken; what is left is given in again
  std::string_view message{};  ///< kMessage only
  std::string_view reply{};    ///< bytes to send at once, whole masked frames; with any kind
};

class Dialect {
 public:
  Dialect() = default;
  virtual ~Dialect() = default;
  Dialect(const Dialect&) = delete;
  Dialect& operator=(const Dialect&) = delete;

  /// The upgrade request, whole. `path` is the server's for this client's channel
  /// (ServerPlan::path).
  [[nodiscard]] virtual std::string request(std::string_view path) const = 0;
  /// What is sent once the 101 is in, as whole masked frames (ws_frame.h: append_masked);
  /// `client` is unique among all clients of a run. Empty: nothing.
  [[nodiscard]] virtual std::string greet(std::string_view channel, std::uint64_t client) const = 0;
  /// The server subscribes by path alone: who has the 101 needs no kReady.
  [[nodiscard]] virtual bool ready_at_upgrade() const = 0;
  /// One whole data frame (text or binary; pings, pongs and closes never get here). Called again
  /// with the rest while `consumed` is less than the payload: a frame may hold several packets.
  [[nodiscard]] virtual Heard on_frame(std::uint8_t opcode, std::string_view payload) = 0;
  /// The frame's payload is the message and nothing else is ever said: the load generator then
  /// leaves on_frame out.
  [[nodiscard]] virtual bool is_plain() const { return false; }
};

/// RFC 6455 and nothing on top: a frame's payload is the message, the path is the channel.
[[nodiscard]] std::unique_ptr<Dialect> make_plain_dialect();

/// The usual upgrade request for a path; `protocol` is the Sec-WebSocket-Protocol asked for, empty:
/// none.
[[nodiscard]] std::string upgrade_request(std::string_view path, std::string_view protocol = {});

}  // namespace sluice::fanout
