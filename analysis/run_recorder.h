#pragma once
/// Writes what a forward pass reports into the run file: the raw record of one checkpoint.

#include <cstdint>
#include <vector>

#include "analysis/observer.h"
#include "readers/corpus.h"
#include "readers/run_file.h"

namespace moescope {

/// The large parts of a record, kept on request only.
struct RecordOptions {
  bool router_logits = false;
  bool hidden_states = false;
  bool logits = false;
};

/// Observes the forward pass of checkpoint number `checkpoint`; the run file's datasets must have been
/// defined.
class RunRecorder : public ForwardObserver {
 public:
  RunRecorder(RunFile& run, std::size_t checkpoint, const Corpus& corpus, std::size_t moe_layers,
              std::size_t experts, const RecordOptions& options);

  void router_output(const RouterOutput& routing) override;
  void hidden_state(std::int64_t layer, std::size_t first_token, const Matrix& x) override;
  void token_losses(std::size_t first_token, std::span<const float> nll) override;
  bool wants_logits() const override { return options_.logits; }
  void logits(std::size_t first_token, std::size_t first_row, const Matrix& logits) override;

  /// Writes what was counted over all batches. Call once, after the pass.
  void finish();

 private:
  void write_choices(const RouterOutput& routing);
  void write_distribution(const RouterOutput& routing);
  void count_experts(const RouterOutput& routing);

  RunFile& run_;
  std::size_t checkpoint_;
  const Corpus& corpus_;
  std::size_t moe_layers_, experts_;
  RecordOptions options_;
  std::vector<std::int64_t> expert_count_;  // (D, L, E)
};

}  // namespace moescope
