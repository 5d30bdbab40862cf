#pragma once
/// A series as far as it is there: a plan can be made before a checkpoint has been downloaded, from its
/// config.json alone.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "readers/checkpoint/checkpoint.h"
#include "readers/checkpoint/model_weights.h"
#include "readers/checkpoint/series.h"
#include "readers/model/model_config.h"

namespace moescope {

struct PlannedCheckpoint {
  SeriesEntry entry;
  ModelConfig config;
  ModelWeights weights;                  // as stored, else as the configuration describes them
  std::optional<Checkpoint> checkpoint;  // absent unless all shards are there
  std::filesystem::path tokenizer;       // empty when there is none

  /// Of every weight of the model, with its scales.
  std::uint64_t bytes() const;
};

struct PlannedSeries {
  std::vector<PlannedCheckpoint> checkpoints;  // (C), at least one
  std::vector<std::string> notes;              // what the user should know

  std::size_t size() const { return checkpoints.size(); }
  const ModelConfig& config() const { return checkpoints.front().config; }
};

/// Reads configurations, and the headers of the shards that are there. A checkpoint none or only some of
/// whose shards are there is described by its configuration, with a note. Everything else is as in
/// open_series(): the checkpoints must be of one model. Throws FormatError, UnsupportedModel,
/// std::system_error. `notes` are those of find_series().
PlannedSeries find_planned_series(const std::vector<SeriesEntry>& entries,
                                  std::vector<std::string> notes = {});

}  // namespace moescope
