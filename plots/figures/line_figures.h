#pragma once
/// Shapes that many figures share: a metric against training, one line per layer or per domain.

#include <functional>
#include <string>

#include "plots/figure/figure.h"
#include "plots/figures/figure_entry.h"
#include "plots/figures/run_values.h"

namespace moescope {

/// A figure with the words of metric `name`: title, formula, source, caption = its description and `reading`,
/// its chance level and bounds divided by `unit_size`.
Figure metric_figure(const RunFile& run, const std::string& name, const std::string& reading,
                     double unit_size = 1);

/// What random routing gives, as a line, or as a band where it differs from domain to domain. Nothing without
/// `levels`.
void add_random_routing(Figure& figure, const std::vector<double>& levels, double unit_size = 1);

/// Over how many layers the means of a figure are.
class LayerCoverage {
 public:
  /// A mean at `place` ("tiny-3T, prose") of `values`, of which those that are NaN are left out.
  void add(const std::string& place, std::span<const double> values);
  /// What a reader must know: " Where a layer has no value …"; empty where no mean leaves any out.
  std::string sentence() const;

 private:
  std::string place_;                   // of the mean over the fewest layers
  std::size_t known_ = 0, layers_ = 0;  // there; 0 layers: none leaves any out
};

/// A line without points yet: where it has them from left to right.
Series progress_line(const std::string& label, std::size_t color, const Progress& progress);

/// Colours that tell which MoE layer a line is of: Series::color is its index.
void color_by_layer(Figure& figure, const RunLabels& labels);
/// How to read them, as a sentence.
inline constexpr const char* layers_reading = "One line per MoE layer, from dark (first) to bright (last).";

/// What to draw of a metric by layer.
struct LayerLines {
  std::string metric;  // /metrics/NAME: [C, D, L], averaged over domains; or [C, L]
  std::string
      pooled_metric;  // /metrics/NAME [C, L] over all domains' tokens, preferred to the average; may be empty
  std::string y_label;
  double unit_size = 1;    // values are divided by it
  bool from_zero = false;  // the vertical axis begins at 0
  std::optional<double> top = {};
};
/// One line per MoE layer, or that of the chosen one; of the chosen domain or of all domains together.
Figure layer_lines(const RunFile& run, const FigureChoice& choice, const LayerLines& what);

/// Bands of more lines than this would cover each other.
inline constexpr std::size_t most_bands = 6;

/// How to read a mean over layers with a band, as a sentence; without the band where `lines` are too many.
std::string over_layers_reading(std::size_t lines);
/// "mean over layers", or the one layer that was chosen.
std::string over_layers_label(const FigureChoice& choice);

/// One line per domain of `metric` [C, D, L]: the mean over layers, with a band from the 5 % to the 95 %
/// quantile of layers; or the chosen layer.
Figure domain_lines(const RunFile& run, const FigureChoice& choice, const std::string& metric,
                    const std::string& y_label);

/// Says in the title which layer was chosen, if one was.
void name_chosen_layer(Figure& figure, const FigureChoice& choice);

/// What to draw of a metric by role.
struct RoleLines {
  std::string title;
  std::string metric;   // /metrics/NAME
  std::string reading;  // how to read it, after the metric's description; may be empty
  std::string y_label;
};
/// One line per role of `value`(the metric, checkpoint, role); roles without a value are left out.
Figure role_lines(
    const RunFile& run, const RoleLines& what,
    const std::function<double(const Values& metric, std::size_t checkpoint, std::size_t role)>& value);

}  // namespace moescope
