#include "gateway/haproxy_reply.h"

#include <gtest/gtest.h>

#include "tests/unit/gateway/haproxy_replies.h"

namespace sluice::gateway {
namespace {

using namespace replies;

TEST(HaproxyReply, FindsAServerInTheTable) {
  const auto found = find_server(kTable, "i1");
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->id, 1073741824U);
  EXPECT_EQ((*found)->address, "127.0.0.1");
  EXPECT_EQ((*found)->port, 19010);
  EXPECT_EQ((*found)->operational, kServerStopped);
  EXPECT_EQ((*found)->admin, kAdminMaintenance);
  EXPECT_EQ((*found)->check & kCheckEnabled, 0U);
  const auto up = find_server(kTable, "5555");
  ASSERT_TRUE(up && *up);
  EXPECT_EQ((*up)->operational, kServerRunning);
  EXPECT_EQ((*up)->check & kCheckEnabled, kCheckEnabled);
  const auto unresolved = find_server(kTable, "bad");
  ASSERT_TRUE(unresolved && *unresolved);
  EXPECT_EQ((*unresolved)->address, "-");
}

TEST(HaproxyReply, AbsentIsNoFault) {
  const auto found = find_server(kTable, "nobody");
  ASSERT_TRUE(found);
  EXPECT_FALSE(*found);
  const auto empty = find_server(kEmptyTable, "5555");
  ASSERT_TRUE(empty);
  EXPECT_FALSE(*empty);
}

// A server that is not in what came may be in what did not.
TEST(HaproxyReply, CutShortAnywhereIsAFault) {
  const std::string_view whole = kTable;
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(find_server(whole.substr(0, size), "nobody")) << size;
}

TEST(HaproxyReply, ColumnsAreFoundByName) {
  const auto found = find_server(
      "2\n# srv_name new srv_check_state srv_port srv_admin_state srv_op_state srv_addr srv_id\n"
      "5555 x 6 80 8 2 ::1 7\n\n",
      "5555");
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->id, 7U);
  EXPECT_EQ((*found)->address, "::1");
  EXPECT_EQ((*found)->admin, kAdminDrain);
}

TEST(HaproxyReply, OddTablesAreFaults) {
  EXPECT_FALSE(find_server("1\n# srv_name srv_id\n5555 1\n\n", "5555"));
  EXPECT_FALSE(find_server(
      std::string(kEmptyTable.substr(0, kEmptyTable.size() - 1)) + "3 gateways 1 5555\n\n",
      "5555"));
  std::string bad(kTable);
  bad.replace(bad.find("1073741824"), 10, "4294967296");
  EXPECT_FALSE(find_server(bad, "i1"));
  EXPECT_TRUE(find_server(bad, "5555"));
  EXPECT_FALSE(find_server("", "5555"));
  EXPECT_FALSE(find_server("\n\n", "5555"));
  EXPECT_FALSE(find_server(kNoBackendLook, "5555"));
}

TEST(HaproxyReply, WordsAreNoTable) {
  EXPECT_TRUE(is_server_table(kTable));
  EXPECT_TRUE(is_server_table(kEmptyTable));
  EXPECT_TRUE(is_server_table("1\n"));
  for (const std::string_view words : {kNoBackendLook, kPermission, kUnknownCommand, kYes})
    EXPECT_FALSE(is_server_table(words)) << words;
}

TEST(HaproxyReply, RefusalsHaveAReason) {
  EXPECT_EQ(judge_refusal(kPermission), HaproxyRefusal::kPermission);
  EXPECT_EQ(judge_refusal(kNoBackendLook), HaproxyRefusal::kNoBackend);
  EXPECT_EQ(judge_refusal(kNoBackendAdd), HaproxyRefusal::kNoBackend);
  EXPECT_EQ(judge_refusal(kStaticRr), HaproxyRefusal::kStaticBalance);
  EXPECT_EQ(judge_refusal(kTaken), HaproxyRefusal::kNameTaken);
  EXPECT_EQ(judge_refusal(kSessionsLeft), HaproxyRefusal::kSessions);
  EXPECT_EQ(judge_refusal("'cookie' option is not accepted for dynamic server"),
            HaproxyRefusal::kParameters);
  EXPECT_EQ(judge_refusal("unknown keyword 'frob'."), HaproxyRefusal::kParameters);
  EXPECT_EQ(judge_refusal("'id' : custom id 7 already used at (null):0 ('server i1')."),
            HaproxyRefusal::kOther);
  EXPECT_EQ(judge_refusal(kUnknownCommand), HaproxyRefusal::kOther);
  EXPECT_EQ(judge_refusal(""), HaproxyRefusal::kOther);
}

TEST(HaproxyReply, WordsForALog) {
  EXPECT_EQ(said_first(kYes), "");
  EXPECT_EQ(said_last("\n\n\n"), "");
  EXPECT_EQ(said_first(kUnknownCommand),
            "Unknown command, but maybe one of the following ones is a better match:");
  EXPECT_EQ(said_last("\n\n\nServer deleted.\n"), "Server deleted.");
  EXPECT_EQ(said_last("\n\nServer still has connections attached to it, cannot remove it.\r\n\n"),
            "Server still has connections attached to it, cannot remove it.");
  EXPECT_EQ(said_first("\x1b[31mred\n"), "?[31mred");
  EXPECT_EQ(said_first(std::string(5000, 'x')), std::string(200, 'x') + " ...");
}

}  // namespace
}  // namespace sluice::gateway
