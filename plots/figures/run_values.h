#pragma once
/// What figures and reports read from a run file.

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plots/figure/figure.h"
#include "readers/run_file/run_file.h"

namespace moescope {

/// A dataset as float64, row-major, with at most four dimensions.
struct Values {
  std::vector<std::size_t> shape;
  std::vector<double> data;

  /// The element at as many indices as there are dimensions.
  template <class... Index>
  double at(Index... index) const {
    const std::array<std::size_t, sizeof...(Index)> indices = {static_cast<std::size_t>(index)...};
    std::size_t offset = 0;
    for (std::size_t i = 0; i < indices.size(); ++i) offset = offset * shape[i] + indices[i];
    return data[offset];
  }
};
Values read_values(const RunFile& run, const std::string& path);
/// The shape of a dataset. Throws FormatError where a metric has other dimensions than the catalogue says, so
/// that its values may be indexed by the labels of these.
std::vector<std::uint64_t> checked_shape(const RunFile& run, const std::string& path);
bool has_metric(const RunFile& run, std::string_view name);
Values read_metric(const RunFile& run, std::string_view name);
/// The last index along the first dimension, of checkpoints, at which there is a number: an analysis may be
/// unfinished. The last one where there is none at all.
std::size_t last_measured(const Values& values);

/// The labels of every dimension that the file has; absent ones are empty.
struct RunLabels {
  std::vector<std::string> checkpoints;        // (C)
  std::vector<std::string> short_checkpoints;  // (C) without what all names begin with
  std::vector<double> tokens_seen, step;       // (C) NaN where unknown
  bool tokens_are_as_named = false;            // they are what the names spell, whatever was trained on
  std::vector<std::string> phases;             // (C) empty where unknown
  std::vector<std::string> domains;            // (D)
  std::vector<std::string> layers;             // (N) "0", "1" …
  std::vector<std::string> moe_layers;         // (L) the model's layer indices
  std::vector<std::string> experts;            // (E)
  std::vector<std::string> roles;              // "routed expert" …
  std::vector<std::string> role_names;         // as the file has them: "routed_expert" …
};
RunLabels read_labels(const RunFile& run);

/// The last of RunLabels::roles: all roles together. Files of earlier versions have none.
inline constexpr std::string_view whole_model_label = "whole model";
/// Whether a label of RunLabels::roles stands for several of the others together.
bool is_several_roles(std::string_view label);

/// Where each checkpoint stands on the horizontal axis: training tokens, else steps, else one after another.
struct Progress {
  std::vector<double> x;  // (C) in the axis' units
  std::string quantity;   // "tokens", "tokens, as named", "step" of training; empty: one after another
  Axis axis;
};
Progress training_progress(const RunLabels& labels);

/// A metric's own description of itself: the dataset's attributes, or the catalogue where one is missing.
struct MetricText {
  std::string title, unit, formula, description, source;
  std::optional<double> chance, lower_bound, upper_bound;
  std::vector<double> chance_by_domain = {};  // (D) where chance depends on the number of tokens; else empty
};
MetricText metric_text(const RunFile& run, const std::string& name);
/// By which a metric is divided that is shown as a share of its upper bound. NaN where that is 0, as ln E of
/// one expert: a router without a choice is neither sure nor undecided.
double unit_of_upper_bound(const MetricText& text);

/// Means and quantiles of the values that exist; NaN when there are none. `share` 0.5: the median.
double mean_of(std::span<const double> values);
double quantile_of(std::vector<double> values, double share);

/// `values` [C, D, ...] averaged over domains, each weighted by its tokens (/routing/token_count, without
/// those that chose no expert): [C, ...].
Values average_over_domains(const RunFile& run, const Values& values);
/// `values` [C, D, ...] of one domain: [C, ...].
Values of_domain(const Values& values, std::size_t domain);

/// The index of `name`, which may be cut to what tells it apart (find_name), or `fallback` when it is empty.
/// Throws UsageError with the known names.
std::size_t find_label(const std::vector<std::string>& labels, const std::string& name, std::size_t fallback,
                       std::string_view what);
/// The indices of those of `labels` that a choice shows: the one of `name`, or all where it is empty.
std::vector<std::size_t> chosen_indices(const std::vector<std::string>& labels, const std::string& name);
/// The index of checkpoint `name`, or of the last when it is empty. Throws UsageError with the known names.
std::size_t find_checkpoint(const RunLabels& labels, const std::string& name);

}  // namespace moescope
