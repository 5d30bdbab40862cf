#include "cli/comparison_text.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <map>
#include <utility>

#include "cli/terminal.h"
#include "readers/model/role_words.h"
#include "readers/text/name_list.h"

namespace moescope {
namespace {

using Align = Table::Align;

// Four digits, so that a column lines up.
std::string significant(double value) {
  if (std::isnan(value)) return "-";
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%#.4g", value);
  return buffer;
}

// Nothing and next to nothing look different.
std::string drift_text(const WeightChange& weight) {
  if (is_unmoved(weight)) return "0";
  return weight.norm_before == 0 ? "from 0" : significant(weight.relative_drift);
}

// Four decimals; where they would all be nines, what is missing to 1.
std::string cosine_text(double cosine) {
  const double missing = 1 - cosine;
  if (std::fabs(missing) < 1e-15) return "1";  // which is rounding
  if (!(missing > 0 && missing < 5e-5)) return format_fixed(cosine, 4);
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "1 - %.1e", missing);
  return buffer;
}

// With its sign, so that the direction is seen at once.
std::string change(double value, int decimals) {
  return (value > 0 ? "+" : "") + format_fixed(value, decimals);
}

Table weight_table(std::vector<Table::Column> leading) {
  for (const char* heading : {"change", "cosine", "norm before", "norm after"}) {
    leading.push_back({heading, Align::right});
  }
  return Table(std::move(leading));
}

void add_row(Table& table, std::vector<std::string> leading, const WeightChange& weight) {
  leading.push_back(drift_text(weight));
  leading.push_back(cosine_text(weight.cosine));
  leading.push_back(significant(weight.norm_before));
  leading.push_back(significant(weight.norm_after));
  table.add(std::move(leading));
}

// How many have changed: they stand first.
std::size_t moved(const std::vector<WeightChange>& changes) {
  return changes.size() - static_cast<std::size_t>(std::count_if(changes.begin(), changes.end(), is_unmoved));
}

// What a reader must know before the first estimated number.
std::string estimate_text(const RunComparison& comparison) {
  if (comparison.weights_standard_error == 0) return "";
  return "  Estimates from sketches, as the two were never read side by side; standard error at most " +
         format_percent(comparison.weights_standard_error) + " of a change.\n";
}

// What storing the same weights anew makes of them.
std::string error_words(const RunComparison& comparison) {
  const auto& changes = comparison.storage;
  const bool before = std::ranges::any_of(changes, &StorageChange::quantised_before),
             after = std::ranges::any_of(changes, &StorageChange::quantised_after);
  if (before && after) return "difference of the quantisation errors";
  return before || after ? "quantisation error" : "rounding error";
}

// "B stores attention and routed expert weights as F8_E4M3, A as BF16.", for each pair of types.
std::string storage_text(const RunComparison& comparison) {
  std::map<std::pair<std::string, std::string>, std::vector<std::string>> roles;
  for (const StorageChange& change : comparison.storage)
    roles[{change.before, change.after}].push_back(role_words(change.role));
  std::string text;
  for (const auto& [types, names] : roles) {
    text += "  " + comparison.after + " stores " + names_in_words(names) + " weights as " + types.second +
            ", " + comparison.before + " as " + types.first + ".\n";
  }
  if (text.empty()) return text;
  return text +
         (comparison.is_stored_anew ? "  All other weights are equal: the changes are the "
                                    : "  The changes of these weights have in them the ") +
         error_words(comparison) + ".\n";
}

// What a change is of.
std::string weights_heading(const RunComparison& comparison) {
  if (!comparison.is_stored_anew) return "Weights";
  std::string words = error_words(comparison);
  words.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(words.front())));
  return words + " of the weights";
}

