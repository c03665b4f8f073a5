#include "relay/drain_mark_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <nlohmann/json.hpp>

#include "common/unique_fd.h"
#include "proto/frame.h"
#include "relay/limits.h"

namespace sluice::relay {
namespace {

using Json = nlohmann::json;
using std::chrono::seconds;

/// As the file says it: UNIX time, which goes on while no relay runs.
std::int64_t unix_time(TimePoint t, TimePoint now) {
  return static_cast<std::int64_t>(std::time(nullptr)) -
         std::chrono::duration_cast<seconds>(now - t).count();
}
TimePoint time_point(std::int64_t unix_seconds, TimePoint now) {
  const auto age = static_cast<std::int64_t>(std::time(nullptr)) - unix_seconds;
  return now - seconds(std::clamp<std::int64_t>(
                   age, 0, std::chrono::duration_cast<seconds>(kDrainMarkAgeMax).count()));
}

tl::unexpected<Error> system_error(const std::string& what, const std::string& path) {
  return fail(ErrorCode::kSystem, what + " " + path + ": " + std::strerror(errno));
}

Result<std::string> read_all(int fd, const std::string& path) {
  std::string text(kDrainMarkFileBytesMax + 1, '\0');
  std::size_t size = 0;
  for (;;) {
    const ssize_t n = ::read(fd, text.data() + size, text.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error("reading", path);
    if (n == 0) break;
    size += static_cast<std::size_t>(n);
    if (size > kDrainMarkFileBytesMax) return fail(ErrorCode::kTooLarge, path + " is too large");
  }
  text.resize(size);
  return text;
}

Result<void> write_all(int fd, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error("writing", path);
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

bool take_gateway(const std::string& id, const Json& balancers, TimePoint now, DrainMarks& marks) {
  if (!proto::valid_gateway_id(id) || !balancers.is_object()) return false;
  for (const auto& [balancer, at] : balancers.items()) {
    if (balancer.empty() || balancer.size() > proto::kBalancerBytesMax || !at.is_number_integer())
      return false;
    marks.set(id, balancer, time_point(at.get<std::int64_t>(), now));
  }
  return true;
}

}  // namespace

Result<DrainMarks> DrainMarkFile::load(TimePoint now) const {
  DrainMarks marks;
  const UniqueFd fd(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) {
    if (errno == ENOENT) return marks;
    return system_error("opening", path_);
  }
  const Result<std::string> text = read_all(fd.get(), path_);
  if (!text) return tl::make_unexpected(text.error());
  const Json file = Json::parse(*text, nullptr, false);
  bool understood = file.is_object() && file.contains("drained") && file["drained"].is_object();
  if (understood) {
    for (const auto& [id, balancers] : file["drained"].items())
      understood = understood && take_gateway(id, balancers, now, marks);
  }
  if (!understood)
    return fail(ErrorCode::kInvalid, path_ + " is not what a relay writes: remove it");
  marks.expire(now);
  return marks;
}

Result<void> DrainMarkFile::save(const DrainMarks& marks, TimePoint now) const {
  Json drained = Json::object();
  for (const auto& [id, balancers] : marks.table()) {
    for (const auto& [balancer, at] : balancers) drained[id][balancer] = unix_time(at, now);
  }
  // Names come from peers; JSON holds UTF-8 alone.
  const std::string text =
      Json{{"drained", std::move(drained)}}.dump(2, ' ', false, Json::error_handler_t::replace) +
      "\n";
  const std::string fresh = path_ + ".new";
  const UniqueFd fd(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd.valid()) return system_error("creating", fresh);
  if (auto written = write_all(fd.get(), text, fresh); !written) return written;
  if (::rename(fresh.c_str(), path_.c_str()) != 0) return system_error("replacing", path_);
  return {};
}

}  // namespace sluice::relay
