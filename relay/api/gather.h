// Waits for the outcomes of many requests and keeps them in the requests' order. Pure.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace sluice::relay::api {

class Gather {
 public:
  /// `done` comes with the last of so many texts; with none it never comes.
  Gather(std::size_t count, std::function<void(std::vector<std::string>)> done)
      : missing_(count), texts_(count), done_(std::move(done)) {}

  void set(std::size_t index, std::string text) {
    texts_[index] = std::move(text);
    if (--missing_ == 0) done_(std::move(texts_));
  }

 private:
  std::size_t missing_;
  std::vector<std::string> texts_;
  std::function<void(std::vector<std::string>)> done_;
};

/// "[a,b,…]"
[[nodiscard]] inline std::string json_array(const std::vector<std::string>& texts) {
  std::string out = "[";
  for (const std::string& text : texts) {
    if (out.size() > 1) out += ",";
    out += text;
  }
  return out + "]";
}

}  // namespace sluice::relay::api
