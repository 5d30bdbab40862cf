#pragma once
/// What the routers and the experts' sketches say of themselves, in a run file.

#include <cstddef>
#include <string>
#include <vector>

#include "analysis/weights/router_weights.h"
#include "readers/checkpoint/model_weights.h"
#include "readers/run_file/run_file.h"

namespace moescope {

/// Of each step between checkpoints a sentence if experts changed places there, else nothing: (C-1). After
/// match_recorded_experts(): as permutation_warnings(); where router rows and weights do not agree,
/// without the cosines of what was not matched. Empty where nothing was matched.
std::vector<std::string> recorded_permutation_warnings(const RunFile& run);

/// Nothing is told of any expert yet, in a new file.
void begin_routers(RunFile& run);
void write_routers(RunFile& run, const RouterRecord& record);

/// Finds experts again by the sketches that the file holds, as read_routers does, also across checkpoints
/// that are gone. Nothing without sketches; a step whose sketches are not all there stays as it is.
void match_recorded_experts(RunFile& run, const ModelWeights& weights);

}  // namespace moescope
