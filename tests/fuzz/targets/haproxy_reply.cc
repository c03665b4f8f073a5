// What HAProxy's stats socket answers (gateway/haproxy_reply), and a registration that lives on
// such answers (gateway/runtime_registration). Promises:
//  - a table that is cut short is never read as one without our server;
//  - words for a log are one printable line of bounded length;
//  - whatever is answered, every command is one line that names our server or backend and no other,
//    nothing is deleted that the table has not shown to be made by us, and leaving ends in time.
#include <string>
#include <vector>

#include "common/check.h"
#include "gateway/haproxy_reply.h"
#include "gateway/limits.h"
#include "gateway/runtime_registration.h"
#include "tests/fuzz/input.h"

namespace sluice::gateway {
namespace {

constexpr std::size_t kWordsMax = 204;  ///< 200 and " ..."
constexpr int kCommandsMax = 400;

void check_words(const std::string& words) {
  CHECK(words.size() <= kWordsMax);
  for (const char c : words) CHECK(c >= ' ' && c <= '~');
}

void check_table(std::string_view reply) {
  const auto found = find_server(reply, "5555");
  if (!found) return;
  CHECK(is_server_table(reply) && reply.ends_with("\n\n"));
  if (*found) CHECK(reply.find("5555") != std::string_view::npos);
}

ServerPlan plan() {
  ServerPlan plan;
  plan.backend = "gateways";
  plan.name = "5555";
  plan.at = *parse_address("127.0.0.1:1111");
  plan.words = "127.0.0.1:1111 check port 1112";
  plan.id = server_id(plan.name, plan.words);
  plan.agent = true;
  return plan;
}

void check_command(const std::string& command, const std::string& shown) {
  CHECK(command.find('\n') == std::string::npos);
  CHECK(command.find("gateways") != std::string::npos);
  if (command.find("del server") == std::string::npos) return;
  CHECK(command.ends_with("del server gateways/5555"));
  const auto server = find_server(shown, "5555");
  CHECK(server && *server && made_for((*server)->id, "5555"));
}

/// Each command gets one of `answers`, or none.
void live(fuzz::Input& input, const std::vector<std::string>& answers) {
  SeededRandom random(1);
  RuntimeRegistration registration(plan(), random, [](LogLevel, const std::string& line) {
    CHECK(line.find('\n') == std::string::npos);
  });
  TimePoint now{std::chrono::hours(1)};
  registration.start(now);
  std::string shown;
  TimePoint deadline = TimePoint::max();
  for (int i = 0; i < kCommandsMax && !registration.gone(); ++i) {
    const ServingState state{.serving = input.below(4) != 0,
                             .draining = input.below(4) == 0,
                             .ready_said = i % 8 == 7 ? 1U : 0U};
    now = std::max(now, std::min(registration.wake(), deadline));
    if (i >= kCommandsMax / 2 || input.below(16) == 0) {
      if (deadline == TimePoint::max()) deadline = now + std::chrono::seconds(5);
      registration.leave(now, deadline);
    }
    const auto command = registration.next_command(now, state);
    if (!command) continue;
    check_command(*command, shown);
    if (input.below(8) == 0) {
      registration.failed("nobody listens", now);
      continue;
    }
    const std::string& answer = answers[input.below(std::min<std::size_t>(answers.size(), 256))];
    if (command->starts_with("show ")) shown = answer;
    registration.answered(answer, now, state);
  }
  CHECK(registration.gone() || now < deadline);
}

}  // namespace
}  // namespace sluice::gateway

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sluice;
  using namespace sluice::gateway;
  fuzz::Input input(data, size);
  const auto first = input.take(input.byte());
  fuzz::Input choices(first.data(), first.size());
  const std::string_view bytes = fuzz::as_text(input.rest());
  check_table(bytes);
  check_words(said_first(bytes));
  check_words(said_last(bytes));
  static_cast<void>(judge_refusal(bytes));
  std::vector<std::string> answers;
  for (std::size_t at = 0; at <= bytes.size();) {
    const std::size_t end = std::min(bytes.find('\0', at), bytes.size());
    answers.emplace_back(bytes.substr(at, end - at));
    at = end + 1;
  }
  live(choices, answers);
  return 0;
}
