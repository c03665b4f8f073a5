#include "gateway/protocols/json_content.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace sluice::gateway {
namespace {

JsonContent content(std::string_view text) {
  return json_content(proto::as_bytes(text));
}

std::string embedded(std::string_view text) {
  std::string out = "[";
  append_json_value(out, proto::as_bytes(text));
  return out + "]";
}

TEST(JsonContent, IsTheGrammarOfRfc8259) {
  for (const char* value :
       {"0",
        "-0",
        "-0.0e-0",
        "1.5E+10",
        "123456789012345678901234567890",
        "1e999",
        "true",
        "false",
        "null",
        "\"\"",
        R"("\"\\\/\b\f\n\r\t\u00e9")",
        R"("\ud83d")",
        "\"ünï😀\"",
        "{}",
        "[]",
        "[[],{}]",
        R"({"a":[1,2,{"b":null}],"":0,"a":1})",
        " \t[ 1 , 2 ] \t",
        R"( {"a" : "b"} )",
        "\"a long text without anything special in it, more than eight bytes\""})
    EXPECT_EQ(content(value), JsonContent::kValue) << value;
  for (const char* text :
       {"",         " ",        "hello",      "01",    "1.",    ".5",        "+1",
        "-",        "1e",       "1e+",        "0x1",   "1 2",   "tru",       "truee",
        "nul",      "True",     "\"",         "\"a",   "\"\\",  "\"\\x\"",   "\"\\u12g4\"",
        "\"\\u123", "\"\t\"",   "\"a\nb\"",   "{",     "}",     "[",         "]",
        "[1",       "[1,",      "[1,]",       "[,1]",  "[1 2]", "[1}",       "{]",
        "{\"a\"}",  "{\"a\":}", "{\"a\":1,}", "{a:1}", "{1:1}", "{\"a\" 1}", "{\"a\":1 \"b\":2}",
        "[]]",      "{}{}",     "{},",        "NaN",   "'a'",   "/**/1",     "\xEF\xBB\xBF{}",
        "\x0B{}"})
    EXPECT_EQ(content(text), JsonContent::kText) << text;
}

TEST(JsonContent, TellsLineBreaksAndBytes) {
  EXPECT_EQ(content("[1,\n2]"), JsonContent::kBrokenLines);
  EXPECT_EQ(content("\r{}"), JsonContent::kBrokenLines);
  EXPECT_EQ(content("{}\n"), JsonContent::kBrokenLines);
  EXPECT_EQ(content("\xFF"), JsonContent::kBytes);
  EXPECT_EQ(content("\"\xC3\""), JsonContent::kBytes);
  EXPECT_EQ(content(std::string_view("\0", 1)), JsonContent::kText);
}

TEST(JsonContent, EverySpecialByteIsFoundWhereverItIs) {
  for (std::size_t length = 0; length < 40; ++length) {
    const std::string plain(length, 'x');
    EXPECT_EQ(content("\"" + plain + "\""), JsonContent::kValue);
    for (std::size_t at = 0; at < length; ++at) {
      for (const char special : {'\x01', '\x1F', '\0', '"', '\\'}) {
        std::string text = plain;
        text[at] = special;
        EXPECT_NE(content("\"" + text + "\""), JsonContent::kValue) << length << " " << at;
      }
      std::string text = plain;
      text[at] = '\x7F';  // allowed, like all that is above a space
      EXPECT_EQ(content("\"" + text + "\""), JsonContent::kValue);
    }
  }
}

TEST(JsonContent, IsBoundedInDepth) {
  const auto nested = [](std::size_t depth) {
    std::string text;
    for (std::size_t i = 0; i < depth; ++i) text += i % 2 == 0 ? "[" : "{\"a\":";
    text += "1";
    for (std::size_t i = depth; i > 0; --i) text += i % 2 == 1 ? "]" : "}";
    return text;
  };
  EXPECT_EQ(content(nested(kJsonDepthMax)), JsonContent::kValue);
  EXPECT_EQ(content(nested(kJsonDepthMax + 1)), JsonContent::kText);
  EXPECT_EQ(content(std::string(1 << 20, '[')), JsonContent::kText);
}

TEST(JsonContent, IsEmbeddedAsWhatItIs) {
  EXPECT_EQ(embedded("{\"a\": 1.10}"), "[{\"a\": 1.10}]");
  EXPECT_EQ(embedded("{\r\n\"a\":\n[1,\n2]}\n"), "[{\"a\":[1,2]}]");
  EXPECT_EQ(embedded("hello"), "[\"hello\"]");
  EXPECT_EQ(embedded(""), "[\"\"]");
  EXPECT_EQ(embedded("say \"hi\"\n\\ü\x01"), R"(["say \"hi\"\n\\ü\u0001"])");
  EXPECT_EQ(embedded(std::string_view("\xFF", 1)), R"([{"b64data":"/w=="}])");
  EXPECT_EQ(embedded(std::string_view("\xFF\x00", 2)), R"([{"b64data":"/wA="}])");
  EXPECT_EQ(embedded(std::string_view("\xFF\x00\x10", 3)), R"([{"b64data":"/wAQ"}])");
}

TEST(JsonContent, AStringIsAlwaysOne) {
  for (const std::string_view text : {"", "plain", "ünï", "\"", "\\", "a\nb", "\xFF\xC3", "\x01"}) {
    std::string out;
    append_json_string(out, text);
    EXPECT_TRUE(nlohmann::json::accept(out)) << out;
    if (content(text) == JsonContent::kBytes) continue;
    EXPECT_EQ(nlohmann::json::parse(out), text);
  }
}

}  // namespace
}  // namespace sluice::gateway
