#include "common/rules/rules.h"

namespace sluice {

Rules Rules::open_access() {
  Rules rules;
  rules.open_access_ = true;
  rules.has_default_ = true;
  rules.connection_.anonymous = true;
  return rules;
}

const ChannelRules* Rules::find(std::string_view) const {
  const auto found = namespaces_.find("");
  return found == namespaces_.end() ? nullptr : &found->second;
}

}  // namespace sluice
