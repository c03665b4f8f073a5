#include "ctl/tail_event.h"

#include <array>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

#include "common/base64.h"
#include "common/utf8.h"
#include "ctl/text.h"

namespace sluice::ctl {
namespace {

using Json = nlohmann::ordered_json;
using Kind = TailEvent::Kind;

std::string time_text(WallTime time, bool utc) {
  const auto ms = time.time_since_epoch().count();
  const auto seconds = static_cast<std::time_t>(ms / 1000);
  std::tm parts{};
  std::array<char, 40> text{};
  if (utc) {
    ::gmtime_r(&seconds, &parts);
  } else {
    ::localtime_r(&seconds, &parts);
  }
  const std::size_t n =
      std::strftime(text.data(), text.size(), utc ? "%Y-%m-%dT%H:%M:%S" : "%H:%M:%S", &parts);
  std::snprintf(text.data() + n, text.size() - n, ".%03d%s", static_cast<int>(ms % 1000),
                utc ? "Z" : "");
  return text.data();
}

std::string hex(std::uint64_t epoch) {
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(epoch));
  return text.data();
}

std::string position_text(proto::Position position, std::size_t digits) {
  return hex(position.epoch).substr(0, digits) + ":" + std::to_string(position.offset);
}

std::string padded_left(std::string text, std::size_t columns) {
  if (text.size() < columns) text.insert(0, columns - text.size(), ' ');
  return text;
}

std::string message_text(const TailEvent& e, const TailStyle& style) {
  std::string_view shown = e.text;
  std::string more;
  if (style.text_bytes_max > 0 && shown.size() > style.text_bytes_max) {
    std::size_t cut = style.text_bytes_max;
    // Not inside a character.
    while (cut > 0 && (static_cast<unsigned char>(shown[cut]) & 0xC0U) == 0x80U) --cut;
    more = styled("… " + bytes_text(shown.size() - cut) + " more", Style::kDim, style.colours);
    shown = shown.substr(0, cut);
  }
  return styled(padded_left(position_text(e.position, 8), 14), Style::kBold, style.colours) + "  " +
         styled(padded_left(bytes_text(e.text.size()), 8), Style::kDim, style.colours) + "  " +
         visible(shown) + more;
}

struct Notice {
  std::string text;
  Style style = Style::kDim;
};

std::string gap_text(const TailEvent& e) {
  std::string text = "gap: ";
  text += e.missing == proto::kCountUnknown ? "an unknown number of messages"
                                            : counted(e.missing, "message", "messages");
  text += " missing (" + visible(e.cause);
  if (e.duration_ms > 0) {
    text += ", " + (e.duration_ms < 1000 ? std::to_string(e.duration_ms) + "ms"
                                         : seconds_text(static_cast<double>(e.duration_ms) / 1000));
  }
  return text + "), goes on behind " + position_text(e.position, 8);
}

Notice notice_of(const TailEvent& e) {
  switch (e.kind) {
    case Kind::kSubscribed:
      return {"subscribed to " + visible(e.channel) + " behind " + position_text(e.position, 16)};
    case Kind::kGap:
      return {gap_text(e), Style::kWarn};
    case Kind::kBroker:
      if (e.good) return {"broker connected", Style::kGood};
      return {"broker away: " + visible(e.text), Style::kBad};
    case Kind::kLinkLost:
      return {"link lost: " + visible(e.text) + "; trying again", Style::kBad};
    case Kind::kLinkBack:
      return {"link back", Style::kGood};
    case Kind::kMessage:
      break;
  }
  return {};
}

const char* name_of(Kind kind) {
  switch (kind) {
    case Kind::kSubscribed:
      return "subscribed";
    case Kind::kMessage:
      return "message";
    case Kind::kGap:
      return "gap";
    case Kind::kBroker:
      return "broker";
    case Kind::kLinkLost:
      return "link_lost";
    case Kind::kLinkBack:
      return "link_back";
  }
  return "unknown";
}

void add_position(Json& json, proto::Position position) {
  json["epoch"] = hex(position.epoch);
  json["offset"] = position.offset;
}

}  // namespace

std::string tail_line(const TailEvent& e, const TailStyle& style) {
  std::string line = styled(time_text(e.time, false), Style::kDim, style.colours) + "  ";
  if (e.kind == Kind::kMessage) return line + message_text(e, style);
  const Notice notice = notice_of(e);
  return line + styled("-- " + notice.text, notice.style, style.colours);
}

std::string tail_json(const TailEvent& e) {
  Json json = {{"type", name_of(e.kind)}, {"time", time_text(e.time, true)}};
  switch (e.kind) {
    case Kind::kSubscribed:
      json["channel"] = e.channel;
      add_position(json, e.position);
      json["continuous"] = e.good;
      break;
    case Kind::kMessage:
      json["channel"] = e.channel;
      add_position(json, e.position);
      if (e.beside) json["beside"] = true;
      json["bytes"] = e.text.size();
      if (valid_utf8(proto::as_bytes(e.text))) {
        json["text"] = e.text;
      } else {
        json["base64"] = encode_base64(e.text);
      }
      break;
    case Kind::kGap:
      json["channel"] = e.channel;
      add_position(json, e.position);
      json["cause"] = e.cause;
      json["missing"] = nullptr;
      if (e.missing != proto::kCountUnknown) json["missing"] = e.missing;
      json["duration_ms"] = e.duration_ms;
      break;
    case Kind::kBroker:
      json["connected"] = e.good;
      json["reason"] = e.text;
      break;
    case Kind::kLinkLost:
      json["reason"] = e.text;
      break;
    case Kind::kLinkBack:
      break;
  }
  return json.dump(-1, ' ', true, Json::error_handler_t::replace);
}

}  // namespace sluice::ctl
