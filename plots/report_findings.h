#pragma once
/// What a run shows, in sentences that only restate its numbers.

#include <string>
#include <vector>

#include "plots/report_facts.h"

namespace moescope {

/// One number with its history, for the top of a report.
struct Headline {
  std::string name;             // "Loss"
  std::string value;            // "2.90"
  std::string change;           // "from 6.94"
  std::string meaning;          // "nats per token"
  std::vector<double> history;  // (C) for a small curve; empty: none
};
std::vector<Headline> report_headlines(const ReportFacts& facts);

/// Sentences of plain text.
std::vector<std::string> report_findings(const ReportFacts& facts);

/// Where a curve from chance to 1 is first half-way up, by linear interpolation between checkpoints, in the
/// units of `x`; NaN when it never is, or already at the start.
double half_way(const std::vector<double>& x, const std::vector<double>& y, double chance);

}  // namespace moescope
