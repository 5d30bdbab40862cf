#include "analysis/forward/token_batch.h"

namespace moescope {

std::vector<std::size_t> cut_into_batches(std::span<const std::size_t> sequence_start,
                                          std::size_t batch_tokens) {
  std::vector<std::size_t> batches{0};
  for (std::size_t s = 0; s + 1 < sequence_start.size();) {
    const std::size_t first_token = sequence_start[s];
    do {
      ++s;
    } while (s + 1 < sequence_start.size() && sequence_start[s + 1] - first_token <= batch_tokens);
    batches.push_back(s);
  }
  return batches;
}

}  // namespace moescope
