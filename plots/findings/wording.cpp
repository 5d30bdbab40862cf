#include "plots/findings/wording.h"

#include <cmath>

#include "plots/figure/figure_text.h"
#include "readers/text/name_list.h"

namespace moescope {

std::vector<std::string> selected(const std::vector<std::string>& labels,
                                  const std::vector<std::size_t>& which) {
  std::vector<std::string> names;
  for (const std::size_t i : which) names.push_back(labels[i]);
  return names;
}

std::vector<std::size_t> not_finite(const std::vector<double>& values) {
  std::vector<std::size_t> which;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) which.push_back(i);
  }
  return which;
}

std::size_t known_count(const std::vector<double>& values) {
  return values.size() - not_finite(values).size();
}

Extreme extreme(const std::vector<double>& values, End end) {
  double best = unknown_number;
  for (const double value : values) {
    if (!std::isfinite(value)) continue;
    if (std::isnan(best) || (end == End::most ? value > best : value < best)) best = value;
  }
  if (std::isnan(best)) return {};
  Extreme result = {{}, format_number(best, 3)};
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i]) && format_number(values[i], 3) == result.text) result.which.push_back(i);
  }
  return result;
}

std::string layers_text(const ReportFacts& facts, const std::vector<std::size_t>& which) {
  return (which.size() == 1 ? "layer " : "layers ") +
         names_in_words(selected(facts.labels.moe_layers, which));
}

std::string over_layers(const ReportFacts& facts, const std::string& name, const std::string& domains) {
  const bool several = facts.labels.domains.size() > 1 && !domains.empty();
  if (facts.labels.moe_layers.size() == 1)
    return name + " of layer " + facts.labels.moe_layers[0] + (several ? ", " + domains + ", " : " ");
  return name + ", averaged over layers" + (several ? " and " + domains : "") + ", ";
}

std::string over_layers_meaning(const ReportFacts& facts) {
  const std::vector<std::string>& layers = facts.labels.moe_layers;
  return layers.size() == 1 ? "of layer " + layers[0] : "mean over layers";
}

std::string fewer_layers(const CheckpointFacts& checkpoint, const LayerFacts& layers) {
  if (!layers.is_partial() || layers.known() == 0) return "";
  return " At " + checkpoint.name + " the mean is over " + std::to_string(layers.known()) + " of " +
         std::to_string(layers.layers.size()) + " layers.";
}

std::string fewer_layers(const Course& course, const char* metric) {
  const auto at = [&](std::size_t c) {
    const CheckpointFacts& checkpoint = course.facts.checkpoints[c];
    return fewer_layers(checkpoint, checkpoint.of(metric));
  };
  return at(course.first) + (course.is_change() ? at(course.last) : "");
}

bool takes_all(const ReportFacts& facts) {
  return facts.experts_per_token > 0 && facts.experts_per_token == facts.labels.experts.size();
}

}  // namespace moescope
