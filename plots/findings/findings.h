#pragma once
/// What a run shows, in sentences that only restate its numbers. They claim no more than was measured: one
/// domain, layer or checkpoint is not compared with itself, what looks equal to three digits is named
/// together, and a value that is missing is told.

#include <string>
#include <vector>

#include "plots/findings/finding.h"

namespace moescope {

std::vector<Headline> report_headlines(const ReportFacts& facts);

/// Sentences of plain text.
std::vector<std::string> report_findings(const ReportFacts& facts);

}  // namespace moescope
