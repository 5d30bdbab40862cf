#include "plots/figures/run_values.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "metrics/catalogue/catalogue.h"
#include "metrics/statistics.h"
#include "plots/figure/figure_text.h"
#include "readers/checkpoint/series_order.h"
#include "readers/errors.h"
#include "readers/model/role_words.h"
#include "readers/schema/datasets.h"
#include "readers/text/closest_names.h"
#include "readers/text/name_list.h"

namespace moescope {
namespace {

std::vector<std::string> text_labels(const RunFile& run, const std::string& path) {
  return run.contains(path) ? run.read<std::string>(path) : std::vector<std::string>{};
}

std::vector<std::string> number_labels(const RunFile& run, const std::string& path) {
  std::vector<std::string> labels;
  if (!run.contains(path)) return labels;
  for (const std::int64_t number : run.read<std::int64_t>(path)) labels.push_back(std::to_string(number));
  return labels;
}

std::vector<double> numbers_or_nan(const RunFile& run, const std::string& path, std::size_t count) {
  if (run.contains(path)) return run.read<double>(path);
  return std::vector<double>(count, std::numeric_limits<double>::quiet_NaN());
}

bool all_finite(const std::vector<double>& values) {
  return !values.empty() &&
         std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
}

std::optional<double> number_attribute(const RunFile& run, const std::string& path, const std::string& name) {
  const auto value = run.attribute(path, name);
  if (!value) return std::nullopt;
  if (const auto* number = std::get_if<double>(&*value)) return *number;
  if (const auto* number = std::get_if<std::int64_t>(&*value)) return static_cast<double>(*number);
  return std::nullopt;
}

std::vector<double> numbers_attribute(const RunFile& run, const std::string& path, const std::string& name) {
  const auto value = run.attribute(path, name);
  if (!value) return {};
  if (const auto* numbers = std::get_if<std::vector<double>>(&*value)) return *numbers;
  if (const auto* number = std::get_if<double>(&*value)) return {*number};
  return {};
}

/// Whether every checkpoint's tokens are those that its name spells.
bool are_as_named(const RunLabels& labels) {
  const SeriesOrder named = order_by_names(labels.checkpoints);
  for (std::size_t c = 0; c < labels.checkpoints.size(); ++c) {
    if (named.progress[c].tokens != labels.tokens_seen[c]) return false;
  }
  return !labels.checkpoints.empty();
}

/// `values` divided by `size`, with the axis that says so.
Progress scaled(const std::vector<double>& values, double size, const std::string& quantity,
                const std::string& suffix) {
  Progress progress;
  progress.quantity = quantity;
  for (const double value : values) progress.x.push_back(value / size);
  progress.axis.label = "training " + quantity;
  progress.axis.tick_suffix = suffix;
  return progress;
}

}  // namespace

std::vector<std::uint64_t> checked_shape(const RunFile& run, const std::string& path) {
  for (const Metric& entry : metric_catalogue()) {
    if (path != metric_path(entry.name) || run.describe(path).dimensions == entry.axes) continue;
    throw FormatError(run.path().string(), path, "has other dimensions than this metric has");
  }
  return run.shape(path);
}

Values read_values(const RunFile& run, const std::string& path) {
  Values values;
  for (const std::uint64_t extent : checked_shape(run, path))
    values.shape.push_back(static_cast<std::size_t>(extent));
  values.data = run.read<double>(path);
  return values;
}

bool has_metric(const RunFile& run, std::string_view name) {
  return run.contains(metric_path(name));
}

Values read_metric(const RunFile& run, std::string_view name) {
  return read_values(run, metric_path(name));
}

RunLabels read_labels(const RunFile& run) {
  RunLabels labels;
  labels.checkpoints = text_labels(run, dataset::checkpoint);
  labels.short_checkpoints = without_common_prefix(labels.checkpoints);
  const std::size_t count = labels.checkpoints.size();
  labels.tokens_seen = numbers_or_nan(run, dataset::tokens_seen, count);
  labels.step = numbers_or_nan(run, dataset::step, count);
  labels.tokens_are_as_named = are_as_named(labels);
  labels.phases = text_labels(run, dataset::phase);
  labels.phases.resize(count);
  labels.domains = text_labels(run, dataset::domain);
  labels.layers = number_labels(run, dataset::layer);
  labels.moe_layers = number_labels(run, dataset::moe_layer);
  labels.experts = number_labels(run, dataset::expert);
  labels.role_names = text_labels(run, dataset::role);
  for (const std::string& name : labels.role_names) labels.roles.push_back(role_words(name));
  return labels;
}

bool is_several_roles(std::string_view label) {
  return label.starts_with(whole_model_label);
}

Progress training_progress(const RunLabels& labels) {
  if (all_finite(labels.tokens_seen)) {
    const std::string quantity = labels.tokens_are_as_named ? "tokens, as named" : "tokens";
    const double most = *std::max_element(labels.tokens_seen.begin(), labels.tokens_seen.end());
    if (most >= 1e12) return scaled(labels.tokens_seen, 1e12, quantity, " T");
    if (most >= 1e9) return scaled(labels.tokens_seen, 1e9, quantity, " B");
    if (most >= 1e6) return scaled(labels.tokens_seen, 1e6, quantity, " M");
    return scaled(labels.tokens_seen, 1, quantity, "");
  }
  if (all_finite(labels.step)) {
    const double most = *std::max_element(labels.step.begin(), labels.step.end());
    return most >= 2e4 ? scaled(labels.step, 1e3, "step", " k") : scaled(labels.step, 1, "step", "");
  }
  Progress progress;
  progress.x.resize(labels.checkpoints.size());
  std::iota(progress.x.begin(), progress.x.end(), 0.0);
  progress.axis.label = "checkpoint";
  progress.axis.tick_labels = labels.short_checkpoints;
  return progress;
}

MetricText metric_text(const RunFile& run, const std::string& name) {
  const std::string path = metric_path(name);
  const DatasetSpec spec = run.describe(path);
  MetricText text = {spec.long_name, spec.unit, {}, spec.description, spec.source, {}, {}, {}};
  if (const auto formula = run.attribute(path, "formula")) {
    if (const auto* words = std::get_if<std::string>(&*formula)) text.formula = *words;
  }
  if (const Metric* entry = find_metric(name)) {
    if (text.title.empty()) text.title = entry->long_name;
    if (text.formula.empty()) text.formula = entry->formula;
    if (text.description.empty()) text.description = entry->description;
    if (text.source.empty()) text.source = entry->source;
  }
  text.chance = number_attribute(run, path, "chance");
  text.chance_by_domain = numbers_attribute(run, path, "chance_by_domain");
  text.lower_bound = number_attribute(run, path, "lower_bound");
  text.upper_bound = number_attribute(run, path, "upper_bound");
  return text;
}

double unit_of_upper_bound(const MetricText& text) {
  const double bound = text.upper_bound.value_or(0);
  return bound > 0 ? bound : std::numeric_limits<double>::quiet_NaN();
}

double mean_of(std::span<const double> values) {
  double sum = 0;
  std::size_t count = 0;
  for (const double value : values) {
    if (std::isnan(value)) continue;
    sum += value;
    ++count;
  }
  return count == 0 ? std::numeric_limits<double>::quiet_NaN() : sum / static_cast<double>(count);
}

double quantile_of(std::vector<double> values, double share) {
  std::erase_if(values, [](double value) { return std::isnan(value); });
  return quantiles(std::move(values), std::span(&share, 1)).front();
}

namespace {

/// Of routing values [C, D, L], the tokens of each that chose no expert; nothing where all did.
std::vector<double> tokens_left_out(const RunFile& run, const Values& values) {
  constexpr auto path = dataset::routing_nonfinite_count;
  if (values.shape.size() != 3 || !run.contains(path)) return {};
  std::vector<double> counts = run.read<double>(path);
  return counts.size() == values.data.size() ? counts : std::vector<double>();
}

}  // namespace

Values average_over_domains(const RunFile& run, const Values& values) {
  const std::size_t domains = values.shape.at(1);
  std::vector<double> weight(domains, 1.0);
  if (run.contains(dataset::routing_token_count)) weight = run.read<double>(dataset::routing_token_count);
  const std::vector<double> left_out = tokens_left_out(run, values);
  Values average;
  average.shape = values.shape;
  average.shape.erase(average.shape.begin() + 1);
  const std::size_t checkpoints = values.shape[0];
  const std::size_t rest = checkpoints * domains == 0 ? 0 : values.data.size() / (checkpoints * domains);
  average.data.assign(checkpoints * rest, std::numeric_limits<double>::quiet_NaN());
  for (std::size_t c = 0; c < checkpoints; ++c) {
    for (std::size_t i = 0; i < rest; ++i) {
      double sum = 0, total = 0;
      for (std::size_t d = 0; d < domains; ++d) {
        const double value = values.data[(c * domains + d) * rest + i];
        if (std::isnan(value)) continue;
        const double tokens = weight[d] - (left_out.empty() ? 0 : left_out[(c * domains + d) * rest + i]);
        sum += tokens * value;
        total += tokens;
      }
      if (total > 0) average.data[c * rest + i] = sum / total;
    }
  }
  return average;
}

Values of_domain(const Values& values, std::size_t domain) {
  Values part;
  part.shape = values.shape;
  part.shape.erase(part.shape.begin() + 1);
  const std::size_t domains = values.shape.at(1);
  const std::size_t rest = values.data.size() / std::max<std::size_t>(values.shape[0] * domains, 1);
  for (std::size_t c = 0; c < values.shape[0]; ++c) {
    const auto begin = values.data.begin() + static_cast<std::ptrdiff_t>((c * domains + domain) * rest);
    part.data.insert(part.data.end(), begin, begin + static_cast<std::ptrdiff_t>(rest));
  }
  return part;
}

std::size_t last_measured(const Values& values) {
  const auto found = std::find_if(values.data.rbegin(), values.data.rend(),
                                  [](double value) { return std::isfinite(value); });
  if (found == values.data.rend()) return values.shape.at(0) - 1;
  const auto index = static_cast<std::size_t>(values.data.rend() - found) - 1;
  return index / (values.data.size() / values.shape.at(0));
}

std::size_t find_label(const std::vector<std::string>& labels, const std::string& name, std::size_t fallback,
                       std::string_view what) {
  if (name.empty()) return fallback;
  if (const std::optional<std::size_t> index = find_name(labels, name)) return *index;
  throw UsageError("no " + std::string(what) + " is called '" + name + "'", "known: " + name_list(labels));
}

std::vector<std::size_t> chosen_indices(const std::vector<std::string>& labels, const std::string& name) {
  std::vector<std::size_t> indices;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (name.empty() || labels[i] == name) indices.push_back(i);
  }
  return indices;
}

std::size_t find_checkpoint(const RunLabels& labels, const std::string& name) {
  return find_label(labels.checkpoints, name, labels.checkpoints.size() - 1, "checkpoint");
}

}  // namespace moescope
