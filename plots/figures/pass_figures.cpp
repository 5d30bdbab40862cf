#include "plots/figures/pass_figures.h"

#include <algorithm>
#include <numeric>

#include "plots/figure/figure_text.h"
#include "plots/figures/run_values.h"
#include "readers/schema/datasets.h"

namespace moescope {
namespace {

/// One checkpoint's row of a [checkpoint, pass_part] dataset.
std::vector<double> parts_of(const RunFile& run, const std::string& path, std::size_t checkpoint) {
  const Values values = read_values(run, path);
  const auto begin = values.data.begin() + static_cast<std::ptrdiff_t>(checkpoint * values.shape[1]);
  return {begin, begin + static_cast<std::ptrdiff_t>(values.shape[1])};
}

std::string seconds_text(double seconds) {
  return seconds < 1 ? format_number(1000 * seconds, 3) + " ms" : format_number(seconds, 3) + " s";
}

/// "12.1 GFLOP/s".
std::string rate_text(double flops_per_second) {
  return format_number(flops_per_second / 1e9, 3) + " GFLOP/s";
}

/// The lines' values are in units of `unit_size` seconds. The parts outside the layers have no place on the
/// axis.
Series layer_series(const std::string& label, const std::vector<double>& seconds, double unit_size,
                    std::size_t color) {
  Series series;
  series.label = label;
  series.color = color;
  for (std::size_t part = 1; part + 1 < seconds.size(); ++part) {
    series.x.push_back(static_cast<double>(part - 1));
    series.y.push_back(seconds[part] / unit_size);
  }
  return series;
}

std::string caption(const RunFile& run, std::size_t c) {
  const double wall = read_values(run, dataset::io_wall_seconds).data[c];
  const std::vector<double> flops = parts_of(run, dataset::io_flops, c),
                            wait = parts_of(run, dataset::io_wait_seconds, c),
                            compute = parts_of(run, dataset::io_compute_seconds, c);
  const double rate = std::accumulate(flops.begin(), flops.end(), 0.0) / wall;
  return "Where the forward pass of " + read_labels(run).checkpoints[c] + " spent its " + seconds_text(wall) +
         ", at " + rate_text(rate) +
         ". Reading runs ahead and is hidden while it takes less than computing; waiting is the part of it "
         "that was not hidden. The head took " +
         seconds_text(wait.back() + compute.back()) + ", the embedding " +
         seconds_text(wait.front() + compute.front()) + "; overlap efficiency " +
         format_percent(read_values(run, dataset::io_overlap_efficiency).data[c]) + ".";
}

/// Reading, waiting and computing of each layer in the chosen checkpoint's forward pass; without a choice the
/// last one that was measured.
Figure pass_time_figure(const RunFile& run, const FigureChoice& choice) {
  const RunLabels labels = read_labels(run);
  const std::size_t measured = last_measured(read_values(run, dataset::io_wall_seconds));
  const std::size_t c = find_label(labels.checkpoints, choice.checkpoint, measured, "checkpoint");
  const std::vector<double> read = parts_of(run, dataset::io_read_seconds, c),
                            wait = parts_of(run, dataset::io_wait_seconds, c),
                            compute = parts_of(run, dataset::io_compute_seconds, c);
  const double slowest = std::max(*std::max_element(read.begin(), read.end()),
                                  *std::max_element(compute.begin(), compute.end()));
  const double unit_size = slowest < 1 ? 1e-3 : 1;

  Figure figure;
  figure.title = "Time of the forward pass by layer, " + labels.checkpoints.at(c);
  figure.caption = run.read(dataset::io_wall_seconds, {{c}, {1}})[0] > 0
                       ? caption(run, c)
                       : "The forward pass has not been measured.";
  figure.formula = "overlap efficiency = max(sum read, sum compute) / wall";
  figure.source = "Measured in this run, on the machine that made the run file";
  figure.x.label = "layer";
  figure.x.tick_labels = labels.layers;
  figure.y.label = unit_size < 1 ? "time per layer (ms)" : "time per layer (s)";
  figure.y.minimum = 0;
  Panel& panel = figure.panels.emplace_back();
  panel.series = {layer_series("computing", compute, unit_size, 0),
                  layer_series("reading", read, unit_size, 1), layer_series("waiting", wait, unit_size, 2)};
  return figure;
}

}  // namespace

std::vector<FigureEntry> pass_figures() {
  return {
      {.id = "pass_time",
       .title = "Time of the forward pass by layer",
       .needs = {dataset::io_read_seconds, dataset::io_wait_seconds, dataset::io_compute_seconds,
                 dataset::io_flops, dataset::io_wall_seconds, dataset::io_overlap_efficiency},
       .build = pass_time_figure,
       .selects = selects_checkpoint},
  };
}

}  // namespace moescope
