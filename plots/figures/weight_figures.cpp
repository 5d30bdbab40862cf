#include "plots/figures/weight_figures.h"

#include <limits>

#include "metrics/catalogue/catalogue.h"
#include "metrics/entry/metric.h"
#include "metrics/entry/metric_names.h"
#include "plots/figures/line_figures.h"
#include "plots/figures/metric_lines.h"

namespace moescope {
namespace {

Figure weight_norm_figure(const RunFile& run, const FigureChoice&) {
  Figure figure = role_lines(run, metric_named(metric::role_norm),
                             {.title = "Norm of the weights relative to the first checkpoint",
                              .y_label = "norm, times that of {first}"},
                             [](const Values& norm, std::size_t c, std::size_t role) {
                               return norm.at(c, role) / norm.at(0, role);
                             });
  figure.caption =
      "Frobenius norm of all weights of a role together, relative to the first checkpoint: above 1 the role "
      "has grown, below 1 it has shrunk.";
  figure.formula = "norm(W_c) / norm(W_first)";
  return figure;
}

Figure weight_update_rate_figure(const RunFile& run, const FigureChoice&) {
  Figure figure =
      role_lines(run, metric_named(metric::role_update_rms_per_token),
                 {.title = "Update per trillion tokens by role",
                  .y_label = "root mean square update per trillion tokens"},
                 [](const Values& rate, std::size_t c, std::size_t role) {
                   return c == 0 ? std::numeric_limits<double>::quiet_NaN() : 1e12 * rate.at(c - 1, role);
                 });
  figure.caption =
      "How far an average weight of a role moved per trillion tokens of training, in the step from one "
      "checkpoint to the next, drawn at the later one; long gaps look slower, because steps partly undo each "
      "other.";
  if (read_labels(run).tokens_are_as_named)
    figure.caption += " Tokens are counted as the checkpoints' names do.";
  figure.formula = "norm(D_i) / sqrt(elements) / (tokens_(i+1) - tokens_i), tokens in trillions";
  figure.y.logarithmic = true;
  return figure;
}

}  // namespace

std::vector<FigureEntry> weight_figures() {
  return {
      {.id = "weight_norm",
       .title = "Norm of the weights by role",
       .needs = {metric_path(metric::role_norm)},
       .build = weight_norm_figure},
      {.id = "weight_update_rate",
       .title = "Update per trillion tokens by role",
       .needs = {metric_path(metric::role_update_rms_per_token)},
       .checkpoints_needed = 2,
       .build = weight_update_rate_figure},
  };
}

}  // namespace moescope
