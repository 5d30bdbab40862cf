#include "plots/findings/expert_moves.h"

#include <cmath>

#include "metrics/weights/expert_matching.h"
#include "plots/figure/figure_text.h"
#include "plots/figures/run_values.h"
#include "readers/schema/datasets.h"

namespace moescope {
namespace {

/// Where experts are found, and how like what they are compared with is: (C-1, L, E) each.
struct Matches {
  Values place, cosine;
  bool known = false;

  Matches(const RunFile& run, const std::string& path) {
    if (!run.contains(path) || !run.contains(path + "_cosine")) return;
    place = read_values(run, path);
    cosine = read_values(run, path + "_cosine");
    known = true;
  }
  bool moved(std::size_t step, std::size_t layer, std::size_t expert) const {
    return known && has_moved(expert, static_cast<std::int64_t>(place.at(step, layer, expert)));
  }
  /// Mean over the experts that moved in a step, "0.98", or empty where none did.
  std::string likeness(std::size_t step) const {
    std::vector<double> cosines;
    for (std::size_t layer = 0; known && layer < place.shape[1]; ++layer) {
      for (std::size_t e = 0; e < place.shape[2]; ++e) {
        if (moved(step, layer, e)) cosines.push_back(cosine.at(step, layer, e));
      }
    }
    const double mean = mean_of(cosines);
    return std::isfinite(mean) ? format_number(mean, 2) : "";
  }
};

/// Experts that moved by router rows or by weights, and the layers that have some.
struct MoveCount {
  std::size_t experts = 0, layers = 0;
};

MoveCount count_moves(const Matches& by_router, const Matches& by_weights, std::size_t step) {
  MoveCount count;
  for (std::size_t layer = 0; layer < by_router.place.shape[1]; ++layer) {
    const std::size_t before = count.experts;
    for (std::size_t e = 0; e < by_router.place.shape[2]; ++e)
      count.experts += by_router.moved(step, layer, e) || by_weights.moved(step, layer, e) ? 1 : 0;
    count.layers += count.experts > before ? 1 : 0;
  }
  return count;
}

/// What the experts that moved have in common with those in their new places.
std::string describe_likeness(const Matches& by_router, const Matches& by_weights, std::size_t step) {
  const std::string rows = by_router.likeness(step), weights = by_weights.likeness(step);
  if (!by_weights.known) return rows.empty() ? "" : " (mean cosine of router rows " + rows + ")";
  if (rows.empty()) return " (by their weights, mean cosine " + weights + "; not by their router rows)";
  if (weights.empty()) return " (by their router rows, mean cosine " + rows + "; not by their weights)";
  return " (mean cosine of router rows " + rows + ", of weights " + weights + ")";
}

}  // namespace

std::vector<std::string> expert_moves(const RunFile& run) {
  const Matches by_router(run, dataset::weights_expert_match),
      by_weights(run, dataset::weights_expert_weight_match);
  std::vector<std::string> sentences;
  if (!by_router.known || !run.contains(dataset::moe_layer)) return sentences;
  const RunLabels labels = read_labels(run);
  for (std::size_t step = 0; step < by_router.place.shape[0]; ++step) {
    const MoveCount moved = count_moves(by_router, by_weights, step);
    if (moved.experts == 0) continue;
    sentences.push_back(
        "Experts changed places between " + labels.checkpoints[step] + " and " +
        labels.checkpoints[step + 1] + ": " + std::to_string(moved.experts) + " in " +
        std::to_string(moved.layers) + (moved.layers == 1 ? " layer" : " layers") +
        describe_likeness(by_router, by_weights, step) +
        ". What compares expert with expert across this step (saturation, agreement, drift of single "
        "experts) compares different experts.");
  }
  return sentences;
}

}  // namespace moescope
