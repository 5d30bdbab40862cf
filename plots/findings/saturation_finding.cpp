#include "plots/findings/saturation_finding.h"

#include <algorithm>
#include <cmath>

#include "metrics/entry/metric_names.h"
#include "plots/figure/figure_text.h"
#include "plots/findings/course.h"
#include "plots/findings/half_way.h"
#include "plots/findings/wording.h"

namespace moescope {
namespace {

/// Where saturation is half-way from chance to 1, between which checkpoints.
std::string half_way_text(const ReportFacts& facts, const Course& saturation) {
  const std::optional<double> chance = chance_of(facts, metric::router_saturation);
  if (!chance) return "";
  const std::optional<std::size_t> after = half_way_step(saturation.values, *chance);
  if (!after) return "";
  if (*after + 1 == saturation.values.size())
    return " Before that it does not come half-way from chance to 1.";
  return " It is half-way from chance to 1 between " + saturation.name(*after - 1) + " and " +
         saturation.name(*after) + ".";
}

std::string one_before_last(const ReportFacts& facts) {
  if (facts.checkpoints.size() < 3) return "";
  const CheckpointFacts& before = facts.checkpoints[facts.checkpoints.size() - 2];
  const LayerFacts& saturation = before.of(metric::router_saturation);
  if (!std::isfinite(saturation.mean)) return "";
  std::string text =
      " At " + before.name + ", the checkpoint before, it is " + format_percent(saturation.mean);
  const Extreme least = extreme(saturation.layers, End::least), most = extreme(saturation.layers, End::most);
  if (least.text != most.text) {
    text += ", least in " + layers_text(facts, least.which) + " (" +
            format_percent(saturation.layers[least.which[0]]) + ")";
  }
  return text + "." + fewer_layers(before, saturation);
}

bool has_saturation(const ReportFacts& facts) {
  const Course saturation(facts, metric::router_saturation);
  return !takes_all(facts) && saturation.known() && saturation.is_change() &&
         saturation.last + 1 == facts.checkpoints.size();
}

std::string saturation_text(const ReportFacts& facts) {
  const Course saturation(facts, metric::router_saturation);
  const std::string& last = facts.checkpoints.back().name;
  const std::string name = over_layers(facts, "Router saturation");
  if (std::ranges::all_of(saturation.values, [](double value) { return value == 1; })) {
    return name + "is 1 at every checkpoint: all choose the experts of " + last + ".";
  }
  std::string text = name + "is " + format_number(saturation.values[saturation.first], 3) + " at " +
                     saturation.name(saturation.first);
  if (const auto chance = chance_of(facts, metric::router_saturation))
    text += " (chance " + format_number(*chance, 3) + ")";
  text += " and by definition 1 at " + last + ", with whose choices it compares.";
  const CheckpointFacts& first = facts.checkpoints[saturation.first];
  return text + saturation.gaps() + fewer_layers(first, first.of(metric::router_saturation)) +
         half_way_text(facts, saturation) + one_before_last(facts);
}

/// The place on the horizontal axis, or the checkpoint, where saturation is half-way from chance to 1;
/// nothing where only the last checkpoint, which is compared with itself, is beyond.
std::optional<Headline> half_way_headline(const ReportFacts& facts) {
  const Course saturation(facts, metric::router_saturation);
  const std::optional<double> chance = chance_of(facts, metric::router_saturation);
  if (!chance || takes_all(facts)) return std::nullopt;
  const std::optional<std::size_t> after = half_way_step(saturation.values, *chance);
  if (!after || *after + 1 == saturation.values.size()) return std::nullopt;
  Headline headline = {"Saturation half-way", {}, {}, {}, saturation.values};
  const std::string meaning =
      "from chance to 1, at " + facts.labels.short_checkpoints.back() + " by definition";
  const Progress progress = training_progress(facts.labels);
  if (progress.axis.tick_labels.empty()) {
    const double x = half_way(progress.x, saturation.values, *chance);
    headline.value = format_number(x, 2) + progress.axis.tick_suffix;
    headline.change = progress.quantity;
    headline.meaning = meaning;
  } else {
    headline.value = facts.labels.short_checkpoints[*after];
    headline.meaning = "or more " + meaning;
  }
  return headline;
}

}  // namespace

Finding saturation_finding() {
  return {has_saturation, saturation_text, half_way_headline};
}

}  // namespace moescope
