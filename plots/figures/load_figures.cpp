#include "plots/figures/load_figures.h"

#include "plots/figures/line_figures.h"

namespace moescope {

ColorScale relative_load_scale() {
  return {.label = "load, times an even share",
          .minimum = 0.125,
          .maximum = 8,
          .logarithmic = true,
          .centre = 1.0};
}

Figure load_heatmap_figure(const RunFile& run, const FigureChoice& choice) {
  const RunLabels labels = read_labels(run);
  const Values load = read_values(run, "/metrics/relative_load");
  const std::size_t checkpoint =
      find_label(labels.checkpoints, choice.checkpoint, last_measured(load), "checkpoint");
  Figure figure = metric_figure(
      run, "relative_load",
      "White is an even share, red is used more, blue less; the scale ends at 1/8 and 8 times.");
  figure.references.clear();
  figure.id = "load_heatmap";
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

Figure max_violation_figure(const RunFile& run, const FigureChoice& choice) {
  return layer_lines(run, choice,
                     {.id = "max_violation",
                      .metric = "max_violation",
                      .pooled_metric = "max_violation_pooled",
                      .y_label = "MaxVio",
                      .from_zero = true});
}

Figure max_violation_by_domain_figure(const RunFile& run, const FigureChoice& choice) {
  Figure figure = domain_lines(run, choice, "max_violation", "MaxVio");
  figure.id = "max_violation_by_domain";
  figure.y.minimum = 0;
  return figure;
}

Figure load_entropy_figure(const RunFile& run, const FigureChoice& choice) {
  return layer_lines(run, choice,
                     {.id = "load_entropy",
                      .metric = "load_entropy",
                      .pooled_metric = "load_entropy_pooled",
                      .y_label = "entropy of load, of its maximum ln E"});
}

Figure dead_experts_figure(const RunFile& run, const FigureChoice& choice) {
  Figure figure = domain_lines(run, choice, "dead_experts", "experts without a token");
  figure.id = "dead_experts";
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

}  // namespace moescope
