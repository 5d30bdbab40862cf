#pragma once
/// Writes what a forward pass reports into the run file: the raw record of one checkpoint.

#include <cstdint>
#include <vector>

#include "analysis/forward/observer.h"
#include "analysis/record/record_options.h"
#include "readers/corpus/corpus.h"
#include "readers/run_file/run_file.h"

namespace moescope {

class ThreadPool;

/// Observes the forward pass of checkpoint number `checkpoint`; the run file's datasets must have been
/// defined. Numbers of each token are computed by `threads`, which must be idle meanwhile.
class ForwardRecorder : public ForwardObserver {
 public:
  ForwardRecorder(RunFile& run, std::size_t checkpoint, const Corpus& corpus, const RecordOptions& options,
                  ThreadPool& threads);

  void router_output(const RouterOutput& routing) override;
  void hidden_state(std::int64_t layer, std::size_t first_token, const Matrix& x) override;
  void token_losses(std::size_t first_token, std::span<const float> nll) override;
  bool wants_logits() const override { return options_.logits; }
  void logits(std::size_t first_token, std::size_t first_row, const Matrix& logits) override;

  /// Writes what follows from the choices of all tokens, as they are in the file. Call once, after the pass.
  void finish();

 private:
  void write_choices(const RouterOutput& routing);
  void write_distribution(const RouterOutput& routing);
  void count_losses();
  void count_choices();

  RunFile& run_;
  std::size_t checkpoint_;
  const Corpus& corpus_;
  RecordOptions options_;
  ThreadPool& threads_;
};

}  // namespace moescope
