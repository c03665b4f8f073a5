// Steps 5 and 10 of a message's path: the relay's side of one relay link, as a state machine over
// bytes. Decodes what the gateway sends, asks the Router, and says which frames leave next. Pure;
// gateway_connection moves the bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "common/result.h"
#include "proto/decoder.h"
#include "relay/handover/link_state.h"
#include "relay/output_batch.h"
#include "relay/router.h"
#include "relay/router_ports.h"

namespace sluice::relay {

/// Who moves the session's bytes.
class SessionHost {
 public:
  virtual ~SessionHost() = default;
  /// Something can be had from fill(). Called often; of the session only fill() may be called from
  /// inside.
  virtual void wake() = 0;
};

class GatewaySession final : public LinkPort {
 public:
  /// `peer_pid`: whose process is at the other end, for people.
  GatewaySession(Router& router, SessionHost& host, std::int64_t peer_pid = 0);
  /// Goes on where an earlier program's session stopped; the Router has its gateway as adoptable.
  GatewaySession(Router& router, SessionHost& host, std::int64_t peer_pid, SessionState state);
  GatewaySession(const GatewaySession&) = delete;
  GatewaySession& operator=(const GatewaySession&) = delete;
  ~GatewaySession() override;

  /// Room for input; then commit() what was read into it.
  [[nodiscard]] std::span<std::uint8_t> prepare() { return decoder_.prepare(); }
  void commit(std::size_t bytes);

  /// The next frames, as many as fit; only into an empty batch. False: nothing to be sent now.
  bool fill(OutputBatch& batch);
  /// Ends the link with an ERROR.
  void refuse_link(proto::ErrorReason reason, std::string_view text);
  /// Sends what is queued, then GOODBYE, then the link ends.
  void finish(std::string_view text);

  /// HELLO came and was accepted.
  [[nodiscard]] bool open() const { return gateway_ != nullptr; }
  [[nodiscard]] bool resumed() const { return resumed_; }
  /// The peer is an operator's tool, or said so in the HELLO that was refused.
  [[nodiscard]] bool tool() const { return tool_; }
  /// Input is not wanted any more; close when fill() has nothing left and all is written.
  [[nodiscard]] bool ending() const { return ending_; }
  /// Nothing waits to be filled in.
  [[nodiscard]] bool idle() const;
  /// Empty until HELLO.
  [[nodiscard]] const std::string& gateway_id() const { return gateway_id_; }
  [[nodiscard]] const std::string& software() const { return software_; }
  /// For the log; set when the link ends by what was said on it.
  [[nodiscard]] const std::string& end_text() const { return end_text_; }
  /// The ERROR that ended it; 0: none did.
  [[nodiscard]] proto::ErrorReason end_reason() const { return end_reason_; }

  /// For another program to go on from.
  [[nodiscard]] SessionState state() const;

  // ---- LinkPort
  void subscribed(const proto::Subscribed& answer) override;
  void unsubscribed(std::uint32_t channel_id, std::uint64_t after_sequence) override;
  void published(std::uint64_t request) override;
  void refused(std::uint64_t request, proto::ErrorReason reason, std::string_view text) override;
  void broker_state(bool connected, std::string_view reason) override;
  void drain_marked(const proto::DrainMark& mark) override;
  void control(const proto::Control& control) override;
  void controlled(std::uint64_t request) override;
  void pending() override { host_.wake(); }

 private:
  void handle(const proto::FrameView& frame);
  void handle_hello(const proto::FrameView& frame);
  [[nodiscard]] bool admissible(const proto::Hello& hello);
  void greet(const proto::Hello& hello, const Router::Attached& attached);
  void handle_open(const proto::FrameView& frame);
  [[nodiscard]] bool refuse_reserved(std::uint64_t request, std::string_view channel);
  void handle_status(const proto::FrameView& frame);
  void handle_drain_mark(const proto::FrameView& frame);
  void handle_control(const proto::FrameView& frame);
  /// HISTORY, PRESENCE and what gateways say of presence. False: it is another frame.
  [[nodiscard]] bool handle_requests(const proto::FrameView& frame);
  /// True: goes on. Else the link ends with ERROR 1.
  template <typename T>
  [[nodiscard]] bool well_formed(const Result<T>& body);
  void control_grew();
  void fill_open(OutputBatch& batch);
  /// Until the batch is full, or half of it.
  void fill_from_index(OutputBatch& batch, bool half);
  /// Until the batch is full; `only_current`: no further than to the end of the answer under way.
  void fill_answers(OutputBatch& batch, bool only_current);
  void say(OutputBatch& batch, const AnswerPiece& piece);
  void tell_unsubscribed(std::string& out);

  Router& router_;
  SessionHost& host_;
  proto::Decoder decoder_;
  GatewayState* gateway_ = nullptr;
  std::int64_t peer_pid_;
  bool tool_ = false;
  bool resumed_ = false;
  bool greeting_ = false;  ///< no message before all that WELCOME owes has been said
  bool ending_ = false;
  bool finishing_ = false;
  bool said_goodbye_ = false;  ///< the gateway did
  std::string finish_text_;
  std::string gateway_id_;
  std::string software_;
  std::string end_text_;
  proto::ErrorReason end_reason_{};
  std::string control_;  ///< whole frames, at most kControlBytesMax beside greeting_bytes_
  /// What is said unasked at the beginning: at most a SUBSCRIBED per subscription, so
  /// --max-channels bounds it.
  std::size_t greeting_bytes_ = 0;
  /// UNSUBSCRIBED that must come behind a sequence: {sequence, channel id}; counted with control_.
  std::deque<std::pair<std::uint64_t, std::uint32_t>> unsubscribed_;
  Outgoing outgoing_;
  AnswerPiece piece_;
};

}  // namespace sluice::relay
