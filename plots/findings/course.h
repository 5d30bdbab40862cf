#pragma once
/// What a number was along the series, in words.

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plots/findings/finding.h"
#include "plots/findings/report_facts.h"

namespace moescope {

/// At any checkpoint a number may be missing.
struct Course {
  static constexpr std::size_t none = std::string::npos;

  const ReportFacts& facts;
  std::vector<double> values;             // (C)
  std::size_t first = none, last = none;  // that have a value

  Course(const ReportFacts& all, const std::function<double(const CheckpointFacts&)>& number);
  /// Of the mean of a summary.
  Course(const ReportFacts& all, const char* metric);

  bool known() const { return first != none; }
  bool is_change() const { return first != last; }
  /// Whether both ends of the series have a value, so that they need no names.
  bool is_whole() const { return first == 0 && last + 1 == values.size(); }
  const std::string& name(std::size_t c) const { return facts.checkpoints[c].name; }

  /// "fell from 3.5 to 2.55 nats": from the first to the last checkpoint, or to and from the named ones.
  std::string text(const std::string& unit = "") const;
  /// " It has no value at tiny-2T." for the checkpoints that were measured, and which were not.
  std::string gaps(const std::string& verb = "has no value") const;
  /// The last value for the top of a report, with the first one, where there is any.
  std::optional<Headline> headline(const std::string& title, const std::string& meaning) const;
};

}  // namespace moescope
