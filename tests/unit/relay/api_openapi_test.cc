// docs/openapi.yaml and the program say the same: which methods there are, what each must be given,
// of which type each parameter is.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "relay/api/api_service.h"
#include "tests/unit/relay/api_fakes.h"

namespace sluice::relay::api {
namespace {

using Json = nlohmann::json;

struct Line {
  std::size_t indent = 0;
  std::string text;
};

/// As much of YAML as the file has: maps by indentation, "- " lists of maps, [a, b], one-line
/// texts.
class PlainYaml {
 public:
  explicit PlainYaml(std::istream& in) {
    for (std::string line; std::getline(in, line);) {
      const std::size_t indent = line.find_first_not_of(' ');
      if (indent == std::string::npos || line[indent] == '#') continue;
      lines_.push_back({indent, line.substr(indent)});
    }
  }
  Json read() {
    Json json = block(0);
    EXPECT_EQ(at_, lines_.size()) << "can't be read: "
                                  << (at_ < lines_.size() ? lines_[at_].text : "");
    return json;
  }

 private:
  static std::string unquoted(const std::string& text) {
    const bool quoted = text.size() > 1 && text.front() == '"' && text.back() == '"';
    return quoted ? text.substr(1, text.size() - 2) : text;
  }
  static Json scalar(const std::string& text) {
    if (text.front() != '[') return unquoted(text);
    Json list = Json::array();
    std::istringstream words(text.substr(1, text.size() - 2));
    for (std::string word; std::getline(words, word, ',');)
      list.push_back(word.substr(word.find_first_not_of(' ')));
    return list;
  }
  Json block(std::size_t indent) {
    Json json;
    while (at_ < lines_.size() && lines_[at_].indent == indent) {
      if (lines_[at_].text.rfind("- ", 0) == 0) {
        lines_[at_].text.erase(0, 2);
        lines_[at_].indent += 2;
        json.push_back(block(indent + 2));
        continue;
      }
      const std::string text = lines_[at_++].text;
      const std::size_t colon = text.front() == '"' ? text.find("\":") + 1 : text.find(':');
      const std::string key = unquoted(text.substr(0, colon));
      EXPECT_FALSE(json.contains(key)) << key << " stands twice";
      if (colon + 1 < text.size()) {
        json[key] = scalar(text.substr(colon + 2));
      } else {
        json[key] =
            at_ < lines_.size() && lines_[at_].indent > indent ? block(lines_[at_].indent) : Json();
      }
    }
    return json;
  }

  std::vector<Line> lines_;
  std::size_t at_ = 0;
};

Json document() {
  std::ifstream in(std::string(SLUICE_SOURCE_DIR) + "/docs/openapi.yaml");
  EXPECT_TRUE(in.good());
  return PlainYaml(in).read();
}

class OpenApi : public ::testing::Test {
 protected:
  const Json& resolve(const std::string& reference) {
    const std::string pointer = reference.substr(1);
    EXPECT_TRUE(document_.contains(Json::json_pointer(pointer))) << reference;
    return document_.at(Json::json_pointer(pointer));
  }
  const Json& request_schema(std::string_view method) {
    const Json& post = document_["paths"]["/api/" + std::string(method)]["post"];
    return resolve(post["requestBody"]["content"]["application/json"]["schema"]["$ref"]);
  }
  /// A value of that type that every method takes.
  static Json good_value(const std::string& name, const Json& schema) {
    if (name == "commands") return Json::array({{{"info", Json::object()}}});
    if (name == "channels") return Json::array({"a"});
    if (name == "code") return 4000;
    const std::string type = schema.value("type", schema.contains("$ref") ? "object" : "any");
    if (type == "string") return name.rfind("b64", 0) == 0 ? "YQ==" : "a";
    if (type == "integer") return 1;
    if (type == "boolean") return true;
    if (type == "array") return Json::array();
    return Json::object();
  }
  ErrorNumber outcome(std::string_view method, const Json& params) {
    auto number = ErrorNumber::kUnauthorized;
    service_.call(*method_named(method), params.dump(),
                  [&number](const ApiReply& reply) { number = reply.error.number; });
    return number;
  }
  Json all_required(const Json& schema) {
    Json params = Json::object();
    for (const Json& name : schema.value("required", Json::array()))
      params[name.get<std::string>()] =
          good_value(name, schema["properties"][name.get<std::string>()]);
    return params;
  }

  static Rules rules() {
    ChannelRules all;
    all.history_size = 1;
    all.presence_on = true;
    return Rules::of({}, {{"", all}});
  }

  Json document_ = document();
  ManualTime time_;
  SeededRandom random_{1};
  test::FakeRequests requests_;
  Cluster cluster_{requests_, time_, random_, [] {
                     envelope::NodeInfo info;
                     info.set_uid("me");
                     return info;
                   }};
  RulesStore rules_{rules()};
  ApiService service_{requests_, cluster_, &rules_, time_, [] { return 0; }};
};

TEST_F(OpenApi, HasEveryMethodAndNoOther) {
  std::vector<std::string> documented;
  for (const auto& [path, item] : document_["paths"].items()) {
    documented.push_back(path);
    EXPECT_EQ("/api/" + item["post"]["operationId"].get<std::string>(), path);
  }
  std::vector<std::string> known;
  for (const std::string_view name : kMethodNames) known.push_back("/api/" + std::string(name));
  std::sort(known.begin(), known.end());
  EXPECT_EQ(documented, known);
}

TEST_F(OpenApi, EveryReferenceLeadsSomewhere) {
  std::size_t found = 0;
  const Json flat = document_.flatten();
  for (const auto& [pointer, value] : flat.items()) {
    if (!pointer.ends_with("/$ref")) continue;
    (void)resolve(value);
    ++found;
  }
  EXPECT_GT(found, 50U);
}

TEST_F(OpenApi, WhatIsRequiredIsEnoughAndNeeded) {
  time_.advance(std::chrono::seconds(10));
  for (const std::string_view method : kMethodNames) {
    const Json& schema = request_schema(method);
    const Json whole = all_required(schema);
    EXPECT_EQ(outcome(method, whole), ErrorNumber::kNone) << method << whole;
    for (const auto& [name, value] : whole.items()) {
      Json part = whole;
      part.erase(name);
      EXPECT_EQ(outcome(method, part), ErrorNumber::kBadRequest) << method << " without " << name;
    }
  }
}

TEST_F(OpenApi, EachParameterIsTakenAndItsTypeChecked) {
  time_.advance(std::chrono::seconds(10));
  for (const std::string_view method : kMethodNames) {
    const Json& schema = request_schema(method);
    const Json properties = schema.value("properties", Json::object());
    for (const auto& [name, property] : properties.items()) {
      Json params = all_required(schema);
      // The two ways to give bytes exclude each other.
      if (name.rfind("b64", 0) == 0) params.erase(name.substr(3));
      params[name] = good_value(name, property);
      EXPECT_EQ(outcome(method, params), ErrorNumber::kNone) << method << params;
      const bool anything = !property.contains("type") && !property.contains("$ref");
      if (anything) continue;
      params[name] = 1.5;
      EXPECT_EQ(outcome(method, params), ErrorNumber::kBadRequest) << method << params;
    }
  }
}

}  // namespace
}  // namespace sluice::relay::api
