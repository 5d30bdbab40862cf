#pragma once
/// How large a run file will be, from the shapes of data/run_format.md.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "analysis/runs/analysis_scope.h"
#include "readers/model/model_config.h"
#include "readers/run_file/run_file.h"

namespace moescope {

/// What a run will record, apart from the model.
struct RunExtent {
  std::uint64_t checkpoints = 0, domains = 0, tokens = 0, tensors = 0;
  AnalysisScope scope;
};

/// A dataset that the run file will have.
struct PlannedDataset {
  std::string path;
  ElementType type = ElementType::f8;
  std::vector<std::uint64_t> shape;
  std::uint64_t text_bytes = 80;  // of texts, each is taken as so many

  std::uint64_t elements() const;
  std::uint64_t bytes() const;
};

/// All datasets, metrics and labelled dimensions included.
std::vector<PlannedDataset> planned_datasets(const ModelConfig& config, const RunExtent& extent);

/// Bytes of the file: its values, all taken when it is made, and an estimate of what describes them.
std::uint64_t run_file_bytes(const ModelConfig& config, const RunExtent& extent);

}  // namespace moescope
