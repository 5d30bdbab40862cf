#include "readers/tokenizer/normalized_text.h"

namespace moescope {

std::size_t OriginalOffsets::at(std::size_t position) {
  while (next_ < changes_.size() && changes_[next_].normalized_end <= position) ++next_;
  if (next_ < changes_.size() && changes_[next_].normalized_start <= position)
    return changes_[next_].original_start;
  if (next_ == 0) return position;
  const TextChange& last = changes_[next_ - 1];
  return last.original_end + (position - last.normalized_end);
}

}  // namespace moescope
