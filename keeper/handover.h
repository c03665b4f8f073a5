// Tells a gateway what is held for it, packet by packet as its socket takes them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "common/result.h"
#include "keeper/holding.h"

namespace sluice::keeper {

class Handover {
 public:
  explicit Handover(const Welcome& welcome) : welcome_(welcome) {}
  /// Of nothing, whatever is held: WELCOME and HELD_END.
  [[nodiscard]] static Handover of_nothing(const Welcome& welcome) {
    Handover handover(welcome);
    handover.nothing_ = true;
    return handover;
  }

  enum class Progress {
    kDone,
    kFull,     ///< again when the socket is writable
    kCrowded,  ///< again a little later
  };
  /// `holding` may have less in it than before: the gateway closes clients while it is told of
  /// others.
  [[nodiscard]] Result<Progress> go_on(int socket, const Holding& holding);

 private:
  enum class Stage { kWelcome, kListeners, kClients, kPending, kEnd, kDone };

  [[nodiscard]] Result<SendOutcome> send_next(int socket, const Holding& holding);
  [[nodiscard]] Result<SendOutcome> send_welcome(int socket, const Holding& holding);
  [[nodiscard]] Result<SendOutcome> send_listener(int socket, const Holding& holding);
  [[nodiscard]] Result<SendOutcome> send_clients(int socket, const Holding& holding);
  [[nodiscard]] Result<SendOutcome> send_pending(int socket, const Holding& holding);

  Welcome welcome_;
  bool nothing_ = false;
  Stage stage_ = Stage::kWelcome;
  std::string listener_;         ///< the last that was told
  std::uint64_t next_slot_ = 0;  ///< the lowest that was not
  std::size_t next_pending_ = 0;
};

}  // namespace sluice::keeper
