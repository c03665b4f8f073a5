#include "common/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <string>

namespace sluice {
namespace {

struct State {
  std::shared_ptr<spdlog::logger> logger;
  LogLevel level = LogLevel::kWarn;
  LogFormat format = LogFormat::kText;
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

/// RFC 8259 section 7. Bytes from peers may stand in a message, so nothing is taken for granted.
std::string json_escaped(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7F) {
      out += fmt::format("\\u{:04x}", byte);
    } else {
      out += c;
    }
  }
  return out;
}

/// One event is one line, whatever a peer put into it.
std::string one_line(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  return out;
}

void make_logger(std::string_view program) {
  State& s = state();
  s.logger = std::make_shared<spdlog::logger>(std::string(program),
                                              std::make_shared<spdlog::sinks::stderr_sink_st>());
  s.logger->set_level(to_spdlog(s.level));
  s.logger->flush_on(spdlog::level::trace);
  const char* pattern =
      s.format == LogFormat::kText
          ? "%Y-%m-%dT%H:%M:%S.%eZ %l %n: %v"
          : R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","program":"%n","message":"%v"})";
  s.logger->set_pattern(pattern, spdlog::pattern_time_type::utc);
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
  state().level = level;
  state().format = format;
  make_logger(program);
}

bool log_enabled(LogLevel level) {
  return level >= state().level;
}

namespace internal {

void log_line(LogLevel level, std::string_view text) {
  State& s = state();
  if (!s.logger) make_logger("sluice");
  s.logger->log(to_spdlog(level), "{}",
                s.format == LogFormat::kJson ? json_escaped(text) : one_line(text));
}

}  // namespace internal
}  // namespace sluice