std::string weights_text(const RunComparison& comparison, std::size_t top) {
  if (comparison.whole.empty()) return "";
  if (moved(comparison.tensors) == 0) return "\n" + bold("Weights") + "\n  All weights are equal.\n";
  Table roles = weight_table({{"role"}});
  for (const WeightChange& role : comparison.roles) add_row(roles, {role_words(role.name)}, role);
  add_row(roles, {"without norms"}, comparison.without_norms.front());
  add_row(roles, {"whole model"}, comparison.whole.front());
  Table layers = weight_table({{"layer", Align::right}});
  for (const WeightChange& layer : comparison.layers) add_row(layers, {std::to_string(layer.layer)}, layer);
  Table experts = weight_table({{"layer", Align::right}, {"expert", Align::right}});
  for (std::size_t i = 0; i < std::min(top, moved(comparison.experts)); ++i) {
    const WeightChange& expert = comparison.experts[i];
    add_row(experts, {std::to_string(expert.layer), std::to_string(expert.expert)}, expert);
  }
  Table tensors = weight_table({{"tensor"}});
  for (std::size_t i = 0; i < std::min(top, moved(comparison.tensors)); ++i) {
    add_row(tensors, {comparison.tensors[i].name}, comparison.tensors[i]);
  }
  std::string text = "\n" + bold(weights_heading(comparison)) +
                     " (change: norm of the difference / norm before)\n" + estimate_text(comparison) +
                     storage_text(comparison) + roles.text() + "\n" + bold("By layer") + "\n" + layers.text();
  if (!experts.empty()) text += "\n" + bold("Experts that changed most") + "\n" + experts.text();
  if (!tensors.empty()) text += "\n" + bold("Tensors that changed most") + "\n" + tensors.text();
  return text;
}

std::string losses_text(const RunComparison& comparison) {
  if (comparison.losses.empty()) return "";
  Table table({{"domain"}, {"before", Align::right}, {"after", Align::right}, {"change", Align::right}});
  for (const LossChange& loss : comparison.losses) {
    table.add({loss.domain, format_fixed(loss.before, 4), format_fixed(loss.after, 4),
               change(loss.after - loss.before, 4)});
  }
  return "\n" + bold("Loss") + " (nats per token)\n" + table.text();
}

std::string routing_text(const RunComparison& comparison, std::size_t top) {
  if (comparison.routing.empty()) return "";
  Table layers({{"layer", Align::right},
                {"agreement", Align::right},
                {"load moved", Align::right},
                {"MaxVio before", Align::right},
                {"MaxVio after", Align::right}});
  for (const RoutingChange& layer : comparison.routing) {
    layers.add({std::to_string(layer.layer), format_fixed(layer.agreement, 3),
                format_fixed(layer.load_distance, 3), format_fixed(layer.max_violation_before, 3),
                format_fixed(layer.max_violation_after, 3)});
  }
  Table loads({{"layer", Align::right},
               {"expert", Align::right},
               {"before", Align::right},
               {"after", Align::right},
               {"change", Align::right}});
  for (std::size_t i = 0; i < std::min(top, comparison.loads.size()); ++i) {
    const LoadChange& load = comparison.loads[i];
    loads.add({std::to_string(load.layer), std::to_string(load.expert), format_fixed(load.before, 3),
               format_fixed(load.after, 3), change(load.after - load.before, 3)});
  }
  std::string text =
      "\n" + bold("Routing") +
      " (agreement: share of a token's experts that both chose; load moved: share of the load on other "
      "experts)\n" +
      layers.text();
  if (!loads.empty()) {
    text += "\n" + bold("Experts whose load changed most") + " (share of all tokens)\n" + loads.text();
  }
  return text;
}

}  // namespace

std::string text_of(const RunComparison& comparison, std::size_t top) {
  const auto named = [](const std::string& name, double tokens) {
    return bold(name) + (std::isnan(tokens) ? "" : " (" + format_count(tokens) + " tokens)");
  };
  std::string notes;
  for (const std::string& note : comparison.notes) notes += note + "\n";
  return named(comparison.before, comparison.tokens_before) + " -> " +
         named(comparison.after, comparison.tokens_after) + "\n" + notes + losses_text(comparison) +
         weights_text(comparison, top) + routing_text(comparison, top);
}

}  // namespace moescope
