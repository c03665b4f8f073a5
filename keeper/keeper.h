// The keeper's process: who may have what is held, and when. Descriptors go to one process at a
// time, and to the next only when that one's death is proved. One thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/program.h"
#include "common/result.h"
#include "common/service_manager.h"
#include "keeper/config.h"
#include "keeper/custody.h"
#include "keeper/farewells.h"
#include "keeper/handover.h"
#include "keeper/holding.h"
#include "keeper/poller.h"
#include "keeper/wire.h"

namespace sluice::keeper {

/// Connections that are not the holder's.
inline constexpr std::size_t kConnectionsMax = 16;
/// Of these, such as wait for the holder's end.
inline constexpr std::size_t kWaitingMax = 4;

/// A keeper gives it to its successor; the next argument is the table's descriptor. No flag for
/// people.
inline constexpr const char* kResumeFlag = "--resume-fd";

class Keeper {
 public:
  /// `saved`: the table's descriptor that a predecessor left to us.
  [[nodiscard]] static Result<std::unique_ptr<Keeper>> create(const KeeperConfig& config,
                                                              Program program,
                                                              std::optional<int> saved);
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

  /// Until a signal ends it; the exit code.
  [[nodiscard]] int run();

 private:
  /// Connected, and not the holder.
  struct Asker {
    UniqueFd socket;
    pid_t pid = 0;
    UniqueFd pidfd;  ///< once it has said HELLO
    Terms terms;
    bool serving = false;    ///< Hello::serving
    std::uint64_t turn = 0;  ///< its place in the row of those who wait; 0: none
  };
  using Askers = std::map<int, Asker>;  ///< by socket

  Keeper(const KeeperConfig& config, Program program, std::size_t sockets_max);
  [[nodiscard]] Result<void> open(std::optional<Table> table);
  [[nodiscard]] Result<void> watch_signals();
  void resume(Table table);
  void watch_holder();

  // The loop.
  void on_ready(int fd);
  void on_signal();
  void on_tick(TimePoint now);
  [[nodiscard]] Duration longest_wait(TimePoint now) const;

  // Those who ask.
  void accept_all();
  void on_asker(int fd);
  void on_hello(Asker& asker, const Hello& hello, UniqueFd pidfd);
  void let_wait(Asker& asker);
  [[nodiscard]] bool holder_is_over() const;
  [[nodiscard]] std::size_t waiting() const;
  /// Says why, as far as it is heard, and ends the connection.
  void refuse(int fd, const std::string& why);
  void drop(int fd);

  // The one who holds.
  void welcome(Asker asker);
  void welcome_next();
  void welcome_again(int fd);
  void hold_for(Asker asker);
  void go_on_telling();
  void read_holder();
  void drop_connection(const std::string& why);
  void hear_out();
  void end_of_holder();

  void end_orderly();
  void check_upgrade();
  void on_checked();
  void end_check();
  void refuse_upgrade(const std::string& why);
  void begin_upgrade();
  void upgrade();
  [[nodiscard]] std::string status() const;

  KeeperConfig config_;
  const Program program_;
  SteadyTime time_;
  Poller poller_;
  ServiceManager manager_;
  Farewells farewells_;
  Custody custody_;
  UniqueFd listener_;
  UniqueFd signals_;
  Askers askers_;
  std::uint64_t turns_ = 0;
  std::optional<Holder> holder_;
  std::optional<Handover> handover_;      ///< to the holder, under way
  std::optional<TimePoint> telling_due_;  ///< when to go on with it, though no socket says so
  std::optional<ProgramCheck> check_;     ///< of the program that is to follow
  TimePoint check_due_;
  bool ending_ = false;
  bool upgrading_ = false;
  std::optional<int> exit_code_;
};

}  // namespace sluice::keeper
