#pragma once
/// Where the bytes of a normalized text came from.

#include <cstddef>
#include <vector>

#include "readers/tokenizer/normalized_text.h"

namespace moescope {

/// Of each byte, its position in the original.
inline std::vector<std::size_t> original_offsets(const NormalizedText& normalized) {
  OriginalOffsets offsets(normalized.changes);
  std::vector<std::size_t> result;
  for (std::size_t i = 0; i < normalized.text.size(); ++i) result.push_back(offsets.at(i));
  return result;
}

}  // namespace moescope
