#pragma once
/// Which tokens pass through the model together.

#include <cstddef>
#include <span>
#include <vector>

namespace moescope {

/// Cuts sequences into batches of whole sequences with at most `batch_tokens` each (one sequence at least).
/// sequence_start (S + 1); the result (B + 1) are numbers of sequences, from 0 to S: batch b is the sequences
/// [result[b], result[b + 1]).
std::vector<std::size_t> cut_into_batches(std::span<const std::size_t> sequence_start,
                                          std::size_t batch_tokens);

}  // namespace moescope
