#include "plots/figures/loss_figures.h"

#include "plots/figures/line_figures.h"

namespace moescope {
namespace {

Figure loss_figure(const RunFile& run, const FigureChoice&) {
  const RunLabels labels = read_labels(run);
  const Progress progress = training_progress(labels);
  const Values loss = read_values(run, "/metrics/loss");
  Figure figure = metric_figure(
      run, "loss",
      "One line per domain: the distance between two is how much higher the loss is on one of them.");
  figure.title = "Loss by domain";
  figure.x = progress.axis;
  figure.y.label = "mean loss (nat per token)";
  Panel& panel = figure.panels.emplace_back();
  for (std::size_t d = 0; d < labels.domains.size(); ++d) {
    Series& series = panel.series.emplace_back(progress_line(labels.domains[d], d, progress));
    for (std::size_t c = 0; c < progress.x.size(); ++c) series.y.push_back(loss.at(c, d));
  }
  return figure;
}

}  // namespace

std::vector<FigureEntry> loss_figures() {
  const std::string section = "Loss";
  return {
      {.id = "loss",
       .title = "Loss by domain",
       .section = section,
       .needs = {"/metrics/loss"},
       .build = loss_figure},
  };
}

}  // namespace moescope
