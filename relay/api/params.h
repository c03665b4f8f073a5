// The parameters of one request as they are asked for by name. The first fault sticks, and from
// then on everything is absent: so a reader asks for all it wants and looks for a fault once. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "relay/api/api_error.h"
#include "relay/api/raw_json.h"

namespace sluice::relay::api {

class Params {
 public:
  /// Of one JSON object; `json` outlives this.
  [[nodiscard]] static Params parse(std::string_view json);

  [[nodiscard]] bool good() const { return !fault_; }
  [[nodiscard]] const ApiError& fault() const { return *fault_; }
  void fail(std::string detail);
  /// Takes over what was wrong with a part.
  void fail_with(const Params& part);

  /// There, and not null.
  [[nodiscard]] bool has(std::string_view name) const { return find(name) != nullptr; }
  /// Empty: absent.
  [[nodiscard]] std::string text(std::string_view name, std::size_t bytes_max);
  [[nodiscard]] std::string required_text(std::string_view name, std::size_t bytes_max);
  [[nodiscard]] bool flag(std::string_view name);
  [[nodiscard]] std::optional<std::int64_t> integer(std::string_view name, std::int64_t low,
                                                    std::int64_t high);
  [[nodiscard]] std::optional<std::uint64_t> unsigned_integer(std::string_view name);
  /// The JSON text of `name` as it stands, or the bytes that "b64" + `name` stands for.
  [[nodiscard]] std::optional<std::string> bytes(std::string_view name, std::size_t bytes_max);
  [[nodiscard]] std::vector<std::string> texts(std::string_view name, std::size_t count_max,
                                               std::size_t bytes_max);
  /// An object of strings.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> text_map(std::string_view name,
                                                                          std::size_t count_max);
  [[nodiscard]] std::vector<std::string_view> elements(std::string_view name,
                                                       std::size_t count_max);
  /// Nothing: absent, or no object. Its own faults are to be taken over.
  [[nodiscard]] std::optional<Params> object(std::string_view name);
  [[nodiscard]] const std::vector<std::pair<std::string, std::string_view>>& members() const {
    return members_;
  }

 private:
  [[nodiscard]] const std::string_view* find(std::string_view name) const;
  [[nodiscard]] std::string string_of(std::string_view name, std::string_view raw,
                                      std::size_t bytes_max);
  [[nodiscard]] std::string bytes_of_base64(const std::string& name, std::string_view raw,
                                            std::size_t bytes_max);

  std::vector<std::pair<std::string, std::string_view>> members_;
  std::optional<ApiError> fault_;
};

}  // namespace sluice::relay::api
