// What channels hold, as lines for a person and as JSON for programs. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "proto/envelope.pb.h"
#include "proto/frame.h"

namespace sluice::ctl {

struct ListStyle {
  std::size_t width = 0;  ///< of a terminal; 0: no bound
  bool colours = false;
  std::size_t text_bytes_max = 0;  ///< of a payload; 0: no bound
};

struct ChannelList {
  std::map<std::string, std::uint64_t> clients;  ///< by channel
  std::size_t gateways = 0;                      ///< that have answered
  bool complete = true;                          ///< each told all that it has
};

struct PresentClient {
  std::string client;
  std::string user;
  std::string conn_info;
  std::string chan_info;
};

struct PresenceList {
  std::vector<PresentClient> clients;
  std::uint32_t client_count = 0;
  std::uint32_t user_count = 0;
};

struct Publication {
  std::uint64_t offset = 0;
  std::string payload;
  envelope::MessageMeta meta;
};

struct HistoryList {
  std::vector<Publication> publications;
  proto::Position top;  ///< epoch 0: none
};

[[nodiscard]] std::vector<std::string> channel_lines(const ChannelList& list,
                                                     const ListStyle& style);
[[nodiscard]] std::string channels_json(const ChannelList& list);
[[nodiscard]] std::vector<std::string> presence_lines(const PresenceList& list,
                                                      const ListStyle& style);
[[nodiscard]] std::string presence_json(const std::string& channel, const PresenceList& list);
[[nodiscard]] std::vector<std::string> history_lines(const HistoryList& list,
                                                     const ListStyle& style);
[[nodiscard]] std::string history_json(const std::string& channel, const HistoryList& list);

/// Adds a gateway's answer.
void add(ChannelList& list, const envelope::SurveyReply& reply);
[[nodiscard]] PresentClient present_client(const proto::PresenceItem& item);
[[nodiscard]] Publication publication_of(const proto::HistoryItem& item);

}  // namespace sluice::ctl
