#pragma once
/// A finding is an entry: what a report says of one subject, in words that only restate numbers.

#include <optional>
#include <string>
#include <vector>

#include "plots/findings/report_facts.h"

namespace moescope {

/// One number with its history, for the top of a report.
struct Headline {
  std::string name;             // "Loss"
  std::string value;            // "2.90"
  std::string change;           // "from 6.94"
  std::string meaning;          // "nats per token"
  std::vector<double> history;  // (C) for a small curve; empty: none
};

struct Finding {
  /// Whether the run has what it is about.
  bool (*applies)(const ReportFacts& facts);
  std::string (*text)(const ReportFacts& facts);
  std::optional<Headline> (*headline)(const ReportFacts& facts) = nullptr;
};

}  // namespace moescope
