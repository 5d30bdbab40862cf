#include "plots/figures/load_figures.h"

#include "metrics/entry/metric.h"
#include "metrics/entry/metric_names.h"
#include "plots/figures/line_figures.h"

namespace moescope {
namespace {

/// Colours of relative load: an eighth to eight times an even share.
ColorScale relative_load_scale() {
  return {.label = "load, times an even share",
          .minimum = 0.125,
          .maximum = 8,
          .logarithmic = true,
          .centre = 1.0};
}

/// Layers x experts, one panel per domain or the chosen domain, at the chosen checkpoint.
Figure load_heatmap_figure(const RunFile& run, const FigureChoice& choice) {
  const RunLabels labels = read_labels(run);
  const Values load = read_metric(run, metric::relative_load);
  const std::size_t checkpoint =
      find_label(labels.checkpoints, choice.checkpoint, last_measured(load), "checkpoint");
  Figure figure = metric_figure(
      run, metric::relative_load,
      "White is an even share, red is used more, blue less; the scale ends at 1/8 and 8 times.");
  figure.references.clear();
  figure.title = "Expert load at " + labels.checkpoints.at(checkpoint);
  figure.x.label = "expert";
  figure.y.label = "MoE layer";
  figure.rows_upward = true;
  figure.color_scale = relative_load_scale();
  const std::size_t only = find_label(labels.domains, choice.domain, labels.domains.size(), "domain");
  for (std::size_t d = 0; d < labels.domains.size(); ++d) {
    if (only < labels.domains.size() && d != only) continue;
    Panel& panel = figure.panels.emplace_back();
    panel.title = labels.domains[d];
    panel.heatmap = Heatmap{{}, labels.experts, {}};
    for (const std::size_t layer : chosen_indices(labels.moe_layers, choice.layer)) {
      panel.heatmap->row_labels.push_back(labels.moe_layers[layer]);
      for (std::size_t expert = 0; expert < labels.experts.size(); ++expert) {
        panel.heatmap->values.push_back(load.at(checkpoint, d, layer, expert));
      }
    }
  }
  if (figure.panels.size() == 1) figure.title += ", " + figure.panels[0].title;
  name_chosen_layer(figure, choice);
  return figure;
}

/// Load by checkpoint and domain, "all domains" first.
HeatmapExplorer load_explorer(const RunFile& run) {
  const RunLabels labels = read_labels(run);
  const Values load = read_metric(run, metric::relative_load);
  const Values pooled = average_over_domains(run, load);
  const std::size_t domains = labels.domains.size();
  const std::size_t cells = labels.moe_layers.size() * labels.experts.size();
  HeatmapExplorer explorer = expert_explorer(labels);
  explorer.value_name = "times an even share";
  Selector domain = {.name = "Domain", .labels = labels.domains, .initial = 0, .slider = false};
  domain.labels.insert(domain.labels.begin(), "all domains");
  explorer.selectors = {checkpoint_slider(labels.short_checkpoints), std::move(domain)};
  explorer.selectors[0].initial = last_measured(load);
  for (std::size_t c = 0; c < labels.checkpoints.size(); ++c) {
    append(explorer.values, std::span(pooled.data).subspan(c * cells, cells));
    append(explorer.values, std::span(load.data).subspan(c * domains * cells, domains * cells));
  }
  explorer.scales = {relative_load_scale()};
  explorer.sortable = true;
  explorer.even_share = metric_text(run, metric::expert_load).chance;
  return explorer;
}

}  // namespace

std::vector<FigureEntry> load_figures() {
  return {
      {.id = "load_heatmap",
       .title = "Expert load by layer and expert",
       .needs = {metric_path(metric::relative_load)},
       .build = load_heatmap_figure,
       .selects = selects_checkpoint | selects_domain | selects_moe_layer,
       .explore = load_explorer},
  };
}

}  // namespace moescope
