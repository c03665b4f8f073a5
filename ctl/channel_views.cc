#include "ctl/channel_views.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

#include "common/base64.h"
#include "common/utf8.h"
#include "ctl/table.h"
#include "ctl/text.h"
#include "proto/epoch.h"

namespace sluice::ctl {
namespace {

using Json = nlohmann::ordered_json;

/// ASCII alone, so that no name does anything to a terminal.
std::string dump(const Json& json) {
  return json.dump(2, ' ', true, Json::error_handler_t::replace) + "\n";
}

/// JSON as such, other text as a string, other bytes as Base64 under another name.
void add_bytes(Json& json, const std::string& name, const std::string& bytes) {
  Json value = Json::parse(bytes, nullptr, false);
  if (!value.is_discarded()) {
    json[name] = std::move(value);
  } else if (valid_utf8(proto::as_bytes(bytes))) {
    json[name] = bytes;
  } else {
    json[name + "_base64"] = encode_base64(bytes);
  }
}

std::string utc_text(std::int64_t ms) {
  const std::time_t seconds = static_cast<std::time_t>(ms / 1000);
  std::tm parts{};
  if (ms <= 0 || ::gmtime_r(&seconds, &parts) == nullptr) return "-";
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text.data();
}

std::string shown(const std::string& bytes, const ListStyle& style) {
  if (style.text_bytes_max == 0 || bytes.size() <= style.text_bytes_max) return visible(bytes);
  return visible(bytes.substr(0, style.text_bytes_max)) + "…";
}

std::string user_text(const std::string& user) {
  return user.empty() ? "-" : visible(user);
}

}  // namespace

void add(ChannelList& list, const envelope::SurveyReply& reply) {
  ++list.gateways;
  if (reply.cut()) list.complete = false;
  for (const auto& [channel, clients] : reply.channels()) list.clients[channel] += clients;
}

PresentClient present_client(const proto::PresenceItem& item) {
  PresentClient client;
  client.client = item.client;
  envelope::Client told;
  // Who is there counts, whatever is told of it.
  if (!told.ParseFromArray(item.info.data(), static_cast<int>(item.info.size()))) return client;
  client.user = told.user();
  client.conn_info = told.conn_info();
  client.chan_info = told.chan_info();
  return client;
}

Publication publication_of(const proto::HistoryItem& item) {
  Publication publication;
  publication.offset = item.offset;
  publication.payload = proto::as_text(item.payload);
  if (!publication.meta.ParseFromArray(item.meta.data(), static_cast<int>(item.meta.size())))
    publication.meta.Clear();
  return publication;
}

std::vector<std::string> channel_lines(const ChannelList& list, const ListStyle& style) {
  std::vector<std::pair<std::string, std::uint64_t>> sorted(list.clients.begin(),
                                                            list.clients.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  std::vector<TableRow> rows;
  for (const auto& [name, clients] : sorted)
    rows.push_back({{visible(name)}, {count_text(clients)}});
  std::vector<std::string> lines;
  if (!rows.empty())
    lines = table_lines({{"CHANNEL"}, {"CLIENTS", true}}, rows, style.width, style.colours);
  lines.push_back(styled(counted(rows.size(), "channel", "channels") + ", " +
                             counted(list.gateways, "gateway", "gateways") + " answered" +
                             (list.complete ? "" : "; not all channels are here"),
                         list.complete ? Style::kDim : Style::kWarn, style.colours));
  return lines;
}

std::string channels_json(const ChannelList& list) {
  Json channels = Json::array();
  for (const auto& [name, clients] : list.clients)
    channels.push_back({{"channel", name}, {"clients", clients}});
  return dump({{"channels", std::move(channels)},
               {"gateways", list.gateways},
               {"complete", list.complete}});
}

std::vector<std::string> presence_lines(const PresenceList& list, const ListStyle& style) {
  std::vector<TableRow> rows;
  for (const PresentClient& one : list.clients)
    rows.push_back({{visible(one.client)},
                    {user_text(one.user)},
                    {shown(one.conn_info, style)},
                    {shown(one.chan_info, style)}});
  std::vector<std::string> lines;
  if (!rows.empty())
    lines = table_lines({{"CLIENT"}, {"USER"}, {"INFO", false, 1}, {"CHANNEL INFO", false, 2}},
                        rows, style.width, style.colours);
  lines.push_back(styled(counted(list.client_count, "client", "clients") + ", " +
                             counted(list.user_count, "user", "users"),
                         Style::kDim, style.colours));
  return lines;
}

std::string presence_json(const std::string& channel, const PresenceList& list) {
  Json clients = Json::array();
  for (const PresentClient& one : list.clients) {
    Json json{{"client", one.client}, {"user", one.user}};
    if (!one.conn_info.empty()) add_bytes(json, "conn_info", one.conn_info);
    if (!one.chan_info.empty()) add_bytes(json, "chan_info", one.chan_info);
    clients.push_back(std::move(json));
  }
  return dump({{"channel", channel},
               {"num_clients", list.client_count},
               {"num_users", list.user_count},
               {"clients", std::move(clients)}});
}

std::vector<std::string> history_lines(const HistoryList& list, const ListStyle& style) {
  std::vector<TableRow> rows;
  for (const Publication& one : list.publications)
    rows.push_back({{std::to_string(one.offset), Style::kBold},
                    {utc_text(one.meta.time_ms()), Style::kDim},
                    {user_text(one.meta.publisher().user())},
                    {shown(one.payload, style)}});
  std::vector<std::string> lines;
  // As wide as it takes: a payload is what one came for.
  if (!rows.empty())
    lines = table_lines({{"OFFSET", true}, {"TIME"}, {"USER"}, {"DATA"}}, rows, 0, style.colours);
  const std::string position = list.top.epoch == 0
                                   ? "no position yet"
                                   : "the channel is at " + proto::epoch_text(list.top.epoch) +
                                         ":" + std::to_string(list.top.offset);
  lines.push_back(
      styled(counted(list.publications.size(), "publication", "publications") + ", " + position,
             Style::kDim, style.colours));
  return lines;
}

std::string history_json(const std::string& channel, const HistoryList& list) {
  Json publications = Json::array();
  for (const Publication& one : list.publications) {
    Json json{{"offset", one.offset}};
    if (one.meta.time_ms() != 0) json["time"] = one.meta.time_ms();
    if (one.meta.has_publisher())
      json["publisher"] = {{"user", one.meta.publisher().user()},
                           {"client", one.meta.publisher().client()}};
    for (const auto& [key, value] : one.meta.tags()) json["tags"][key] = value;
    add_bytes(json, "data", one.payload);
    publications.push_back(std::move(json));
  }
  return dump({{"channel", channel},
               {"epoch", list.top.epoch == 0 ? "" : proto::epoch_text(list.top.epoch)},
               {"offset", list.top.offset},
               {"publications", std::move(publications)}});
}

}  // namespace sluice::ctl
