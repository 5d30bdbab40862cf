#pragma once
/// A token's choice of experts: (K) indices, best first by selection score, or none.

#include <cstdint>
#include <span>

namespace moescope {

/// Stands K times where a token chose nothing: where one of its router logits or selection scores is not
/// finite, no order of the experts means anything. No expert has this index.
inline constexpr std::uint16_t no_expert = 65535;

inline bool has_choice(std::span<const std::uint16_t> chosen) {
  return chosen.empty() || chosen.front() != no_expert;
}

}  // namespace moescope
