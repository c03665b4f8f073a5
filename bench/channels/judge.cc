#include "bench/channels/judge.h"

#include <algorithm>

namespace sluice::channels {
namespace {

Promise received(const Record& record, const char* phase, const std::string& text,
                 std::uint64_t wanted) {
  const Phase* found = find_phase(record, phase);
  const std::uint64_t got = found == nullptr ? 0 : found->publications;
  return {text, got == wanted, std::to_string(got) + " of " + std::to_string(wanted)};
}

Promise faultless(const Faults& faults) {
  return {"no publication missing, twice, early or foreign",
          faults.missing + faults.repeated + faults.other == 0,
          std::to_string(faults.missing) + " missing, " + std::to_string(faults.repeated) +
              " twice, " + std::to_string(faults.other) + " otherwise wrong"};
}

Promise from_ring(const Record& record) {
  const Phase* recover = find_phase(record, "recover");
  const double reads = recover == nullptr ? 0 : recover->history_reads;
  const double ring = recover == nullptr ? 0 : recover->ring_recoveries;
  return {"recovered from the ring, no history read at the broker",
          recover != nullptr && reads == 0 && ring > 0 && record.faults.unrecovered == 0,
          std::to_string(static_cast<std::uint64_t>(ring)) + " recoveries from the ring, " +
              std::to_string(static_cast<std::uint64_t>(reads)) + " reads, " +
              std::to_string(record.faults.unrecovered) + " not recovered"};
}

}  // namespace

const Phase* find_phase(const Record& record, const std::string& name) {
  const auto found = std::find_if(record.phases.begin(), record.phases.end(),
                                  [&](const Phase& phase) { return phase.name == name; });
  return found == record.phases.end() ? nullptr : &*found;
}

std::vector<Promise> judge(const Record& record) {
  std::vector<Promise> promises;
  promises.push_back(
      {"everybody connected, subscribed, came back", record.stopped.empty(), record.stopped});
  const std::uint64_t all = record.plan.subscriptions();
  promises.push_back(received(record, "publish", "each subscription had its publication", all));
  promises.push_back(
      received(record, "recover", "each had the one published during the cut, too", all));
  promises.push_back(faultless(record.faults));
  promises.push_back(from_ring(record));
  if (record.plan.presence)
    promises.push_back({"everybody is present in each of its channels",
                        record.presence_entries == all,
                        std::to_string(record.presence_entries) + " of " + std::to_string(all)});
  return promises;
}

bool all_kept(const std::vector<Promise>& promises) {
  return std::all_of(promises.begin(), promises.end(),
                     [](const Promise& promise) { return promise.kept; });
}

}  // namespace sluice::channels
