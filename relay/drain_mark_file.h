// Keeps the drain marks in --state-dir, so that they outlive the relay: one small JSON file,
// written anew beside the old one and put in its place. Not synced to the disk: it is there after
// the process's end, however that comes, and a power failure within seconds of a drain may take it.
#pragma once

#include <string>

#include "common/result.h"
#include "relay/drain_marks.h"

namespace sluice::relay {

class DrainMarkFile {
 public:
  explicit DrainMarkFile(const std::string& state_dir) : path_(state_dir + "/drain-marks.json") {}

  /// What an earlier relay left; nothing when there is no file. A file that can't be understood is
  /// an error: its message names the file.
  [[nodiscard]] Result<DrainMarks> load(TimePoint now) const;
  [[nodiscard]] Result<void> save(const DrainMarks& marks, TimePoint now) const;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace sluice::relay
