#include "plots/figures/spectrum_figures.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "plots/figure/figure_text.h"
#include "plots/figures/line_figures.h"
#include "plots/figures/run_values.h"
#include "readers/recorded/recorded_config.h"
#include "readers/recorded/recorded_keys.h"
#include "readers/schema/datasets.h"

namespace moescope {
namespace {

using IsWanted = bool (*)(const WeightKey&);

/// Indices of the wanted tensors of each MoE layer.
std::vector<std::vector<std::size_t>> tensors_by_layer(const RunFile& run, const RunLabels& labels,
                                                       IsWanted wanted) {
  const std::vector<WeightKey> keys = recorded_keys(run);
  std::vector<std::vector<std::size_t>> tensors;
  for (const std::string& label : labels.moe_layers) {
    tensors.emplace_back();
    const std::int64_t layer = std::stoll(label);
    for (std::size_t w = 0; w < keys.size(); ++w) {
      if (keys[w].layer == layer && wanted(keys[w])) tensors.back().push_back(w);
    }
  }
  return tensors;
}

bool is_router(const WeightKey& key) {
  return key.role == Role::router;
}

bool is_routed_expert(const WeightKey& key) {
  return key.expert >= 0;
}

/// One line per MoE layer, or that of the chosen one: the median of `path` (C, W) over the wanted tensors of
/// the layer. Layers without a value are left out. The caption ends with how to read the layers.
Figure layer_figure(const RunFile& run, const FigureChoice& choice, const std::string& path, IsWanted wanted,
                    const std::string& title, const std::string& caption) {
  const RunLabels labels = read_labels(run);
  const Progress progress = training_progress(labels);
  const Values values = read_values(run, path);
  const auto tensors = tensors_by_layer(run, labels, wanted);
  Figure figure;
  figure.title = title;
  name_chosen_layer(figure, choice);
  figure.caption = caption + std::string(layers_reading);
  figure.x = progress.axis;
  color_by_layer(figure, labels);
  Panel& panel = figure.panels.emplace_back();
  for (const std::size_t layer : chosen_indices(labels.moe_layers, choice.layer)) {
    Series series = progress_line("layer " + labels.moe_layers[layer], layer, progress);
    for (std::size_t c = 0; c < progress.x.size(); ++c) {
      std::vector<double> of_layer;
      for (const std::size_t w : tensors[layer]) of_layer.push_back(values.at(c, w));
      series.y.push_back(quantile_of(std::move(of_layer), 0.5));
    }
    if (std::ranges::any_of(series.y, [](double y) { return std::isfinite(y); }))
      panel.series.push_back(std::move(series));
  }
  return figure;
}

/// Of a Gaussian matrix with short side n and long side m: n m over the mean of its largest squared singular
/// value, which lies below the asymptotic edge (sqrt n + sqrt m)² by 1.2065 widths of the Tracy-Widom law of
/// real matrices (Johnstone 2001, with the centring of Ma 2012).
double random_stable_rank(double n, double m) {
  const double short_side = std::sqrt(n - 0.5), long_side = std::sqrt(m - 0.5);
  const double edge = short_side + long_side;
  const double width = edge * std::cbrt(1 / short_side + 1 / long_side);
  return n * m / (edge * edge - 1.2065335745820 * width);
}

/// E rows and H columns.
std::pair<double, double> router_sides(const RunFile& run) {
  const ModelConfig config = recorded_config(run);
  const auto e = static_cast<double>(config.n_routed_experts), h = static_cast<double>(config.hidden_size);
  return {std::min(e, h), std::max(e, h)};
}

/// The first, a middle and the last of `count`.
std::set<std::size_t> shown_layers(std::size_t count) {
  return {0, count / 2, count - 1};
}

/// (E, E) of one layer; the diagonal, which is always 1, is left out.
std::vector<double> row_cosines_of(const RunFile& run, std::size_t checkpoint, std::size_t layer,
                                   std::size_t experts) {
  std::vector<double> cosines = run.read<double>(dataset::weights_router_row_cosine,
                                                 {{checkpoint, layer, 0, 0}, {1, 1, experts, experts}});
  for (std::size_t e = 0; e < experts; ++e)
    cosines[e * experts + e] = std::numeric_limits<double>::quiet_NaN();
  return cosines;
}

/// Around 0, as far as the values go.
template <class Value>
ColorScale cosine_scale(std::span<const Value> values) {
  double largest = 0;
  for (const double value : values) {
    if (std::isfinite(value)) largest = std::max(largest, std::abs(value));
  }
  if (largest == 0) largest = 1;
  return {.label = "cosine", .minimum = -largest, .maximum = largest, .logarithmic = false, .centre = 0.0};
}

/// Rank of each layer's router, beside what a random matrix has and what a matrix can have at most.
Figure router_stable_rank_figure(const RunFile& run, const FigureChoice& choice) {
  const auto [n, m] = router_sides(run);
  const double random = random_stable_rank(n, m);
  Figure figure = layer_figure(
      run, choice, dataset::weights_stable_rank, is_router, "Stable rank of the routers",
      "How many directions of the hidden states, each as strong as the strongest, would make up each router. "
      "There is at most one for each expert; below the stable rank of a random matrix, a few directions "
      "decide for many experts. ");
  figure.formula = "norm² / sigma_1²";
  figure.source = "Rudelson and Vershynin, arXiv math/0503442; random matrix: Johnstone 2001, Ma 2012";
  figure.y.label = "stable rank (directions)";
  figure.y.minimum = 0;
  figure.references = {{random, "random matrix " + format_number(random, 3)},
                       {n, "upper bound " + format_number(n, 3)}};
  return figure;
}

Figure router_effective_rank_figure(const RunFile& run, const FigureChoice& choice) {
  const double n = router_sides(run).first;
  Figure figure = layer_figure(
      run, choice, dataset::weights_effective_rank, is_router, "Effective rank of the routers",
      "How many directions of the hidden states each router tells apart, weak ones included. At the upper "
      "bound each expert has a direction of its own, and all are equally strong. ");
  figure.formula = "exp(-sum q ln q), q = sigma / sum sigma";
  figure.source = "Roy and Vetterli, EUSIPCO 2007";
  figure.y.label = "effective rank (directions)";
  figure.references = {{n, "upper bound " + format_number(n, 3)}};
  return figure;
}

/// Power-law exponent of the routed experts by layer: the median over the experts that were measured.
Figure expert_alpha_figure(const RunFile& run, const FigureChoice& choice) {
  Figure figure = layer_figure(
      run, choice, dataset::weights_power_law_alpha, is_routed_expert,
      "Power-law exponent of the routed experts",
      "How heavy the tail of the experts' eigenvalues is: the median over the measured matrices of each "
      "layer. Trained matrices are said to lie between 2 and 6; above, the tail is hardly heavier than that "
      "of noise. An exponent is fitted to any spectrum: with few eigenvalues in the tail, or a large "
      "distance (/weights/power_law_ks_distance), it means little. ");
  figure.formula = "density of eigenvalues ~ lambda^-alpha for lambda >= x_min";
  figure.source = "Martin and Mahoney, arXiv 1810.01075; fitted as WeightWatcher does";
  figure.y.label = "alpha, median over experts";
  figure.y.minimum = 1;
  figure.references = {{2, "alpha 2"}, {6, "alpha 6"}};
  return figure;
}

/// Cosines of the router's rows at the chosen checkpoint, in the first, a middle and the last MoE layer.
Figure router_row_cosine_figure(const RunFile& run, const FigureChoice& choice) {
  const RunLabels labels = read_labels(run);
  const std::size_t experts = labels.experts.size(), layers = labels.moe_layers.size();
  const std::size_t checkpoint = find_checkpoint(labels, choice.checkpoint);
  Figure figure;
  figure.title = "Likeness of the router's rows at " + labels.checkpoints.at(checkpoint);
  name_chosen_layer(figure, choice);
  figure.caption =
      "Cosine of the rows of two experts. Red: the same hidden states call both experts; blue: what calls "
      "one sends the other away; white: independent of each other. By chance cosines are about 1 / sqrt(H) "
      "from 0. Grey: an expert with itself.";
  figure.formula = "<r_e, r_e'> / (norm(r_e) norm(r_e')), r_e a row of the router";
  figure.source = "moescope";
  figure.x.label = figure.y.label = "expert";
  std::vector<double> all;
  const std::vector<std::size_t> chosen = chosen_indices(labels.moe_layers, choice.layer);
  for (const std::size_t layer :
       choice.layer.empty() ? shown_layers(layers) : std::set(chosen.begin(), chosen.end())) {
    Panel& panel = figure.panels.emplace_back();
    panel.title = "layer " + labels.moe_layers[layer];
    panel.heatmap = Heatmap{labels.experts, labels.experts, row_cosines_of(run, checkpoint, layer, experts)};
    all.insert(all.end(), panel.heatmap->values.begin(), panel.heatmap->values.end());
  }
  figure.color_scale = cosine_scale<double>(all);
  return figure;
}

/// The same by checkpoint and layer.
HeatmapExplorer router_row_cosine_explorer(const RunFile& run) {
  const RunLabels labels = read_labels(run);
  const std::size_t experts = labels.experts.size(), checkpoints = labels.checkpoints.size();
  HeatmapExplorer explorer;
  explorer.row_name = "Expert";
  explorer.column_name = "Other expert";
  explorer.value_name = "cosine";
  explorer.row_labels = explorer.column_labels = labels.experts;
  Selector layer = {.name = "MoE layer", .labels = {}};
  const std::set<std::size_t> layers = shown_layers(labels.moe_layers.size());
  for (const std::size_t l : layers) layer.labels.push_back(labels.moe_layers[l]);
  explorer.selectors = {
      {.name = "Checkpoint", .labels = labels.short_checkpoints, .initial = checkpoints - 1, .slider = true},
      std::move(layer)};
  for (std::size_t c = 0; c < checkpoints; ++c) {
    for (const std::size_t l : layers) {
      for (const double value : row_cosines_of(run, c, l, experts))
        explorer.values.push_back(static_cast<float>(value));
    }
  }
  explorer.scales = {cosine_scale<float>(explorer.values)};
  return explorer;
}

}  // namespace

std::vector<FigureEntry> spectrum_figures() {
  return {
      {.id = "router_stable_rank",
       .title = "Stable rank of the routers by layer",
       .needs = {dataset::weights_stable_rank, dataset::moe_layer},
       .build = router_stable_rank_figure,
       .selects = selects_moe_layer},
      {.id = "router_effective_rank",
       .title = "Effective rank of the routers by layer",
       .needs = {dataset::weights_effective_rank, dataset::moe_layer},
       .build = router_effective_rank_figure,
       .selects = selects_moe_layer},
      {.id = "router_row_cosine",
       .title = "Likeness of the router's rows",
       .needs = {dataset::weights_router_row_cosine},
       .build = router_row_cosine_figure,
       .selects = selects_checkpoint | selects_moe_layer,
       .explore = router_row_cosine_explorer},
      {.id = "expert_alpha",
       .title = "Power-law exponent of the routed experts by layer",
       .needs = {dataset::weights_power_law_alpha, dataset::moe_layer},
       .build = expert_alpha_figure,
       .selects = selects_moe_layer},
  };
}

}  // namespace moescope
