#pragma once
/// What the run file of an analysis holds, from which its layout and its size follow.

#include <cstdint>

#include "analysis/runs/analysis_scope.h"
#include "readers/model/model_config.h"
#include "readers/schema/dataset_row.h"

namespace moescope {

/// How much an analysis is about.
struct RunExtent {
  std::uint64_t checkpoints = 0, domains = 0, tokens = 0, tensors = 0;
};

/// The size of `note` is the least that it can be: notes that are known before the first pass come on top.
RunContents run_contents(const AnalysisScope& scope, const ModelConfig& config, const RunExtent& extent);

/// What a dataset is in such a file: the row, but for the type of expert indices.
DatasetSpec recorded_spec(const DatasetRow& row, const RunContents& contents);

}  // namespace moescope
