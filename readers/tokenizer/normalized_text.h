#pragma once
/// A text that was changed in places, and remembers where.

#include <cstddef>
#include <string>
#include <vector>

namespace moescope {

/// A stretch of text that normalization replaced, in bytes. Both ends lie between characters.
struct TextChange {
  std::size_t normalized_start = 0, normalized_end = 0;
  std::size_t original_start = 0, original_end = 0;
};

struct NormalizedText {
  std::string text;
  std::vector<TextChange> changes;  // ascending; all other bytes are as they were
};

/// Maps ascending positions in normalized text to positions in the original.
class OriginalOffsets {
 public:
  /// `changes` must outlive it.
  explicit OriginalOffsets(const std::vector<TextChange>& changes) : changes_(changes) {}
  /// Inside a change: the start of what was replaced. `position` is not less than in the last call.
  std::size_t at(std::size_t position);

 private:
  const std::vector<TextChange>& changes_;
  std::size_t next_ = 0;  // first change that does not end before the last position
};

}  // namespace moescope
