#include "relay/api/params.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "common/base64.h"

namespace sluice::relay::api {
namespace {

using Json = nlohmann::json;

std::string unquoted(std::string_view raw) {
  const Json json = Json::parse(raw, nullptr, false);
  return json.is_string() ? json.get<std::string>() : std::string();
}

template <typename T>
std::optional<T> number_of(std::string_view raw) {
  T value{};
  const auto [end, error] = std::from_chars(raw.data(), raw.data() + raw.size(), value);
  if (error != std::errc() || end != raw.data() + raw.size()) return std::nullopt;
  return value;
}

bool same_name_twice(const std::vector<std::pair<std::string, std::string_view>>& members) {
  std::vector<std::string_view> names;
  names.reserve(members.size());
  for (const auto& [name, value] : members) names.push_back(name);
  std::sort(names.begin(), names.end());
  return std::adjacent_find(names.begin(), names.end()) != names.end();
}

}  // namespace

Params Params::parse(std::string_view json) {
  Params params;
  if (!Json::accept(json)) {
    params.fail("not JSON");
    return params;
  }
  const std::string_view text = trim_json(json);
  if (text.front() != '{') {
    params.fail("not a JSON object");
    return params;
  }
  for (const RawMember& member : raw_members(text))
    params.members_.emplace_back(unquoted(member.key), member.value);
  if (same_name_twice(params.members_)) params.fail("a name stands twice");
  return params;
}

void Params::fail(std::string detail) {
  if (!fault_) fault_ = ApiError{ErrorNumber::kBadRequest, std::move(detail)};
}

void Params::fail_with(const Params& part) {
  if (!part.good() && !fault_) fault_ = part.fault();
}

const std::string_view* Params::find(std::string_view name) const {
  if (fault_) return nullptr;
  const auto found = std::find_if(members_.begin(), members_.end(),
                                  [name](const auto& member) { return member.first == name; });
  return found == members_.end() || found->second == "null" ? nullptr : &found->second;
}

std::string Params::string_of(std::string_view name, std::string_view raw, std::size_t bytes_max) {
  if (raw.front() != '"') {
    fail(std::string(name) + " is no string");
    return {};
  }
  std::string value = unquoted(raw);
  if (value.size() > bytes_max) {
    fail(std::string(name) + " has more than " + std::to_string(bytes_max) + " bytes");
    return {};
  }
  return value;
}

std::string Params::text(std::string_view name, std::size_t bytes_max) {
  const std::string_view* raw = find(name);
  return raw == nullptr ? std::string() : string_of(name, *raw, bytes_max);
}

std::string Params::required_text(std::string_view name, std::size_t bytes_max) {
  std::string value = text(name, bytes_max);
  if (value.empty()) fail(std::string(name) + " is missing");
  return value;
}

bool Params::flag(std::string_view name) {
  const std::string_view* raw = find(name);
  if (raw == nullptr) return false;
  if (*raw != "true" && *raw != "false") fail(std::string(name) + " is neither true nor false");
  return *raw == "true";
}

std::optional<std::int64_t> Params::integer(std::string_view name, std::int64_t low,
                                            std::int64_t high) {
  const std::string_view* raw = find(name);
  if (raw == nullptr) return std::nullopt;
  const auto value = number_of<std::int64_t>(*raw);
  if (value && *value >= low && *value <= high) return value;
  fail(std::string(name) + " is no whole number from " + std::to_string(low) + " to " +
       std::to_string(high));
  return std::nullopt;
}

std::optional<std::uint64_t> Params::unsigned_integer(std::string_view name) {
  const std::string_view* raw = find(name);
  if (raw == nullptr) return std::nullopt;
  const auto value = number_of<std::uint64_t>(*raw);
  if (!value) fail(std::string(name) + " is no whole number from 0 on");
  return value;
}

std::string Params::bytes_of_base64(const std::string& name, std::string_view raw,
                                    std::size_t bytes_max) {
  const std::string text = string_of(name, raw, (bytes_max + 2) / 3 * 4);
  auto decoded = decode_base64(text);
  if (good() && !decoded) fail(name + " is not Base64");
  return decoded ? *std::move(decoded) : std::string();
}

std::optional<std::string> Params::bytes(std::string_view name, std::size_t bytes_max) {
  const std::string base64_name = "b64" + std::string(name);
  const std::string_view* raw = find(name);
  const std::string_view* base64 = find(base64_name);
  if (raw != nullptr && base64 != nullptr) {
    fail("both " + std::string(name) + " and " + base64_name);
    return std::nullopt;
  }
  if (raw == nullptr && base64 == nullptr) return std::nullopt;
  std::string value =
      raw != nullptr ? std::string(*raw) : bytes_of_base64(base64_name, *base64, bytes_max);
  if (value.size() > bytes_max)
    fail(std::string(name) + " has more than " + std::to_string(bytes_max) + " bytes");
  if (!good()) return std::nullopt;
  return value;
}

std::vector<std::string_view> Params::elements(std::string_view name, std::size_t count_max) {
  const std::string_view* raw = find(name);
  if (raw == nullptr) return {};
  if (raw->front() != '[') {
    fail(std::string(name) + " is no array");
    return {};
  }
  std::vector<std::string_view> found = raw_elements(*raw);
  if (found.size() > count_max) {
    fail(std::string(name) + " has more than " + std::to_string(count_max) + " elements");
    return {};
  }
  return found;
}

std::vector<std::string> Params::texts(std::string_view name, std::size_t count_max,
                                       std::size_t bytes_max) {
  std::vector<std::string> found;
  for (const std::string_view element : elements(name, count_max))
    found.push_back(string_of(name, element, bytes_max));
  return found;
}

std::optional<Params> Params::object(std::string_view name) {
  const std::string_view* raw = find(name);
  if (raw == nullptr) return std::nullopt;
  Params part = parse(*raw);
  if (!part.good()) {
    fail(std::string(name) + ": " + part.fault().detail);
    return std::nullopt;
  }
  return part;
}

std::vector<std::pair<std::string, std::string>> Params::text_map(std::string_view name,
                                                                  std::size_t count_max) {
  std::vector<std::pair<std::string, std::string>> found;
  std::optional<Params> part = object(name);
  if (!part) return found;
  if (part->members().size() > count_max)
    fail(std::string(name) + " has more than " + std::to_string(count_max) + " members");
  for (const auto& [key, value] : part->members())
    found.emplace_back(key, string_of(name, value, SIZE_MAX));
  return found;
}

}  // namespace sluice::relay::api
