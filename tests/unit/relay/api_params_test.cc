#include "relay/api/params.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "relay/api/raw_json.h"

namespace sluice::relay::api {
namespace {

TEST(ApiRawJson, LeavesEachValueAsItWasWritten) {
  const std::string text =
      " { \"a\" : {\"x\":[1, 2],\"}\":\"]\"} , \"b\\\"\":\"q\\\\\\\"}\" ,\"c\":1e300,\n\"d\":[ ] , "
      "\"e\":123456789012345678901234567890, \"f\":null,\"g\":true} ";
  ASSERT_TRUE(nlohmann::json::accept(text));
  const auto members = raw_members(text);
  ASSERT_EQ(members.size(), 7U);
  EXPECT_EQ(members[0].key, "\"a\"");
  EXPECT_EQ(members[0].value, R"({"x":[1, 2],"}":"]"})");
  EXPECT_EQ(members[1].key, "\"b\\\"\"");
  EXPECT_EQ(members[1].value, "\"q\\\\\\\"}\"");
  EXPECT_EQ(members[2].value, "1e300");
  EXPECT_EQ(members[3].value, "[ ]");
  EXPECT_EQ(members[4].value, "123456789012345678901234567890");
  EXPECT_EQ(members[5].value, "null");
  EXPECT_EQ(members[6].value, "true");
  EXPECT_TRUE(raw_members("{}").empty());
  EXPECT_TRUE(raw_members(" { } ").empty());
}

TEST(ApiRawJson, Elements) {
  EXPECT_TRUE(raw_elements("[]").empty());
  EXPECT_TRUE(raw_elements(" [ ] ").empty());
  const auto elements = raw_elements("[1, \"a,b\" ,[2,[3]],{\"x\":[]}\n]");
  ASSERT_EQ(elements.size(), 4U);
  EXPECT_EQ(elements[0], "1");
  EXPECT_EQ(elements[1], "\"a,b\"");
  EXPECT_EQ(elements[2], "[2,[3]]");
  EXPECT_EQ(elements[3], "{\"x\":[]}");
}

TEST(ApiParams, TakesWhatIsThere) {
  Params params = Params::parse(
      R"({"t":"a\u00e9","f":true,"n":-5,"u":18446744073709551615,"d": {"x": 1} ,"l":["a","b"],"m":{"k":"v"},"z":null})");
  EXPECT_EQ(params.text("t", 10), "a\xc3\xa9");
  EXPECT_TRUE(params.flag("f"));
  EXPECT_EQ(params.integer("n", -10, 10), -5);
  EXPECT_EQ(params.unsigned_integer("u"), UINT64_MAX);
  EXPECT_EQ(params.bytes("d", 100), R"({"x": 1})");
  EXPECT_EQ(params.texts("l", 2, 1), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(params.text_map("m", 1).front().second, "v");
  EXPECT_FALSE(params.has("z"));
  EXPECT_EQ(params.text("z", 1), "");
  EXPECT_FALSE(params.flag("absent"));
  EXPECT_FALSE(params.integer("absent", 0, 1));
  EXPECT_FALSE(params.bytes("absent", 1));
  EXPECT_TRUE(params.good()) << params.fault().detail;
}

TEST(ApiParams, WhatIsNoObjectIsRefused) {
  for (const char* json : {"", " ", "{", "[]", "1", "\"a\"", "null", "{\"a\":1}x", "{'a':1}",
                           "{\"a\":\"\xff\"}", "{\"a\":1,\"a\":2}", "{\"a\":1,\"\\u0061\":2}"}) {
    EXPECT_FALSE(Params::parse(json).good()) << json;
  }
}

TEST(ApiParams, DeepNestingIsNoTrouble) {
  const std::string deep(500000, '[');
  EXPECT_FALSE(Params::parse("{\"data\":" + deep).good());
  const std::string closed = "{\"data\":" + deep + std::string(500000, ']') + "}";
  Params params = Params::parse(closed);
  EXPECT_EQ(params.bytes("data", 1U << 20U)->size(), 1000000U);
}

TEST(ApiParams, WrongTypesAndBoundsAreFaults) {
  const auto fault = [](const char* json, auto ask) {
    Params params = Params::parse(json);
    EXPECT_TRUE(params.good());
    ask(params);
    EXPECT_FALSE(params.good()) << json;
  };
  fault(R"({"a":1})", [](Params& p) { (void)p.text("a", 9); });
  fault(R"({"a":"12345"})", [](Params& p) { (void)p.text("a", 4); });
  fault(R"({})", [](Params& p) { (void)p.required_text("a", 4); });
  fault(R"({"a":""})", [](Params& p) { (void)p.required_text("a", 4); });
  fault(R"({"a":1})", [](Params& p) { (void)p.flag("a"); });
  fault(R"({"a":1.5})", [](Params& p) { (void)p.integer("a", 0, 9); });
  fault(R"({"a":10})", [](Params& p) { (void)p.integer("a", 0, 9); });
  fault(R"({"a":-1})", [](Params& p) { (void)p.unsigned_integer("a"); });
  fault(R"({"a":18446744073709551616})", [](Params& p) { (void)p.unsigned_integer("a"); });
  fault(R"({"a":[123]})", [](Params& p) { (void)p.bytes("a", 4); });
  fault(R"({"a":1,"b64a":"YQ=="})", [](Params& p) { (void)p.bytes("a", 4); });
  fault(R"({"b64a":"YQ="})", [](Params& p) { (void)p.bytes("a", 4); });
  fault(R"({"b64a":"YWFhYWE="})", [](Params& p) { (void)p.bytes("a", 4); });
  fault(R"({"b64a":7})", [](Params& p) { (void)p.bytes("a", 4); });
  fault(R"({"a":"x"})", [](Params& p) { (void)p.texts("a", 1, 1); });
  fault(R"({"a":["x","y"]})", [](Params& p) { (void)p.texts("a", 1, 1); });
  fault(R"({"a":["x",1]})", [](Params& p) { (void)p.texts("a", 9, 1); });
  fault(R"({"a":[]})", [](Params& p) { (void)p.object("a"); });
  fault(R"({"a":{"k":1}})", [](Params& p) { (void)p.text_map("a", 1); });
  fault(R"({"a":{"k":"1","l":"2"}})", [](Params& p) { (void)p.text_map("a", 1); });
}

TEST(ApiParams, TheFirstFaultStays) {
  Params params = Params::parse(R"({"a":1,"b":"x"})");
  EXPECT_EQ(params.text("a", 9), "");
  EXPECT_EQ(params.text("b", 9), "") << "absent from then on";
  EXPECT_EQ(params.fault().detail, "a is no string");
}

}  // namespace
}  // namespace sluice::relay::api
