#include "common/tokens/strict_json.h"

#include <set>
#include <string>
#include <vector>

namespace sluice {
namespace {

using Json = nlohmann::ordered_json;

/// Looks at the parser's events. The text is short: reading on behind a fault costs nothing.
class Strictness {
 public:
  bool operator()(int /*depth*/, Json::parse_event_t event, Json& parsed) {
    if (wrong_) return false;
    switch (event) {
      case Json::parse_event_t::object_start:
      case Json::parse_event_t::array_start:
        names_.emplace_back();
        if (names_.size() > kJsonDepthMax) wrong_ = true;
        break;
      case Json::parse_event_t::object_end:
      case Json::parse_event_t::array_end:
        names_.pop_back();
        break;
      case Json::parse_event_t::key:
        look_at_name(parsed.get_ref<const std::string&>());
        break;
      case Json::parse_event_t::value:
        if (parsed.is_string()) look_at_text(parsed.get_ref<const std::string&>());
        break;
    }
    // Nothing is kept of what is refused.
    return !wrong_;
  }

  [[nodiscard]] bool wrong() const { return wrong_; }

 private:
  void look_at_name(const std::string& name) {
    if (!names_.back().insert(name).second) wrong_ = true;
    look_at_text(name);
  }
  /// C libraries read to a 0 byte only.
  void look_at_text(const std::string& text) {
    if (text.find('\0') != std::string::npos) wrong_ = true;
  }

  std::vector<std::set<std::string>> names_;
  bool wrong_ = false;
};

}  // namespace

std::optional<nlohmann::ordered_json> parse_strict_json(std::string_view text) {
  Strictness strictness;
  const Json::parser_callback_t look = [&strictness](int depth, Json::parse_event_t event,
                                                     Json& parsed) {
    return strictness(depth, event, parsed);
  };
  Json json = Json::parse(text, look, false);
  if (strictness.wrong() || json.is_discarded()) return std::nullopt;
  return json;
}

std::string to_text(const nlohmann::ordered_json& json) {
  // `replace`, so that dump() never throws; what comes here was checked to be UTF-8.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace sluice
