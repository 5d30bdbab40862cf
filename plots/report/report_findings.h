#pragma once
/// What a run shows, in sentences that only restate its numbers. They claim no more than was measured: one
/// domain, layer or checkpoint is not compared with itself, what looks equal to three digits is named
/// together, and a value that is missing is told.

#include <optional>
#include <string>
#include <vector>

#include "plots/report/report_facts.h"

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

/// Index of the first value that is half-way or more from chance to 1; nothing when that is the first of all,
/// when there is none, or when a value before it is missing.
std::optional<std::size_t> half_way_step(const std::vector<double>& y, double chance);
/// Where a curve from chance to 1 is half-way up, by linear interpolation between checkpoints, in the units
/// of `x`; NaN where half_way_step() finds nothing.
double half_way(const std::vector<double>& x, const std::vector<double>& y, double chance);

}  // namespace moescope
