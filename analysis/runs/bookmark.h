#pragma once
/// Where a long pass stands, beside the run file: what an analysis that was killed needs, besides the values
/// that are recorded, to go on inside a pass.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "analysis/forward/forward.h"
#include "analysis/machine/clock.h"

namespace moescope {

/// The weight pass: the weights before `next` are recorded, but for the counts by role, which are summed over
/// all of them.
struct WeightPosition {
  std::size_t next = 0;
  std::vector<std::int64_t> magnitude_counts;  // (C, roles, 32,768) so far
};

/// The file OUTPUT.resume, of one analysis. Replaced as a whole, so that it is never half written; what is
/// there and cannot be used (of another analysis, damaged: it has a checksum of its own) is as if it were not
/// there. To be saved after what it stands for is safe in the run file.
class Bookmark {
 public:
  /// `identity` tells analyses apart. At most one save in `seconds`, and at most a twentieth of the time is
  /// spent on saving.
  Bookmark(const std::filesystem::path& run, std::string identity, double seconds);

  bool is_due() const;
  void save(std::size_t checkpoint, const ForwardPosition& position, const Matrix& x);
  void save(const WeightPosition& position);

  /// After a save that failed, as after one that did not.
  void postpone() { saved(Clock::now()); }

  /// Where the forward pass of that checkpoint stands, if the bookmark is of it.
  std::optional<ForwardStart> forward(std::size_t checkpoint) const;
  std::optional<WeightPosition> weights() const;
  void remove();

 private:
  void saved(Clock::time_point begin);

  std::filesystem::path path_;
  std::string identity_;
  double seconds_, wait_;
  Clock::time_point last_ = Clock::now();
};

}  // namespace moescope
