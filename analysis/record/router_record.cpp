#include "analysis/record/router_record.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "analysis/record/recorded_sketches.h"
#include "metrics/statistics.h"
#include "metrics/weights/expert_matching.h"
#include "readers/schema/datasets.h"
#include "readers/schema/run_schema.h"

namespace moescope {
namespace {

/// Experts of one layer from one checkpoint to the next, by one kind of evidence.
struct RecordedMatch {
  std::vector<std::int32_t> places;  // (E); -1 where nothing is known
  std::vector<double> cosines;

  bool moves(std::size_t e) const { return has_moved(e, places[e]); }
};

/// Where experts are found, and by how much.
struct MatchDatasets {
  Dataset<std::int32_t> places;
  Dataset<double> cosines;
};
constexpr MatchDatasets by_router_rows = {dataset::weights_expert_match,
                                          dataset::weights_expert_match_cosine},
                        by_own_weights = {dataset::weights_expert_weight_match,
                                          dataset::weights_expert_weight_match_cosine};

RecordedMatch read_match(const RunFile& run, const MatchDatasets& match, std::uint64_t step,
                         std::uint64_t layer, std::uint64_t experts) {
  if (!run.contains(match.places))
    return {std::vector<std::int32_t>(experts, -1), std::vector<double>(experts)};
  const Slab slab{{step, layer, 0}, {1, 1, experts}};
  return {run.read(match.places, slab), run.read(match.cosines, slab)};
}

LayerMoves recorded_moves(std::int64_t layer, const RecordedMatch& by_router,
                          const RecordedMatch& by_weights) {
  LayerMoves moves{layer};
  std::vector<double> router, weights;
  for (std::size_t e = 0; e < by_router.places.size(); ++e) {
    const bool router_leads = by_router.moves(e);
    if (!router_leads && !by_weights.moves(e)) continue;
    ++moves.moved;
    const std::int32_t place = router_leads ? by_router.places[e] : by_weights.places[e];
    if (by_router.places[e] == place) router.push_back(by_router.cosines[e]);
    if (by_weights.places[e] == place) weights.push_back(by_weights.cosines[e]);
    const RecordedMatch& other = router_leads ? by_weights : by_router;
    if (other.places[e] >= 0 && other.places[e] != place && other.cosines[e] > clear_difference)
      ++moves.disagreeing;
  }
  if (!router.empty()) moves.router_cosine = mean(router);
  if (!weights.empty()) moves.weight_cosine = mean(weights);
  return moves;
}

}  // namespace

std::vector<std::string> recorded_permutation_warnings(const RunFile& run) {
  if (!run.contains(dataset::weights_expert_match)) return {};
  const std::vector<std::string> names = run.read(dataset::checkpoint);
  const std::vector<std::int64_t> layers = run.read(dataset::moe_layer);
  const std::uint64_t experts = run.shape(dataset::expert)[0];
  std::vector<std::string> warnings;
  for (std::uint64_t step = 0; step + 1 < names.size(); ++step) {
    std::vector<LayerMoves> moves;
    for (std::uint64_t l = 0; l < layers.size(); ++l) {
      moves.push_back(recorded_moves(layers[l], read_match(run, by_router_rows, step, l, experts),
                                     read_match(run, by_own_weights, step, l, experts)));
    }
    warnings.push_back(describe_moves(moves, experts, names[step], names[step + 1]));
  }
  return warnings;
}

void begin_routers(RunFile& run) {
  for (const Dataset<std::int32_t> match :
       {dataset::weights_expert_match, dataset::weights_expert_weight_match}) {
    if (!run.contains(match)) continue;
    const std::vector<std::uint64_t> shape = run.shape(match);
    run.write(match, std::vector<std::int32_t>(shape[0] * shape[1] * shape[2], -1));
  }
}

void write_routers(RunFile& run, const RouterRecord& record) {
  run.write(dataset::weights_router_row_norm, record.row_norm);
  run.write(dataset::weights_router_row_cosine, record.row_cosine);
  run.write(dataset::weights_score_correction_bias, record.bias);
  if (record.checkpoints < 2) return;
  run.write(dataset::weights_expert_match, record.match);
  run.write(dataset::weights_expert_match_cosine, record.match_cosine);
  if (record.weight_match.empty()) return;
  run.write(dataset::weights_expert_weight_match, record.weight_match);
  run.write(dataset::weights_expert_weight_match_cosine, record.weight_match_cosine);
}

namespace {

/// Whether the weight pass has recorded all experts of a layer: what is NaN then is so in the weights.
class RecordedExperts {
 public:
  RecordedExperts(const RunFile& run, const ModelWeights& weights)
      : tensors_(weights.all().size()),
        norm_(run.read(dataset::weights_norm)),
        nonfinite_(run.read(dataset::weights_nonfinite_count)) {
    for (std::size_t w = 0; w < tensors_; ++w) {
      if (weights.all()[w].key.expert >= 0) of_layer_[weights.all()[w].key.layer].push_back(w);
    }
  }

  bool has(std::uint64_t checkpoint, std::int64_t layer) const {
    return std::ranges::all_of(of_layer_.at(layer), [&](std::size_t w) {
      const std::size_t cell = checkpoint * tensors_ + w;
      return !std::isnan(norm_[cell]) || nonfinite_[cell] > 0;
    });
  }

 private:
  std::size_t tensors_;
  std::vector<double> norm_;             // (C, W)
  std::vector<std::int64_t> nonfinite_;  // (C, W)
  std::map<std::int64_t, std::vector<std::size_t>> of_layer_;
};

}  // namespace

void match_recorded_experts(RunFile& run, const ModelWeights& weights) {
  if (!run.contains(dataset::weights_expert_weight_match)) return;
  const SketchReader reader = sketches_of(run);
  ExpertSketches of_experts(weights, reader);
  const std::vector<std::int64_t> layers = run.read(dataset::moe_layer);
  const std::uint64_t experts = run.shape(dataset::expert)[0],
                      checkpoints = run.shape(dataset::checkpoint)[0];
  const RecordedExperts recorded(run, weights);
  for (std::size_t l = 0; l < layers.size(); ++l) {
    std::vector<float> before = of_experts.of_layer(0, layers[l]);
    for (std::uint64_t step = 0; step + 1 < checkpoints; ++step) {
      std::vector<float> after = of_experts.of_layer(step + 1, layers[l]);
      if (recorded.has(step, layers[l]) && recorded.has(step + 1, layers[l])) {
        const std::vector<double> cosines = expert_cosines(before, after, experts);
        const ExpertPlaces places = find_places(cosines, experts);
        const Slab slab{{step, l, 0}, {1, 1, experts}};
        run.write(dataset::weights_expert_weight_match, slab, places.places);
        run.write(dataset::weights_expert_weight_match_cosine, slab, matched_cosines(cosines, places));
      }
      before = std::move(after);
    }
  }
}

}  // namespace moescope
