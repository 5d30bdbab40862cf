#pragma once
/// The forward pass of a mixture-of-experts model: layer outer, tokens inner. Every weight is read once per
/// pass and used by all tokens; only the residual stream survives a layer.
///
/// Of every layer: x += attention(norm(x)); x += mlp(norm(x)), as the model's schemes say.

#include "analysis/forward/forward_budget.h"
#include "analysis/forward/observer.h"
#include "analysis/forward/weight_stream.h"
#include "analysis/machine/interruption.h"
#include "analysis/machine/memory.h"
#include "readers/checkpoint/checkpoint.h"
#include "readers/checkpoint/model_weights.h"
#include "readers/corpus/corpus.h"
#include "readers/model/model_config.h"

namespace moescope {

/// Where a pass stands between two layers of a batch; everything before has been reported.
struct ForwardPosition {
  std::size_t first_token = 0;  // of the batch
  std::int64_t next_layer = 0;
};

struct ForwardOptions {
  Precision precision = Precision::bf16;
  std::uint64_t memory = 0;  // bytes, for activations and weights together; 0: default_memory_budget()
  const std::atomic<bool>* interrupted = nullptr;
  std::function<void(std::uint64_t weight_bytes)> progress;  // as weights are used
  /// After each layer, with the residual stream x (T, H) of the batch: all that is needed to go on from
  /// there.
  std::function<void(const ForwardPosition&, const Matrix& x)> layer_done;
};

/// A pass that was broken off, to be gone on with.
struct ForwardStart {
  ForwardPosition position;
  Matrix x;  // (T, H), as layer_done was given it; of one batch
};

/// What one part of the pass took, all batches together.
struct PartTimes {
  StreamTimes stream;
  double seconds = 0;  // from its first weight to the end of its computing

  double compute_seconds() const { return seconds - stream.wait_seconds; }
  PartTimes& operator+=(const PartTimes& other) {
    stream += other.stream;
    seconds += other.seconds;
    return *this;
  }
};

/// The parts in the order of forward_cost: embedding, layer 0 … N-1, head.
using ForwardTimes = std::vector<PartTimes>;
PartTimes total(const ForwardTimes& parts);

/// Tokens of the longest sequence.
std::size_t longest_sequence(const std::vector<std::size_t>& sequence_start);

/// How a pass over the corpus divides `memory` bytes (0: the default). Throws UsageError, naming the least
/// that would do, when not even one sequence fits.
MemoryBudget forward_budget(const ModelConfig& config, const Corpus& corpus, std::uint64_t memory);

/// Cuts the corpus into batches of whole sequences with at most `batch_tokens` each (one sequence at least).
std::vector<TokenBatch> make_batches(const Corpus& corpus, std::size_t batch_tokens);

/// Bytes of weights that run_forward will take: every weight but the embedding, once for each batch.
std::uint64_t forward_weight_bytes(const ModelConfig& config, const ModelWeights& model, const Corpus& corpus,
                                   std::uint64_t memory);

/// Runs all sequences of the corpus, or those that `start` leaves. The numbers reported do not depend on
/// threads, memory, batches or start. A start that is none between batches of this memory budget is not
/// used. Throws std::system_error (reading), UsageError (too little memory), Interrupted.
ForwardTimes run_forward(const Checkpoint& checkpoint, const ModelWeights& model, const Corpus& corpus,
                         const ForwardOptions& options, ThreadPool& threads, ForwardObserver& observer,
                         ForwardStart start = {});

}  // namespace moescope
