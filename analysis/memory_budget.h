#pragma once
/// How a forward pass divides its memory between activations and weights on their way.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "readers/model_config.h"

namespace moescope {

/// The program itself, the run file's buffers, the threads' scratch: bytes of every run.
inline constexpr std::uint64_t program_memory = 48ull << 20;

/// Half of the memory that this process may use, 4 GiB at most.
std::uint64_t default_memory_budget();
/// `asked` bytes, or the default where nothing (0) was asked for.
std::uint64_t memory_budget(std::uint64_t asked);

/// Whether files of so many bytes, read once, would push everything else out of the page cache without
/// fitting in it.
bool outgrows_page_cache(std::uint64_t bytes);

struct MemoryBudget {
  std::size_t batch_tokens = 0;    // tokens of one pass over the weights
  std::uint64_t weight_bytes = 0;  // read ahead
};

/// Peak bytes of activations for each token of a batch; independent of layers and experts beyond the router's
/// scores.
std::uint64_t activation_bytes_per_token(const ModelConfig& config);

/// Divides `memory` bytes for a corpus of `tokens` whose longest sequence has `longest_sequence`. Throws
/// UsageError, naming the least that would do, when not even one sequence fits.
MemoryBudget divide_memory(const ModelConfig& config, std::uint64_t memory, std::size_t tokens,
                           std::size_t longest_sequence);

/// Throws UsageError, naming the least that would do, where less is asked for than the program itself takes.
void require_program_memory(std::uint64_t asked);

/// Cuts sequences into batches of whole sequences with at most `batch_tokens` each (one sequence at least).
/// sequence_start (S + 1); the result (B + 1) are numbers of sequences, from 0 to S: batch b is the sequences
/// [result[b], result[b + 1]).
std::vector<std::size_t> cut_into_batches(std::span<const std::size_t> sequence_start,
                                          std::size_t batch_tokens);

}  // namespace moescope
