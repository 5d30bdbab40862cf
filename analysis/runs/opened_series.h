#pragma once
/// The checkpoints of a series, opened, validated and found to be the same model.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "analysis/weights/weight_pass.h"
#include "readers/checkpoint/checkpoint.h"
#include "readers/checkpoint/model_weights.h"
#include "readers/checkpoint/series.h"
#include "readers/errors.h"
#include "readers/model/model_config.h"

namespace moescope {

struct OpenedSeries {
  std::vector<SeriesEntry> entries;     // (C)
  std::vector<Checkpoint> checkpoints;  // (C)
  std::vector<ModelWeights> weights;    // (C), of the same shapes
  std::vector<ModelWeights> whole;      // (C), where `weights` have but the vocabulary in common; else empty
  std::vector<std::string> notes;  // what the user should know; those on one checkpoint begin with its name

  std::size_t size() const { return entries.size(); }
  const ModelConfig& config() const { return checkpoints.front().config(); }
  /// All weights of a checkpoint, with which it computes.
  const ModelWeights& model(std::size_t checkpoint) const {
    return whole.empty() ? weights[checkpoint] : whole[checkpoint];
  }
  /// The token ids that all checkpoints know begin at 0 and end before this.
  std::int64_t vocabulary() const;
  /// For the weight pass; points into this object.
  std::vector<CheckpointWeights> views() const;
  /// Bytes of weights of all checkpoints.
  std::uint64_t bytes() const;
};

/// Whether checkpoints may have added tokens to each other's vocabulary: then the rows of the embedding and
/// the head that all have, the first ones, are those of the series.
enum class Vocabularies : std::uint8_t { equal, in_common };

/// Opens every checkpoint before any long work begins. Configurations may differ in what does not change the
/// shapes (a note); anything else is a FormatError naming both checkpoints. Throws also UnsupportedModel,
/// std::system_error. `notes` are those of find_series().
OpenedSeries open_series(const std::vector<SeriesEntry>& entries, std::vector<std::string> notes = {},
                         Vocabularies vocabularies = Vocabularies::equal);

/// A checkpoint as others see it.
struct ModelView {
  const SeriesEntry& entry;
  const ModelConfig& config;
  const ModelWeights& weights;
};

/// In what the models of two checkpoints differ that could not share a run file, as the error that names
/// both; empty if in nothing.
std::optional<FormatError> model_difference(const ModelView& first, const ModelView& other);

/// The weights that are stored in another dtype than one checkpoint before: one note for each pair of dtypes.
std::vector<std::string> dtype_changes(const ModelView& before, const ModelView& after);

/// Throws FormatError, naming both checkpoints, unless `other` has the weights of `first`, one by one in the
/// same shapes, and as many experts per token. Returns what else differs, as a note; empty if nothing does.
std::string require_same_model(const ModelView& first, const ModelView& other);

}  // namespace moescope
