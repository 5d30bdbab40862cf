#pragma once
/// The notes of run files that are joined.

#include <deque>
#include <string>
#include <vector>

#include "analysis/runs/merge_parts.h"

namespace moescope {

/// What was known before the first pass of any part.
std::vector<std::string> known_notes(const std::deque<MergePart>& parts);

/// Fills the other rows of /notes in `whole`, whose values have been joined and whose metrics are there: what
/// one analysis of all would have warned of, and whatever else the parts have noted, each once.
void join_notes(const std::deque<MergePart>& parts, RunFile& whole);

}  // namespace moescope
