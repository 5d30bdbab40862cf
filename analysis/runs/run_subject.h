#pragma once
/// What a run is about, whether its checkpoints are still there or not.

#include <optional>
#include <string>
#include <vector>

#include "analysis/runs/opened_series.h"
#include "readers/checkpoint/checkpoint.h"
#include "readers/checkpoint/model_weights.h"
#include "readers/checkpoint/series.h"
#include "readers/model/model_config.h"
#include "readers/run_file/run_file.h"

namespace moescope {

/// A checkpoint as a run file knows it.
struct RunCheckpoint {
  SeriesEntry entry;
  std::string config_json, fingerprint;
  std::string file_stamps;  // of Checkpoint::file_stamps(); empty in run files of earlier versions
};
RunCheckpoint run_checkpoint(const SeriesEntry& entry, const Checkpoint& checkpoint);

struct RunSubject {
  std::vector<RunCheckpoint> checkpoints;  // (C), in training order
  ModelConfig config;                      // of the first
  ModelWeights weights;                    // (W); where they are stored counts only for a series

  /// The place of the checkpoint of that name; empty if there is none.
  std::optional<std::size_t> find(const std::string& name) const;
};

/// Whether a run file holds an analysis, laid out as this version does.
bool holds_analysis(const RunFile& run);

RunSubject subject_of(const OpenedSeries& series);

/// From what a run file holds; where weights are stored is unknown. Throws FormatError when it holds no
/// analysis, or its configurations and its tensors do not agree.
RunSubject subject_of(const RunFile& run);

/// By tokens where all know them, else by step where all do, else by what the names tell where they tell all
/// of it, else as they are; stable. Tokens and steps that were told by names become what the names tell
/// together.
void sort_by_training(std::vector<RunCheckpoint>& checkpoints);

}  // namespace moescope
