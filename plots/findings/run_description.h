#pragma once
/// What a run is: of which model, how it came about, and what it lacks.

#include <string>
#include <vector>

#include "plots/findings/report_facts.h"

namespace moescope {

/// Title, sizes of the model, what a reader may want to know at a glance, provenance. Labels, checkpoints and
/// tokens of the domains must be there.
void describe_run(const RunFile& run, ReportFacts& facts);

/// What an analysis that was interrupted, or a checkpoint that was deleted, has left open, in sentences.
std::vector<std::string> unfinished_parts(const RunFile& run);

}  // namespace moescope
