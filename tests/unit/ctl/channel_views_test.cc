#include "ctl/channel_views.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace sluice::ctl {
namespace {

using Json = nlohmann::json;
using Lines = std::vector<std::string>;

envelope::SurveyReply reply(const std::map<std::string, std::uint32_t>& channels,
                            bool cut = false) {
  envelope::SurveyReply reply;
  for (const auto& [name, clients] : channels) (*reply.mutable_channels())[name] = clients;
  reply.set_cut(cut);
  return reply;
}

TEST(ChannelViews, ChannelsOfAllGatewaysAreAddedUp) {
  ChannelList list;
  add(list, reply({{"a", 1}, {"b", 2}}));
  add(list, reply({{"a", 4}}));
  EXPECT_EQ(channel_lines(list, {}),
            (Lines{"CHANNEL  CLIENTS",  //
                   "a              5",  //
                   "b              2", "2 channels, 2 gateways answered"}));
  EXPECT_EQ(Json::parse(channels_json(list)), Json::parse(R"({"gateways":2,"complete":true,
      "channels":[{"channel":"a","clients":5},{"channel":"b","clients":2}]})"));
}

TEST(ChannelViews, ThatSomethingIsMissingIsSaid) {
  ChannelList list;
  EXPECT_EQ(channel_lines(list, {}), (Lines{"0 channels, 0 gateways answered"}));
  add(list, reply({}, true));
  EXPECT_EQ(channel_lines(list, {}),
            (Lines{"0 channels, 1 gateway answered; not all channels are here"}));
  EXPECT_EQ(Json::parse(channels_json(list))["complete"], false);
}

TEST(ChannelViews, NothingReachesATerminalRaw) {
  ChannelList list;
  add(list, reply({{"\x1b[31mred", 1}}));
  for (const std::string& line : channel_lines(list, {}))
    EXPECT_EQ(line.find('\x1b'), std::string::npos);
  EXPECT_EQ(channels_json(list).find('\x1b'), std::string::npos);
  PresenceList presence;
  presence.clients = {{"\x1b", "\x07", "\x1b", "\x1b"}};
  for (const std::string& line : presence_lines(presence, {}))
    EXPECT_EQ(line.find_first_of("\x1b\x07"), std::string::npos);
  HistoryList history;
  history.publications.push_back({1, "\x1b", {}});
  for (const std::string& line : history_lines(history, {}))
    EXPECT_EQ(line.find('\x1b'), std::string::npos);
}

TEST(ChannelViews, Presence) {
  envelope::Client told;
  told.set_user("42");
  told.set_conn_info(R"({"name":"x"})");
  told.set_chan_info("\xff");
  const std::string info = told.SerializeAsString();
  PresenceList list;
  list.clients = {
      present_client({.request = 1, .client = "c1", .info = proto::as_bytes(info)}),
      present_client({.request = 1, .client = "c2", .info = proto::as_bytes("\xff\xff")})};
  list.client_count = 2;
  list.user_count = 1;
  EXPECT_EQ(
      presence_lines(list, {}),
      (Lines{R"(CLIENT  USER  INFO          CHANNEL INFO)", R"(c1      42    {"name":"x"}  \xff)",
             R"(c2      -                   )", "2 clients, 1 user"}));
  EXPECT_EQ(Json::parse(presence_json("a", list)), Json::parse(R"({"channel":"a","num_clients":2,
      "num_users":1,"clients":[{"client":"c1","user":"42","conn_info":{"name":"x"},
      "chan_info_base64":"/w=="},{"client":"c2","user":""}]})"));
}

TEST(ChannelViews, History) {
  envelope::MessageMeta meta;
  meta.set_time_ms(1700000000123);
  meta.mutable_publisher()->set_user("42");
  meta.mutable_publisher()->set_client("c");
  (*meta.mutable_tags())["k"] = "v";
  const std::string bytes = meta.SerializeAsString();
  HistoryList list;
  list.publications = {
      publication_of({.request = 1,
                      .offset = 7,
                      .payload = proto::as_bytes(R"({"a":1})"),
                      .meta = proto::as_bytes(bytes)}),
      publication_of({.request = 1, .offset = 8, .payload = proto::as_bytes("hello"), .meta = {}})};
  list.top = {0xab, 8};
  EXPECT_EQ(history_lines(list, {}),
            (Lines{"OFFSET  TIME                  USER  DATA",
                   R"(     7  2023-11-14T22:13:20Z  42    {"a":1})",
                   "     8  -                     -     hello",
                   "2 publications, the channel is at 00000000000000ab:8"}));
  EXPECT_EQ(Json::parse(history_json("a", list)), Json::parse(R"({"channel":"a",
      "epoch":"00000000000000ab","offset":8,"publications":[
      {"offset":7,"time":1700000000123,"publisher":{"user":"42","client":"c"},"tags":{"k":"v"},
       "data":{"a":1}},{"offset":8,"data":"hello"}]})"));
}

TEST(ChannelViews, AHistoryWithoutAPosition) {
  EXPECT_EQ(history_lines({}, {}), (Lines{"0 publications, no position yet"}));
  EXPECT_EQ(Json::parse(history_json("a", {}))["epoch"], "");
}

TEST(ChannelViews, LongPayloadsAreCutOnATerminal) {
  HistoryList list;
  list.publications.push_back({1, "abcdef", {}});
  EXPECT_EQ(history_lines(list, {.text_bytes_max = 3})[1], "     1  -     -     abc…");
}

}  // namespace
}  // namespace sluice::ctl
