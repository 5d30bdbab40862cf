#include "plots/figures/load_figures.h"

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
  const Values load = read_values(run, "/metrics/relative_load");
  const std::size_t checkpoint =
      find_label(labels.checkpoints, choice.checkpoint, last_measured(load), "checkpoint");
  Figure figure = metric_figure(
      run, "relative_load",
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
  const Values load = read_values(run, "/metrics/relative_load");
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
  explorer.even_share = metric_text(run, "expert_load").chance;
  return explorer;
}

Figure max_violation_figure(const RunFile& run, const FigureChoice& choice) {
  return layer_lines(run, choice,
                     {.metric = "max_violation",
                      .pooled_metric = "max_violation_pooled",
                      .y_label = "MaxVio",
                      .from_zero = true});
}

Figure max_violation_by_domain_figure(const RunFile& run, const FigureChoice& choice) {
  Figure figure = domain_lines(run, choice, "max_violation", "MaxVio");
  figure.y.minimum = 0;
  return figure;
}

Figure load_entropy_figure(const RunFile& run, const FigureChoice& choice) {
  return layer_lines(run, choice,
                     {.metric = "load_entropy",
                      .pooled_metric = "load_entropy_pooled",
                      .y_label = "entropy of load, of its maximum ln E"});
}

Figure dead_experts_figure(const RunFile& run, const FigureChoice& choice) {
  Figure figure = domain_lines(run, choice, "dead_experts", "experts without a token");
  const std::string whole = metric_text(run, "dead_experts").description;
  if (const std::size_t at = figure.caption.find(whole); at != std::string::npos) {
    figure.caption.replace(
        at, whole.size(),
        "Experts of a layer that took no token of a domain; with few tokens some look dead by chance, as "
        "random routing would leave them.");
  }
  figure.y.minimum = 0;
  return figure;
}

}  // namespace

std::vector<FigureEntry> load_figures() {
  const std::string section = "Load balance";
  return {
      {.id = "load_heatmap",
       .title = "Expert load by layer and expert",
       .section = section,
       .needs = {"/metrics/relative_load"},
       .build = load_heatmap_figure,
       .selects = selects_checkpoint | selects_domain | selects_moe_layer,
       .explore = load_explorer},
      {.id = "max_violation",
       .title = "MaxVio by layer",
       .section = section,
       .needs = {"/metrics/max_violation"},
       .build = max_violation_figure,
       .selects = selects_domain | selects_moe_layer},
      {.id = "max_violation_by_domain",
       .title = "MaxVio by domain",
       .section = section,
       .needs = {"/metrics/max_violation"},
       .build = max_violation_by_domain_figure,
       .selects = selects_moe_layer},
      {.id = "load_entropy",
       .title = "Entropy of load by layer",
       .section = section,
       .needs = {"/metrics/load_entropy"},
       .build = load_entropy_figure,
       .selects = selects_domain | selects_moe_layer},
      {.id = "dead_experts",
       .title = "Dead experts by domain",
       .section = section,
       .needs = {"/metrics/dead_experts"},
       .build = dead_experts_figure,
       .selects = selects_moe_layer},
  };
}

}  // namespace moescope
