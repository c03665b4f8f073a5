// A whole HTTP/1.x request head, taken apart strictly: what two parsers could read in two ways is
// refused. Pure.
//
// HeadScanner finds the end of a head that comes in pieces and refuses at the first byte that can't
// belong to one, so that a TLS handshake or other noise on the port is answered at once and a head
// that dribbles in is looked at once, not once a byte.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace sluice::gateway {

/// Request line and header lines with the empty line at the end.
inline constexpr std::size_t kHeadBytesMax = 8U << 10U;
inline constexpr std::size_t kHeadersMax = 100;

class HeadScanner {
 public:
  enum class Verdict {
    kMore,
    kWhole,      ///< end() bytes are the head
    kMalformed,  ///< bare CR or LF, a control character, an empty first line
    kTooLarge,
  };
  /// `bytes` is everything received so far: it grows from call to call, what was scanned stays the
  /// same.
  [[nodiscard]] Verdict scan(std::string_view bytes, std::size_t head_bytes_max);
  [[nodiscard]] std::size_t end() const { return position_; }

 private:
  std::size_t position_ = 0;
  std::size_t line_bytes_ = 0;
  bool after_cr_ = false;
};

struct HttpHeader {
  std::string_view name;   ///< as sent
  std::string_view value;  ///< without the white space around it
};

enum class HeadStatus {
  kOk,
  kMalformed,           ///< 400
  kTooManyHeaders,      ///< 431
  kUnsupportedVersion,  ///< 505
};

/// Views into the bytes parsed.
struct HttpHead {
  std::string_view method;
  std::string_view target;
  int version_minor = 1;  ///< HTTP/1.0 or HTTP/1.1

  [[nodiscard]] std::span<const HttpHeader> headers() const {
    return {header_store.data(), header_count};
  }
  /// The first of that name (any case).
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const;
  [[nodiscard]] std::size_t count(std::string_view name) const;
  /// Whether a comma-separated list, which may be spread over several headers of that name, has the
  /// token (any case).
  [[nodiscard]] bool has_token(std::string_view name, std::string_view token) const;

  std::array<HttpHeader, kHeadersMax> header_store;
  std::size_t header_count = 0;
};

/// `head` is what HeadScanner found whole. Fills `out`; a fault's text is put into `problem`
/// (static).
[[nodiscard]] HeadStatus parse_head(std::string_view head, HttpHead& out, const char*& problem);

/// RFC 9110 5.6.2: what methods, header and parameter names are made of.
[[nodiscard]] bool is_token(std::string_view text);
/// ASCII only, locale-free.
[[nodiscard]] bool equals_ignoring_case(std::string_view a, std::string_view b);
[[nodiscard]] std::string to_lower(std::string_view text);
/// Without spaces and tabs at both ends.
[[nodiscard]] std::string_view trim_blanks(std::string_view text);

}  // namespace sluice::gateway
