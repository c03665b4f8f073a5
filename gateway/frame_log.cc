#include "gateway/frame_log.h"

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "gateway/limits.h"

namespace sluice::gateway {

// ---- RunPool

RefPtr<FrameRun> RunPool::take(std::size_t bytes, bool more) {
  auto& kept = more ? large_ : small_;
  const std::size_t usual = more ? kRunLargeBytes : kRunSmallBytes;
  if (bytes > usual) return FrameRun::reserve(bytes);
  if (kept.empty()) return FrameRun::reserve(usual);
  RefPtr<FrameRun> run = std::move(kept.back());
  kept.pop_back();
  return run;
}

void RunPool::give_back(RefPtr<FrameRun> run) {
  if (run->shared()) {
    // A slow client holds it: for what is in it, not for what would still fit.
    if (run->room() > run->size()) run->shrink();
    return;
  }
  const bool large = run->capacity() == kRunLargeBytes;
  if (!large && run->capacity() != kRunSmallBytes) return;
  auto& kept = large ? large_ : small_;
  if (kept.size() >= (large ? kRunsLargeKept : kRunsSmallKept)) return;
  run->reset();
  kept.push_back(std::move(run));
}

// ---- FrameLog

void FrameLog::append(RunPool& pool, const EncodedMessage& message, Stamp stamp) {
  const std::size_t bytes = message.frame_bytes();
  if (runs_.empty() || runs_.back().frames->room() < bytes)
    runs_.push_back({pool.take(bytes, !runs_.empty()), top()});
  FrameRun& run = *runs_.back().frames;
  run.append(message.opcode, message.prefix, message.payload);
  bytes_ += bytes;
  entries_.push_back({stamp, static_cast<std::uint32_t>(runs_.size() - 1),
                      static_cast<std::uint32_t>(run.size())});
}

void FrameLog::view(std::uint32_t from, std::uint32_t to, std::vector<RunView>& out) const {
  while (from != to) {
    const Entry& first = entries_[from - first_];
    const Run& run = runs_[first.run];
    const bool whole = first.run + 1 == runs_.size();
    const std::uint32_t run_end = whole ? top() : runs_[first.run + 1].first;
    const std::uint32_t until = to - from < run_end - from ? to : run_end;
    const std::uint32_t begin = from == run.first ? 0 : entries_[from - 1 - first_].end;
    out.push_back({run.frames.get(), begin, entries_[until - 1 - first_].end, until - from});
    from = until;
  }
}

void FrameLog::drop_before(RunPool& pool, std::uint32_t number) {
  CHECK(number - first_ <= entries_.size());
  std::size_t gone = 0;
  while (gone + 1 < runs_.size() && runs_[gone + 1].first - first_ <= number - first_) ++gone;
  if (gone == 0) return;
  const std::uint32_t first = runs_[gone].first;
  for (std::size_t i = 0; i < gone; ++i) let_go(pool, runs_[i]);
  runs_.erase(runs_.begin(), runs_.begin() + static_cast<std::ptrdiff_t>(gone));
  entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(first - first_));
  for (Entry& entry : entries_) entry.run -= static_cast<std::uint32_t>(gone);
  first_ = first;
}

void FrameLog::clear(RunPool& pool) {
  for (Run& run : runs_) let_go(pool, run);
  first_ = top();
  runs_.clear();
  entries_.clear();
  // There may be a hundred thousand channels, most of them quiet.
  if (runs_.capacity() > 1) std::vector<Run>().swap(runs_);
  if (entries_.capacity() > kLogEntriesKept) std::vector<Entry>().swap(entries_);
}

void FrameLog::let_go(RunPool& pool, Run& run) {
  bytes_ -= run.frames->size();
  pool.give_back(std::move(run.frames));
}

}  // namespace sluice::gateway
