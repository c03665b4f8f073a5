#include "common/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>
#include <string>

#include "common/utf8.h"

namespace sluice {
namespace {

struct State {
  std::shared_ptr<spdlog::logger> logger;
  LogLevel level = LogLevel::kWarn;
  LogFormat format = LogFormat::kText;
  std::string program = "sluice";
};

State& state() {
  static State instance;
  return instance;
}

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

std::string_view name_of(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarn:
      return "warn";
    case LogLevel::kError:
      return "error";
  }
  return "info";
}

/// How many bytes the character at the front of `text` has; 0: there is none, the byte is wrong.
std::size_t character_bytes(std::string_view text) {
  for (std::size_t n = 1; n <= std::min<std::size_t>(4, text.size()); ++n) {
    if (valid_utf8({reinterpret_cast<const std::uint8_t*>(text.data()), n})) return n;
  }
  return 0;
}

/// RFC 8259 section 7. Bytes from peers may stand in a message, so nothing is taken for granted:
/// what is not UTF-8 becomes U+FFFD.
std::string json_escaped(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const auto byte = static_cast<unsigned char>(text.front());
    std::size_t n = 1;
    if (byte == '"' || byte == '\\') {
      out += '\\';
      out += text.front();
    } else if (byte < 0x20 || byte == 0x7F) {
      out += fmt::format("\\u{:04x}", byte);
    } else if (byte < 0x80) {
      out += text.front();
    } else if (const std::size_t whole = character_bytes(text); whole > 0) {
      out += text.substr(0, whole);
      n = whole;
    } else {
      out += "\\ufffd";
    }
    text.remove_prefix(n);
  }
  return out;
}

/// One event is one line, whatever a peer put into it.
std::string one_line(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  return out;
}

/// Everything but the time, which spdlog writes.
std::string line_of(LogLevel level, std::string_view text) {
  const State& s = state();
  if (s.format == LogFormat::kText) {
    return fmt::format("{} {}: {}", name_of(level), s.program, one_line(text));
  }
  return fmt::format(R"("level":"{}","program":"{}","message":"{}")", name_of(level),
                     json_escaped(s.program), json_escaped(text));
}

void make_logger() {
  State& s = state();
  s.logger =
      std::make_shared<spdlog::logger>("sluice", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  s.logger->set_level(spdlog::level::trace);  // log_enabled() has decided before
  s.logger->flush_on(spdlog::level::trace);
  s.logger->set_pattern(s.format == LogFormat::kText ? "%Y-%m-%dT%H:%M:%S.%eZ %v"
                                                     : R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ",%v})",
                        spdlog::pattern_time_type::utc);
}

}  // namespace

Result<LogLevel> parse_log_level(std::string_view text) {
  if (text == "debug") return LogLevel::kDebug;
  if (text == "info") return LogLevel::kInfo;
  if (text == "warn") return LogLevel::kWarn;
  if (text == "error") return LogLevel::kError;
  return fail(ErrorCode::kInvalid,
              "'" + std::string(text) + "' is not one of debug, info, warn, error");
}

Result<LogFormat> parse_log_format(std::string_view text) {
  if (text == "text") return LogFormat::kText;
  if (text == "json") return LogFormat::kJson;
  return fail(ErrorCode::kInvalid, "'" + std::string(text) + "' is not one of text, json");
}

void log_init(LogLevel level, LogFormat format, std::string_view program) {
  State& s = state();
  s.level = level;
  s.format = format;
  s.program = program;
  make_logger();
}

bool log_enabled(LogLevel level) {
  return level >= state().level;
}

namespace internal {

void log_line(LogLevel level, std::string_view text) {
  if (!state().logger) make_logger();
  state().logger->log(to_spdlog(level), "{}", line_of(level, text));
}

}  // namespace internal
}  // namespace sluice
