#include "keeper/upgrade.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <set>
#include <utility>
#include <vector>

#include "keeper/fields.h"

namespace sluice::keeper {
namespace {

constexpr std::uint64_t kTableMagic = 0x4c42415450454b53;  // "SKEPTABL"
constexpr std::size_t kTableBytesMax = std::size_t{1} << 30U;
constexpr int kFirstInherited = 3;

tl::unexpected<Error> unreadable(const std::string& what) {
  return fail(ErrorCode::kInvalid, "the table that was handed over: " + what);
}

// ---- saving

void put(FieldWriter& to, const UniqueFd& fd) {
  to.number(static_cast<std::int32_t>(fd.get()));
}

void put(FieldWriter& to, TimePoint time) {
  to.number(static_cast<std::int64_t>(time.time_since_epoch().count()));
}

void put_count(FieldWriter& to, std::size_t count) {
  to.number(static_cast<std::uint32_t>(count));
}

void put(FieldWriter& to, const Holding& holding) {
  to.number(holding.terms.handoff_wait_ms);
  to.number(holding.terms.close_rate);
  to.number(static_cast<std::uint8_t>(holding.ending));
  to.number(holding.parked_at_micros);
  put_count(to, holding.orphaned ? 1 : 0);
  if (holding.orphaned) put(to, *holding.orphaned);
  put_count(to, holding.crashes.size());
  for (const TimePoint crash : holding.crashes) put(to, crash);
  put(to, holding.memory);
  put_count(to, holding.listeners.size());
  for (const auto& [name, socket] : holding.listeners) {
    to.text(name);
    put(to, socket);
  }
  put_count(to, holding.clients.size());
  for (const auto& [slot, client] : holding.clients) {
    to.number(slot);
    to.number(client.generation);
    put(to, client.socket);
  }
  put_count(to, holding.pending.size());
  for (const HeldConnection& connection : holding.pending) {
    to.text(connection.listener);
    to.text(connection.bytes);
    put(to, connection.socket);
  }
}

void put(FieldWriter& to, const std::optional<Holder>& holder) {
  put_count(to, holder ? 1 : 0);
  if (!holder) return;
  to.number(static_cast<std::int32_t>(holder->pid));
  put_count(to, holder->parked ? 1 : 0);
  put(to, holder->pidfd);
  put(to, holder->connection);
}

// ---- loading

/// Gives out each open descriptor once.
class Inherited {
 public:
  explicit Inherited(int saved) : taken_{saved} {}

  [[nodiscard]] UniqueFd take(FieldReader& from) {
    const int fd = from.number<std::int32_t>();
    if (fd < kFirstInherited || ::fcntl(fd, F_GETFD) < 0 || !taken_.insert(fd).second) {
      good_ = false;
      return {};
    }
    (void)::fcntl(fd, F_SETFD, FD_CLOEXEC);
    return UniqueFd(fd);
  }
  [[nodiscard]] UniqueFd take_optional(FieldReader& from) {
    FieldReader look = from;
    if (look.number<std::int32_t>() >= 0) return take(from);
    from = look;
    return {};
  }
  [[nodiscard]] bool good() const { return good_; }

