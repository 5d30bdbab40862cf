#pragma once
/// What many figures share.

#include <span>
#include <string>

#include "plots/figure/figure.h"
#include "plots/figures/figure_entry.h"
#include "plots/figures/run_values.h"

namespace moescope {

/// A figure with the words of metric `name`: title, formula, source, caption = its description and `reading`,
/// its chance level and bounds divided by `unit_size`. A lower bound is no line where it is the `bottom` of
/// the axis, or 0.
Figure metric_figure(const RunFile& run, const std::string& name, const std::string& reading,
                     double unit_size = 1, double bottom = 0);

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

/// Bands of more lines than this would cover each other.
inline constexpr std::size_t most_bands = 6;

/// How to read a mean over layers with a band, as a sentence; without the band where `lines` are too many.
std::string over_layers_reading(std::size_t lines);
/// "mean over layers", or the one layer that was chosen.
std::string over_layers_label(const FigureChoice& choice);

/// Says in the title which layer was chosen, if one was.
void name_chosen_layer(Figure& figure, const FigureChoice& choice);

}  // namespace moescope
