// One line per event on stderr, as text or JSON. A thin front for spdlog; the arguments are
// formatted only when the line is wanted.
#pragma once

#include <spdlog/fmt/fmt.h>

#include <string_view>

#include "common/result.h"

namespace sluice {

enum class LogLevel { kDebug, kInfo, kWarn, kError };
enum class LogFormat { kText, kJson };

/// "debug", "info", "warn", "error"
[[nodiscard]] Result<LogLevel> parse_log_level(std::string_view text);
/// "text", "json"
[[nodiscard]] Result<LogFormat> parse_log_format(std::string_view text);

/// `program` stands in every line, e.g. "gateway[1111]". Before it nothing but warnings and errors
/// is written.
void log_init(LogLevel level, LogFormat format, std::string_view program);
[[nodiscard]] bool log_enabled(LogLevel level);

namespace internal {
void log_line(LogLevel level, std::string_view text);
}  // namespace internal

template <typename... Args>
void log_at(LogLevel level, fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(level))
    internal::log_line(level, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void log_debug(fmt::format_string<Args...> format, Args&&... args) {
  log_at(LogLevel::kDebug, format, std::forward<Args>(args)...);
}
template <typename... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
  log_at(LogLevel::kInfo, format, std::forward<Args>(args)...);
}
template <typename... Args>
void log_warn(fmt::format_string<Args...> format, Args&&... args) {
  log_at(LogLevel::kWarn, format, std::forward<Args>(args)...);
}
template <typename... Args>
void log_error(fmt::format_string<Args...> format, Args&&... args) {
  log_at(LogLevel::kError, format, std::forward<Args>(args)...);
}

}  // namespace sluice
