#include "plots/figures/figures.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "plots/figures/drift_figures.h"
#include "plots/figures/load_figures.h"
#include "plots/figures/loss_figures.h"
#include "plots/figures/pass_figures.h"
#include "plots/figures/path_figures.h"
#include "plots/figures/router_figures.h"
#include "plots/figures/run_values.h"
#include "plots/figures/sketch_figures.h"
#include "plots/figures/spectrum_figures.h"
#include "readers/errors.h"
#include "readers/run_file/run_file.h"
#include "readers/text/closest_names.h"

namespace moescope {
namespace {

std::vector<FigureEntry> loss_entries() {
  const std::string section = "Loss";
  return {
      {"loss", "Loss by domain", section, {"/metrics/loss"}, 1, loss_figure},
  };
}

std::vector<FigureEntry> load_entries() {
  const std::string section = "Load balance";
  return {
      {"load_heatmap",
       "Expert load by layer and expert",
       section,
       {"/metrics/relative_load"},
       1,
       load_heatmap_figure,
       selects_checkpoint | selects_domain | selects_moe_layer},
      {"max_violation",
       "MaxVio by layer",
       section,
       {"/metrics/max_violation"},
       1,
       max_violation_figure,
       selects_domain | selects_moe_layer},
      {"max_violation_by_domain",
       "MaxVio by domain",
       section,
       {"/metrics/max_violation"},
       1,
       max_violation_by_domain_figure,
       selects_moe_layer},
      {"load_entropy",
       "Entropy of load by layer",
       section,
       {"/metrics/load_entropy"},
       1,
       load_entropy_figure,
       selects_domain | selects_moe_layer},
      {"dead_experts",
       "Dead experts by domain",
       section,
       {"/metrics/dead_experts"},
       1,
       dead_experts_figure,
       selects_moe_layer},
  };
}

std::vector<FigureEntry> router_entries() {
  const std::string section = "Router";
  return {
      {"router_entropy",
       "Router entropy by layer",
       section,
       {"/metrics/router_entropy"},
       1,
       router_entropy_figure,
       selects_domain | selects_moe_layer},
      {"router_entropy_by_domain",
       "Router entropy of single tokens by domain",
       section,
       {"/metrics/router_entropy_quantile"},
       1,
       router_entropy_by_domain_figure,
       selects_moe_layer},
      {"topk_mass",
       "Router mass on the chosen experts by layer",
       section,
       {"/metrics/topk_mass"},
       1,
       topk_mass_figure,
       selects_domain | selects_moe_layer},
      {"top1_share",
       "Weight of the strongest expert by layer",
       section,
       {"/metrics/top1_share"},
       1,
       top1_share_figure,
       selects_domain | selects_moe_layer},
      {"routing_margin",
       "Routing margin by layer",
       section,
       {"/metrics/routing_margin"},
       1,
       routing_margin_figure,
       selects_domain | selects_moe_layer},
      {"bias_flip_rate",
       "Choices made by the correction bias by layer",
       section,
       {"/metrics/bias_flip_rate"},
       1,
       bias_flip_rate_figure,
       selects_domain | selects_moe_layer},
  };
}

std::vector<FigureEntry> settling_entries() {
  const std::string section = "Routing over time";
  return {
      {"router_saturation",
       "Router saturation by layer",
       section,
       {"/metrics/router_saturation"},
       2,
       router_saturation_figure,
       selects_moe_layer},
      {"router_saturation_top1",
       "Router saturation of the first choice by layer",
       section,
       {"/metrics/router_saturation_top1"},
       2,
       router_saturation_top1_figure,
       selects_moe_layer},
      {"routing_agreement",
       "Routing agreement between checkpoints",
       section,
       {"/metrics/routing_agreement"},
       2,
       routing_agreement_figure,
       selects_moe_layer},
  };
}

std::vector<FigureEntry> weight_entries() {
  const std::string section = "Weights";
  const std::vector<std::string> by_sketch = {
      "/metrics/role_sketched_drift", "/metrics/role_sketched_drift_error", "/metrics/role_relative_drift"};
  return {
      {"drift_heatmap",
       "Weight drift by layer and role",
       section,
       {"/metrics/layer_relative_drift"},
       2,
       drift_heatmap_figure,
       selects_checkpoint | selects_layer},
      {"weight_drift",
       "Weight drift since the first checkpoint by role",
       section,
       {"/metrics/role_relative_drift"},
       2,
       weight_drift_figure},
      {"weight_step_drift",
       "Weight drift between successive checkpoints by role",
       section,
       {"/metrics/role_relative_drift"},
       2,
       weight_step_drift_figure},
      {"sketched_drift", "Weight drift by sketch beside exact by role", section, by_sketch, 2,
       sketched_drift_figure},
      {"sketched_drift_ratio", "Weight drift by sketch relative to exact by role", section, by_sketch, 2,
       sketched_drift_ratio_figure},
      {"weight_norm", "Norm of the weights by role", section, {"/metrics/role_norm"}, 1, weight_norm_figure},
      {"weight_update_rate",
       "Update per trillion tokens by role",
       section,
       {"/metrics/role_update_rms_per_token"},
       2,
       weight_update_rate_figure},
      {"expert_drift",
       "Drift of single experts since the first checkpoint",
       section,
       {"/metrics/expert_relative_drift"},
       2,
       expert_drift_figure,
       selects_checkpoint | selects_moe_layer},
  };
}

std::vector<FigureEntry> path_entries() {
  const std::string section = "The way of the weights";
  return {
      {"weight_trajectory",
       "Trajectory of the weights in the plane of most movement",
       section,
       {"/metrics/role_trajectory_coordinate", "/metrics/role_trajectory_share"},
       3,
       weight_trajectory_figure},
      {"update_direction",
       "Direction of the updates",
       section,
       {"/metrics/role_update_direction"},
       3,
       update_direction_figure},
      {"weight_path_length",
       "Length of the weights' path by role",
       section,
       {"/metrics/role_path_length", "/metrics/role_norm"},
       2,
       weight_path_length_figure},
      {"weight_tortuosity",
       "Tortuosity of the weights' path by role",
       section,
       {"/metrics/role_tortuosity"},
       3,
       weight_tortuosity_figure},
  };
}

std::vector<FigureEntry> spectrum_entries() {
  const std::string section = "Spectra";
  return {
      {"router_stable_rank",
       "Stable rank of the routers by layer",
       section,
       {"/weights/stable_rank", "/moe_layer"},
       1,
       router_stable_rank_figure,
       selects_moe_layer},
      {"router_effective_rank",
       "Effective rank of the routers by layer",
       section,
       {"/weights/effective_rank", "/moe_layer"},
       1,
       router_effective_rank_figure,
       selects_moe_layer},
      {"router_row_cosine",
       "Likeness of the router's rows",
       section,
       {"/weights/router_row_cosine"},
       1,
       router_row_cosine_figure,
       selects_checkpoint | selects_moe_layer},
      {"expert_alpha",
       "Power-law exponent of the routed experts by layer",
       section,
       {"/weights/power_law_alpha", "/moe_layer"},
       1,
       expert_alpha_figure,
       selects_moe_layer},
  };
}

std::vector<FigureEntry> pass_entries() {
  const std::string section = "The run itself";
  return {
      {"pass_time",
       "Time of the forward pass by layer",
       section,
       {"/io/read_seconds", "/io/wait_seconds", "/io/compute_seconds", "/io/flops", "/io/wall_seconds",
        "/io/overlap_efficiency"},
       1,
       pass_time_figure,
       selects_checkpoint},
  };
}

std::vector<FigureEntry> all_entries() {
  std::vector<FigureEntry> all;
  for (const auto& part : {loss_entries(), load_entries(), router_entries(), settling_entries(),
                           weight_entries(), path_entries(), spectrum_entries(), pass_entries()})
    all.insert(all.end(), part.begin(), part.end());
  return all;
}

}  // namespace

std::span<const FigureEntry> figure_table() {
  static const std::vector<FigureEntry> table = all_entries();
  return table;
}

namespace {

/// Whether anything but NaN is recorded yet; row by row, until something is found.
bool has_value(const RunFile& run, const std::string& dataset) {
  const ElementType type = run.describe(dataset).type;
  if (type != ElementType::f4 && type != ElementType::f8) return true;
  Slab row{{}, run.shape(dataset)};
  row.start.resize(row.count.size());
  for (const std::uint64_t rows = std::exchange(row.count.at(0), 1); row.start[0] < rows; ++row.start[0]) {
    const std::vector<double> values = run.read<double>(dataset, row);
    if (!std::ranges::all_of(values, [](double value) { return std::isnan(value); })) return true;
  }
  return false;
}

}  // namespace

std::string figure_unavailable(const RunFile& run, const FigureEntry& entry) {
  for (const std::string& path : entry.needs) {
    if (!run.contains(path)) return "the run file holds no " + path;
    for (const std::uint64_t extent : checked_shape(run, path)) {
      if (extent == 0) return path + " is empty";
    }
    if (!has_value(run, path)) return path + " holds no number: it is not measured yet, or not defined here";
  }
  const std::uint64_t checkpoints = run.shape("/checkpoint").at(0);
  if (checkpoints >= entry.checkpoints_needed) return {};
  if (checkpoints > 1) return "it shows a change of direction, and the run file holds two checkpoints";
  return "it shows a change, and the run file holds one checkpoint";
}

namespace {

/// The ids of the figures for which a selection means something.
std::vector<std::string> figures_selecting(unsigned selection) {
  std::vector<std::string> ids;
  for (const FigureEntry& entry : figure_table()) {
    if (entry.selects & selection) ids.push_back(entry.id);
  }
  return ids;
}

/// The label that `given` means, or nothing where nothing was given.
std::string chosen_label(const FigureEntry& entry, const std::vector<std::string>& labels,
                         const std::string& given, const std::string& what, unsigned selection) {
  if (given.empty()) return given;
  if (entry.selects & selection) return labels[find_label(labels, given, 0, what)];
  throw UsageError("figure '" + entry.id + "': --" + what + " chooses nothing there",
                   "it chooses in " + name_list(figures_selecting(selection)));
}

FigureChoice known_choice(const RunFile& run, const FigureEntry& entry, const FigureChoice& choice) {
  const RunLabels labels = read_labels(run);
  const auto& layers = entry.selects & selects_layer ? labels.layers : labels.moe_layers;
  return {chosen_label(entry, labels.checkpoints, choice.checkpoint, "checkpoint", selects_checkpoint),
          chosen_label(entry, labels.domains, choice.domain, "domain", selects_domain),
          chosen_label(entry, layers, choice.layer, "layer", selects_moe_layer | selects_layer)};
}

}  // namespace

Figure build_figure(const RunFile& run, std::string_view id, const FigureChoice& choice) {
  std::vector<std::string> ids;
  for (const FigureEntry& entry : figure_table()) {
    ids.push_back(entry.id);
    if (entry.id != id) continue;
    const FigureChoice known = known_choice(run, entry, choice);
    const std::string reason = figure_unavailable(run, entry);
    if (!reason.empty()) throw FormatError(run.path().string(), "figure '" + entry.id + "'", reason);
    Figure figure = entry.build(run, known);
    if (!has_number(figure))
      throw FormatError(run.path().string(), "figure '" + entry.id + "'", figure_without_number);
    return figure;
  }
  const std::vector<std::string> near = closest_names(id, ids);
  throw UsageError(
      "no figure is called '" + std::string(id) + "'",
      (near.empty() ? "" : "did you mean " + name_list(near) + "? ") + "moescope plot --list names them all");
}

}  // namespace moescope
