#pragma once
/// What changed between two checkpoints of one run file: weights by role, layer, expert and tensor; and,
/// where there was a corpus, losses, routing and expert load.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "readers/run_file/run_file.h"

namespace moescope {

/// Some weights as one long vector, before (A) and after (B).
struct WeightChange {
  std::string name;  // of the role or tensor; empty for layers and experts
  std::int64_t layer = -1, expert = -1;
  double norm_before = 0, norm_after = 0;
  double relative_drift = 0;  // norm(B - A) / norm(A)
  double cosine = 0;
};

/// Equal before and after; 0 is equal to 0, though there is no relative drift from it.
bool is_unmoved(const WeightChange& change);

/// Weights of a role that the two store in different ways.
struct StorageChange {
  std::string role;           // as in RunComparison::roles
  std::string before, after;  // "BF16", "F8_E4M3 with a scale for each row", "MXFP4" …
  std::size_t weights = 0;
  bool quantised_before = false, quantised_after = false;
};

struct LossChange {
  std::string domain;
  double before = 0, after = 0;  // nats per token
};

struct RoutingChange {
  std::int64_t layer = -1;
  double agreement = 0;      // mean share of a token's experts that both chose
  double load_distance = 0;  // total variation between the two distributions of load over experts
  double max_violation_before = 0, max_violation_after = 0;
};

struct LoadChange {
  std::int64_t layer = -1, expert = -1;
  double before = 0, after = 0;  // share of all tokens
};

struct RunComparison {
  std::string before, after;       // names
  std::vector<std::string> notes;  // what was left out; warnings that the run file has of these two, or of a
                                   // step between them
  std::vector<StorageChange> storage;  // in canonical order; empty where that is not known
  /// Some weights are stored alike, and none of them has moved: `after` is `before` stored anew, and what has
  /// changed is the error of that. False where `storage` is empty.
  bool is_stored_anew = false;
  double tokens_before = std::numeric_limits<double>::quiet_NaN(), tokens_after = tokens_before;
  /// 0 where the weights of both were compared element by element. Else one was gone before the other came,
  /// and changes are estimated from sketches: with at most this standard error, relative to each change.
  double weights_standard_error = 0;
  std::vector<WeightChange> whole;  // the model: one entry, or none when the run file holds no weights
  std::vector<WeightChange> without_norms;  // the model but for its norm gains: as `whole`
  std::vector<WeightChange> roles;          // in canonical order
  std::vector<WeightChange> layers;         // ascending
  std::vector<WeightChange> experts;        // most changed first
  std::vector<WeightChange> tensors;        // most changed first
  std::vector<LossChange> losses;           // empty without a forward pass, like all below
  std::vector<RoutingChange> routing;
  std::vector<LoadChange> loads;  // largest change first
};

/// Names may be cut to what tells them apart (find_name). Throws UsageError for a name that is not in the run
/// file, with the known ones as a hint; FormatError when the run file holds neither weights nor losses of
/// both.
RunComparison compare_in_run(const RunFile& run, const std::string& before, const std::string& after);

}  // namespace moescope