 private:
  std::set<int> taken_;
  bool good_ = true;
};

TimePoint get_time(FieldReader& from) {
  return TimePoint(Duration(from.number<std::int64_t>()));
}

/// Reads until the count is reached or something is missing, so that a wrong count costs nothing.
template <typename Read>
void get_each(FieldReader& from, Read read) {
  const auto count = from.number<std::uint32_t>();
  for (std::uint32_t i = 0; i < count && from.good(); ++i) read();
}

void get(FieldReader& from, Inherited& fds, Holding& holding) {
  holding.terms.handoff_wait_ms = from.number<std::uint32_t>();
  holding.terms.close_rate = from.number<std::uint32_t>();
  holding.ending = static_cast<Ending>(from.number<std::uint8_t>());
  holding.parked_at_micros = from.number<std::uint64_t>();
  get_each(from, [&] { holding.orphaned = get_time(from); });
  get_each(from, [&] { holding.crashes.push_back(get_time(from)); });
  holding.memory = fds.take_optional(from);
  get_each(from, [&] {
    std::string name = from.text(kTextBytesMax);
    holding.listeners[std::move(name)] = fds.take(from);
  });
  get_each(from, [&] {
    const auto slot = from.number<std::uint32_t>();
    const auto generation = from.number<std::uint32_t>();
    holding.clients[slot] = {generation, fds.take(from)};
  });
  get_each(from, [&] {
    std::string listener = from.text(kTextBytesMax);
    std::string bytes = from.text(kPendingBytesMax);
    holding.pending.push_back({std::move(listener), std::move(bytes), fds.take(from)});
  });
}

void get(FieldReader& from, Inherited& fds, std::optional<Holder>& holder) {
  get_each(from, [&] {
    holder.emplace();
    holder->pid = from.number<std::int32_t>();
    holder->parked = from.number<std::uint32_t>() != 0;
    holder->pidfd = fds.take(from);
    holder->connection = fds.take_optional(from);
  });
}

bool sane(const Holding& holding) {
  return holding.terms.close_rate > 0 && holding.terms.close_rate <= kCloseRateMax &&
         holding.terms.handoff_wait_ms <= kHandoffWaitMsMax && holding.ending <= Ending::kCrashed;
}

Result<std::vector<std::byte>> read_all(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size <= 0 ||
      static_cast<std::size_t>(status.st_size) > kTableBytesMax)
    return unreadable("no file of a possible size");
  std::vector<std::byte> bytes(static_cast<std::size_t>(status.st_size));
  std::size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t size =
        ::pread(fd, bytes.data() + have, bytes.size() - have, static_cast<off_t>(have));
    if (size <= 0) return unreadable("can't be read");
    have += static_cast<std::size_t>(size);
  }
  return bytes;
}

/// Calls `each` with every descriptor of the table.
template <typename Each>
void for_each_fd(const Table& table, Each each) {
  each(table.listener);
  each(table.holding.memory);
  for (const auto& [name, socket] : table.holding.listeners) each(socket);
  for (const auto& [slot, client] : table.holding.clients) each(client.socket);
  for (const HeldConnection& connection : table.holding.pending) each(connection.socket);
  if (!table.holder) return;
  each(table.holder->pidfd);
  each(table.holder->connection);
}

}  // namespace

Result<UniqueFd> save_table(const Table& table) {
  FieldWriter to;
  to.number(kTableMagic);
  to.number(kTableVersion);
  put(to, table.listener);
  put(to, table.holding);
  put(to, table.holder);
  UniqueFd saved(::memfd_create("sluice-keeper-table", MFD_CLOEXEC));
  if (!saved.valid())
    return fail(ErrorCode::kSystem, std::string("memfd_create: ") + std::strerror(errno));
  std::size_t written = 0;
  while (written < to.bytes().size()) {
    const ssize_t size =
        ::write(saved.get(), to.bytes().data() + written, to.bytes().size() - written);
    if (size <= 0)
      return fail(ErrorCode::kSystem, std::string("writing the table: ") + std::strerror(errno));
    written += static_cast<std::size_t>(size);
  }
  return saved;
}

void set_inherited(const Table& table, const UniqueFd& saved, bool inherited) {
  const auto set = [inherited](const UniqueFd& fd) {
    if (fd.valid()) (void)::fcntl(fd.get(), F_SETFD, inherited ? 0 : FD_CLOEXEC);
  };
  for_each_fd(table, set);
  set(saved);
}

Result<Table> load_table(int saved) {
  const auto bytes = read_all(saved);
  if (!bytes) return tl::make_unexpected(bytes.error());
  FieldReader from(*bytes);
  if (from.number<std::uint64_t>() != kTableMagic) return unreadable("not one");
  if (const auto version = from.number<std::uint32_t>(); version != kTableVersion)
    return unreadable("of version " + std::to_string(version));
  Inherited fds(saved);
  Table table;
  table.listener = fds.take(from);
  get(from, fds, table.holding);
  get(from, fds, table.holder);
  if (!from.complete()) return unreadable("cut short, or too long");
  if (!fds.good()) return unreadable("a descriptor that is not there, or twice");
  if (!sane(table.holding)) return unreadable("a number out of range");
  return table;
}

void close_all_inherited() {
  (void)::close_range(kFirstInherited, ~0U, 0);
}

}  // namespace sluice::keeper
