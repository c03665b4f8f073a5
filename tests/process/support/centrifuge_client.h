// Clients of the Centrifuge protocol by the thousand on one thread, each as an SDK is: it connects
// with its subscriptions behind, answers pings, keeps its positions, comes back after a loss and
// says where it was. What they get is checked at the client where it happens.
//
// Time is real, as the pauses before reconnects are; run_until() and run_for() let it pass.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "tests/process/support/centrifuge_wire.h"
#include "tests/process/support/ws_swarm.h"

namespace sluice::test {

/// A publication's data for the content check: publications of a channel are numbered 1, 2, …
[[nodiscard]] std::string numbered_data(std::uint64_t number, std::size_t fill = 0);
/// Nothing: it is none of those.
[[nodiscard]] std::optional<std::uint64_t> data_number(std::string_view data);

struct CentrifugeOptions {
  Endpoint to;
  CentrifugeEncoding encoding = CentrifugeEncoding::kJson;
  std::string path = "/connection/websocket";
  std::map<std::string, std::string> headers;  ///< further ones of the upgrade
  std::string before;                          ///< raw bytes ahead of it (a PROXY header)
  std::string token;
  std::string data;
  bool reconnect = true;     ///< after closes that an SDK comes back from
  bool answer_pings = true;  ///< the application's
  bool keep_pushes = false;  ///< in CentrifugeMember::pushes
};

struct CentrifugeSubscribe {
  std::string token{};
  std::string data{};
  bool positioned = false;
  bool recoverable = false;
  bool join_leave = false;
  bool recover = false;  ///< from the position that follows, at the first time already
  std::string epoch{};
  std::uint64_t offset = 0;
};

/// One channel of one client.
struct CentrifugeStream {
  enum class State { kSubscribing, kSubscribed, kUnsubscribed };
  State state = State::kSubscribing;
  CentrifugeSubscribe asked;
  bool server_side = false;
  bool recoverable = false;
  bool positioned = false;
  std::string epoch;
  std::uint64_t offset = 0;  ///< of the last publication, or where the subscription began
  std::uint64_t received = 0;
  std::uint64_t beside = 0;             ///< of a positioned stream, without an offset: not checked
  std::uint64_t last_number = 0;        ///< of numbered data; 0: none yet
  std::uint64_t first_number = 0;       ///< of numbered data
  std::uint64_t subscribed_times = 0;   ///< subscribe replies without an error
  std::uint64_t recovered_times = 0;    ///< of them, with `recovered`
  std::uint64_t failed_recoveries = 0;  ///< `was_recovering` without it
  centrifuge::Error error;              ///< of the last subscribe; code 0: none
  std::uint32_t unsubscribe_code = 0;   ///< of the last push
  std::uint64_t joins = 0;
  std::uint64_t leaves = 0;
};

struct CentrifugeMember {
  enum class State { kConnecting, kConnected, kWaiting, kEnded };
  State state = State::kConnecting;
  CentrifugeOptions options;
  std::string client;  ///< its id, as told
  centrifuge::ConnectResult connected;
  centrifuge::Error error;  ///< of the last connect; code 0: none
  std::uint64_t connects = 0;
  std::uint64_t pings = 0;
  int close_code = 0;  ///< of the last close
  std::string close_reason;
  std::map<std::string, CentrifugeStream> streams;
  std::vector<centrifuge::Push> pushes;
};

/// All of these are faults of the server (or of the test's own numbering).
struct CentrifugeFaults {
  std::uint64_t missing = 0;      ///< offsets passed over, of positioned streams
  std::uint64_t repeated = 0;     ///< an offset that was had, of positioned streams
  std::uint64_t misnumbered = 0;  ///< numbered data that does not follow the last
  std::uint64_t early = 0;        ///< a publication before the subscribe reply, or after the end
  std::uint64_t foreign = 0;      ///< a push of a channel that was never asked for
  std::uint64_t unasked = 0;      ///< a reply with an id that is not open
  friend bool operator==(const CentrifugeFaults&, const CentrifugeFaults&) = default;
};
std::ostream& operator<<(std::ostream& out, const CentrifugeFaults& faults);

class CentrifugeFleet final : private SwarmObserver {
 public:
  explicit CentrifugeFleet(std::uint32_t seed = 1);

