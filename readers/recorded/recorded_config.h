#pragma once
/// The configuration that a run file holds.

#include "readers/model/model_config.h"
#include "readers/run_file/run_file.h"

namespace moescope {

/// Of the model as it was run: that of the first checkpoint, with a head of its own where one was stored
/// though config.json calls it tied. Throws FormatError, UnsupportedModel.
ModelConfig recorded_config(const RunFile& run);

/// Tells recorded_config() what config.json does not. `config` is that of the model as it is run.
void record_head(RunFile& run, const std::string& config_json, const ModelConfig& config);

}  // namespace moescope
