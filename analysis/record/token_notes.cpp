#include "analysis/record/token_notes.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <vector>

#include "metrics/entry/metric.h"
#include "metrics/entry/metric_names.h"
#include "metrics/statistics.h"
#include "readers/schema/datasets.h"

namespace moescope {
namespace {

const std::string max_violation_path = metric_path(metric::max_violation);
constexpr double notable_chance = 0.1;
constexpr double notable_share = 0.5;  // of what is seen
constexpr std::size_t most_named_domains = 4;

/// Mean over checkpoints and layers of what is known of a domain; `values` (C, D, L).
double mean_of_domain(const std::vector<double>& values, const std::vector<std::uint64_t>& shape,
                      std::size_t domain) {
  std::vector<double> known;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i / shape[2] % shape[1] == domain && std::isfinite(values[i])) known.push_back(values[i]);
  }
  return mean(known);
}

std::string two_digits(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2g", number);
  return text;
}

}  // namespace

std::string describe_few_tokens(const RunFile& run) {
  if (!run.contains(max_violation_path)) return {};
  if (std::ranges::count(run.read(dataset::status_forward), 0) > 0) return {};
  const auto chance = std::get<std::vector<double>>(*run.attribute(max_violation_path, "chance_by_domain"));
  const std::vector<double> values = run.read<double>(max_violation_path);
  const std::vector<std::uint64_t> shape = run.shape(max_violation_path);
  const std::vector<std::int64_t> tokens = run.read(dataset::routing_token_count);
  const std::vector<std::string> domains = run.read(dataset::domain);
  std::string list;
  std::size_t found = 0;
  for (std::size_t d = 0; d < domains.size(); ++d) {
    const double seen = mean_of_domain(values, shape, d);
    if (!(chance[d] >= notable_chance && chance[d] >= notable_share * seen)) continue;
    if (++found > most_named_domains) continue;
    list += (list.empty() ? "" : ", ") + domains[d] + " (" + std::to_string(tokens[d]) +
            " tokens: " + two_digits(chance[d]) + " of " + two_digits(seen) + ")";
  }
  if (found == 0) return {};
  if (found > most_named_domains) list += " and " + std::to_string(found - most_named_domains) + " more";
  return "few tokens: random balanced routing alone would give much of the MaxVio seen in " + list +
         "; compare with chance_by_domain, or give more text";
}

}  // namespace moescope