  /// Dials; the connect command goes out with the 101. Returns the client's index.
  std::size_t add(const CentrifugeOptions& options);
  /// `count` of them; throws when not all are connected in time. Returns the first index.
  std::size_t connect(const CentrifugeOptions& options, std::size_t count = 1, Millis wait = 60s);
  /// Asks for it as soon as the client is connected, and again whenever it comes back.
  void subscribe(std::size_t index, const std::string& channel,
                 const CentrifugeSubscribe& subscribe = {});
  void unsubscribe(std::size_t index, const std::string& channel);
  /// For its next connection.
  void set_endpoint(std::size_t index, const Endpoint& to) { members_[index]->options.to = to; }
  void set_token(std::size_t index, const std::string& token) {
    members_[index]->options.token = token;
  }
  /// Sends a command; its id is set, unless it is a send. The reply is call()'s, or dropped.
  std::uint32_t send(std::size_t index, centrifuge::Command command);
  /// Sends a command and waits for its reply. Throws when there is none in time, or the connection
  /// ends before.
  centrifuge::Reply call(std::size_t index, const centrifuge::Command& command, Millis wait = 10s);
  /// The reply to a command of send() is kept for kept() when it comes.
  void keep(std::size_t index, std::uint32_t id) { members_[index]->asked.at(id).kept = true; }
  /// nullptr: it has not come. Stays where it is until the client has gone.
  [[nodiscard]] const centrifuge::Reply* kept(std::size_t index, std::uint32_t id) const {
    const auto found = members_[index]->kept.find(id);
    return found == members_[index]->kept.end() ? nullptr : &found->second;
  }
  /// Any payload as one frame, for hostile ones.
  void send_frame(std::size_t index, std::string_view payload);
  /// Publishes and waits for the reply.
  centrifuge::Reply publish(std::size_t index, const std::string& channel, const std::string& data);
  /// Ends the connection without a word; the client comes back when it may.
  void cut(std::size_t index);
  /// Closes it with 1000 and stays away.
  void disconnect(std::size_t index);

  void run_for(Millis span);
  /// Serves clients until `done` or the deadline; returns done().
  bool run_until(Millis wait, const std::function<bool()>& done);
  [[nodiscard]] bool all_connected() const;
  /// Every stream of [from, to) that was not refused is subscribed.
  [[nodiscard]] bool all_subscribed(std::size_t from, std::size_t to) const;
  /// Every stream of that name has had the number.
  [[nodiscard]] bool all_reached(const std::string& channel, std::uint64_t number) const;

  [[nodiscard]] const CentrifugeMember& client(std::size_t index) const { return *members_[index]; }
  [[nodiscard]] const CentrifugeStream& stream(std::size_t index, const std::string& channel) const;
  void forget_pushes(std::size_t index) { members_[index]->pushes.clear(); }
  [[nodiscard]] std::size_t size() const { return members_.size(); }
  [[nodiscard]] std::uint64_t received() const { return received_; }
  [[nodiscard]] const CentrifugeFaults& faults() const { return faults_; }

 private:
  struct Asked {
    enum class What { kConnect, kSubscribe, kOther };
    What what = What::kOther;
    std::string channel{};
    bool kept = false;  ///< somebody waits for it
  };
  struct Line : CentrifugeMember {
    std::size_t socket = 0;  ///< in the swarm
    std::uint32_t last_id = 0;
    std::uint32_t attempts = 0;  ///< reconnects since it was last connected
    bool stay_away = false;
    std::unordered_map<std::uint32_t, Asked> asked;
    std::map<std::uint32_t, centrifuge::Reply> kept;
    std::optional<SteadyClock::time_point> due;  ///< state kWaiting
    std::map<std::string, SteadyClock::time_point> resubscribe;
  };
  using Frame = std::shared_ptr<const std::vector<centrifuge::Reply>>;

  void message(std::size_t socket, const std::string& text) override;
  void opened(std::size_t socket) override;
  void ended(std::size_t socket) override;

  void dial(std::size_t index);
  void went(Line& line);
  void write(const Line& line, std::string_view payload);
  std::uint32_t ask(Line& line, centrifuge::Command command, Asked asked, std::string& frame);
  void ask_subscribe(Line& line, const std::string& channel, std::string& frame);
  [[nodiscard]] Frame read(CentrifugeEncoding encoding, const std::string& text);
  void on_reply(Line& line, const centrifuge::Reply& reply);
  void on_connect(Line& line, const centrifuge::Reply& reply);
  void on_subscribe(Line& line, const std::string& channel, const centrifuge::Reply& reply);
  void on_subscribed(CentrifugeStream& stream, const centrifuge::SubscribeResult& result);
  void on_push(Line& line, const centrifuge::Push& push);
  void on_publication(CentrifugeStream& stream, const centrifuge::Publication& publication);
  void on_unsubscribe(Line& line, CentrifugeStream& stream, const centrifuge::Push& push);
  void serve_due();
  [[nodiscard]] Millis pause(std::uint32_t attempts);

  WsSwarm swarm_;
  std::vector<std::unique_ptr<Line>> members_;
  std::unordered_map<std::size_t, std::size_t> by_socket_;
  /// A fan-out gives the same bytes to all: they are read once.
  std::unordered_map<std::string, Frame> read_[2];
  std::mt19937 random_;
  CentrifugeFaults faults_;
  std::uint64_t received_ = 0;
  SteadyClock::time_point looked_{};
};

}  // namespace sluice::test
