#pragma once
/// A figure of one metric that needs no code. What is drawn follows from the dimensions of the metric: lines
/// over training, one for each layer, domain or role; or a map of checkpoints by checkpoints.

#include <optional>
#include <string>

namespace moescope {

/// Headings of the report below which figures stand.
namespace section {
inline constexpr const char* loss = "Loss";
inline constexpr const char* load = "Load balance";
inline constexpr const char* router = "Router";
inline constexpr const char* saturation = "Routing over time";
inline constexpr const char* weights = "Weights";
inline constexpr const char* path = "The way of the weights";
inline constexpr const char* spectra = "Spectra";
inline constexpr const char* run = "The run itself";
}  // namespace section

/// In texts, {first} and {last} stand for the short names of these checkpoints of a run.
struct MetricFigure {
  std::string id = {};     // of the figure
  std::string title = {};  // in lists of figures: "MaxVio by layer"
  std::string section = {};
  std::string y_label = {};     // of values: beside the vertical axis, or the colours of a map
  std::string caption = {};     // in place of the metric's description; may be empty
  std::string reading = {};     // how to read the lines, where that does not follow from them
  std::string cell = {};        // of maps: what a cell tells, after its number: "of the experts in common"
  std::string formula = {};     // in place of the metric's; may be empty
  bool by_domain = false;       // of a metric by domain and layer: one line per domain, else per layer
  bool of_upper_bound = false;  // values are shown as shares of the metric's upper bound
  std::optional<double> bottom = {}, top = {};  // of the vertical axis; absent: from the data
  int checkpoints_needed = 1;                   // 2 where it shows a change
};

}  // namespace moescope
