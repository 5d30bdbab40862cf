#include "analysis/router_weights.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "analysis/stored_rows.h"
#include "metrics/row_cosine.h"
#include "metrics/statistics.h"
#include "readers/run_schema.h"

namespace moescope {
namespace {

using Series = std::span<const CheckpointWeights>;

/// The router of one layer at one checkpoint.
struct Router {
  std::vector<float> values;  // (E, H)
  std::size_t experts = 0, hidden = 0;

  WeightMatrix matrix() const { return {values, experts, hidden}; }
};

std::vector<float> read_whole(const CheckpointWeights& checkpoint, const Weight& weight) {
  std::vector<float> values(weight.size());
  read_rows(*checkpoint.checkpoint, weight, 0, values);
  return values;
}

Router read_router(const CheckpointWeights& checkpoint, std::int64_t layer) {
  const Weight& weight = checkpoint.weights->at({Role::router, layer});
  return {read_whole(checkpoint, weight), weight.rows, weight.cols};
}

template <class From, class To>
void copy_to(const std::vector<From>& from, std::vector<To>& to, std::size_t row) {
  std::ranges::transform(from, to.begin() + static_cast<std::ptrdiff_t>(row * from.size()),
                         [](From value) { return static_cast<To>(value); });
}

/// One layer of the record, which threads may fill side by side.
class LayerReader {
 public:
  LayerReader(Series series, ExpertSketches& sketches, RouterRecord& record, std::size_t layer)
      : series_(series), sketches_(sketches), record_(record), layer_(layer) {}

  void read() {
    Router before;
    std::vector<float> sketches_before;
    for (std::size_t c = 0; c < series_.size(); ++c) {
      Router router = read_router(series_[c], record_.layers[layer_]);
      copy_to(row_norms(router.matrix()), record_.row_norm, row(c));
      copy_to(row_cosines(router.matrix(), router.matrix()), record_.row_cosine, row(c));
      read_bias(c);
      std::vector<float> sketches = sketches_.of_layer(c, record_.layers[layer_]);
      if (c > 0) {
        match(c - 1, row_cosines(before.matrix(), router.matrix()),
              expert_cosines(sketches_before, sketches, record_.experts));
      }
      before = std::move(router);
      sketches_before = std::move(sketches);
    }
  }

 private:
  std::size_t row(std::size_t c) const { return c * record_.layers.size() + layer_; }

  void read_bias(std::size_t c) {
    const Weight* bias = series_[c].weights->find({Role::score_correction_bias, record_.layers[layer_]});
    if (bias != nullptr) copy_to(read_whole(series_[c], *bias), record_.bias, row(c));
  }

  void match(std::size_t step, const std::vector<double>& router_cosines,
             const std::vector<double>& weight_cosines) {
    const ExpertPlaces by_router = find_places(router_cosines, record_.experts),
                       by_weights = find_places(weight_cosines, record_.experts);
    copy_to(by_router.places, record_.match, row(step));
    copy_to(matched_cosines(router_cosines, by_router), record_.match_cosine, row(step));
    record_.moves[row(step)] =
        layer_moves(record_.layers[layer_], {router_cosines, weight_cosines}, by_router, by_weights);
    if (weight_cosines.empty()) return;
    copy_to(by_weights.places, record_.weight_match, row(step));
    copy_to(matched_cosines(weight_cosines, by_weights), record_.weight_match_cosine, row(step));
  }

  Series series_;
  ExpertSketches& sketches_;
  RouterRecord& record_;
  std::size_t layer_;
};

RouterRecord empty_record(Series series, bool with_sketches) {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  RouterRecord record;
  const ModelConfig& config = series.front().checkpoint->config();
  record.layers = config.moe_layers();
  record.checkpoints = series.size();
  record.experts = static_cast<std::size_t>(config.n_routed_experts);
  const std::size_t rows = series.size() * record.layers.size();
  const std::size_t steps = (series.size() - 1) * record.layers.size();
  record.row_norm.assign(rows * record.experts, nan);
  record.row_cosine.assign(rows * record.experts * record.experts, nan);
  record.bias.assign(rows * record.experts, nan);
  record.match.assign(steps * record.experts, -1);
  record.match_cosine.assign(steps * record.experts, nan);
  record.moves.assign(steps, {});
  if (!with_sketches) return record;
  record.weight_match.assign(steps * record.experts, -1);
  record.weight_match_cosine.assign(steps * record.experts, nan);
  return record;
}

}  // namespace

RouterRecord read_routers(Series series, const SketchReader& sketches, ThreadPool& pool) {
  if (series.empty()) return {};
  RouterRecord record = empty_record(series, static_cast<bool>(sketches));
  ExpertSketches of_experts(*series.front().weights, sketches);
  pool.for_each(record.layers.size(),
                [&](std::size_t layer, unsigned) { LayerReader(series, of_experts, record, layer).read(); });
  return record;
}

std::vector<std::string> permutation_warnings(const RouterRecord& record,
                                              std::span<const std::string> names) {
  std::vector<std::string> warnings;
  const std::size_t layers = record.layers.size();
  for (std::size_t step = 0; step + 1 < record.checkpoints; ++step) {
    const auto moves = std::span(record.moves).subspan(step * layers, layers);
    warnings.push_back(describe_moves(moves, record.experts, names[step], names[step + 1]));
  }
  return warnings;
}

namespace {

/// Experts of one layer from one checkpoint to the next, by one kind of evidence.
struct RecordedMatch {
  std::vector<std::int32_t> places;  // (E); -1 where nothing is known
  std::vector<double> cosines;

  bool moves(std::size_t e) const { return places[e] >= 0 && static_cast<std::size_t>(places[e]) != e; }
};

RecordedMatch read_match(const RunFile& run, const std::string& path, std::uint64_t step, std::uint64_t layer,
                         std::uint64_t experts) {
  if (!run.contains(path)) return {std::vector<std::int32_t>(experts, -1), std::vector<double>(experts)};
  const Slab slab{{step, layer, 0}, {1, 1, experts}};
  return {run.read<std::int32_t>(path, slab), run.read<double>(path + "_cosine", slab)};
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
  if (!run.contains("/weights/expert_match")) return {};
  const std::vector<std::string> names = run.read<std::string>("/checkpoint");
  const std::vector<std::int64_t> layers = run.read<std::int64_t>("/moe_layer");
  const std::uint64_t experts = run.shape("/expert")[0];
  std::vector<std::string> warnings;
  for (std::uint64_t step = 0; step + 1 < names.size(); ++step) {
    std::vector<LayerMoves> moves;
    for (std::uint64_t l = 0; l < layers.size(); ++l) {
      moves.push_back(recorded_moves(layers[l], read_match(run, "/weights/expert_match", step, l, experts),
                                     read_match(run, "/weights/expert_weight_match", step, l, experts)));
    }
    warnings.push_back(describe_moves(moves, experts, names[step], names[step + 1]));
  }
  return warnings;
}

namespace {

/// Nothing is told of any expert yet.
void define_matches(RunFile& run, const std::string& path) {
  run.define(raw_dataset(path));
  run.define(raw_dataset(path + "_cosine"));
  const std::vector<std::uint64_t> shape = run.shape(path);
  run.write<std::int32_t>(path, std::vector<std::int32_t>(shape[0] * shape[1] * shape[2], -1));
}

}  // namespace

void define_routers(RunFile& run, std::size_t checkpoints) {
  for (const char* path :
       {"/weights/router_row_norm", "/weights/router_row_cosine", "/weights/score_correction_bias"})
    run.define(raw_dataset(path));
  if (checkpoints < 2) return;
  define_matches(run, "/weights/expert_match");
  if (run.contains("/weights/sketch")) define_matches(run, "/weights/expert_weight_match");
}

void write_routers(RunFile& run, const RouterRecord& record) {
  run.write<double>("/weights/router_row_norm", record.row_norm);
  run.write<float>("/weights/router_row_cosine", record.row_cosine);
  run.write<float>("/weights/score_correction_bias", record.bias);
  if (record.checkpoints < 2) return;
  run.write<std::int32_t>("/weights/expert_match", record.match);
  run.write<double>("/weights/expert_match_cosine", record.match_cosine);
  if (record.weight_match.empty()) return;
  run.write<std::int32_t>("/weights/expert_weight_match", record.weight_match);
  run.write<double>("/weights/expert_weight_match_cosine", record.weight_match_cosine);
}

namespace {

/// Whether the weight pass has recorded all experts of a layer: what is NaN then is so in the weights.
class RecordedExperts {
 public:
  RecordedExperts(const RunFile& run, const ModelWeights& weights)
      : tensors_(weights.all().size()),
        norm_(run.read<double>("/weights/norm")),
        nonfinite_(run.read<std::int64_t>("/weights/nonfinite_count")) {
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
  if (!run.contains("/weights/expert_weight_match")) return;
  const SketchReader reader = sketches_of(run);
  ExpertSketches of_experts(weights, reader);
  const std::vector<std::int64_t> layers = run.read<std::int64_t>("/moe_layer");
  const std::uint64_t experts = run.shape("/expert")[0], checkpoints = run.shape("/checkpoint")[0];
  const RecordedExperts recorded(run, weights);
  for (std::size_t l = 0; l < layers.size(); ++l) {
    std::vector<float> before = of_experts.of_layer(0, layers[l]);
    for (std::uint64_t step = 0; step + 1 < checkpoints; ++step) {
      std::vector<float> after = of_experts.of_layer(step + 1, layers[l]);
      if (recorded.has(step, layers[l]) && recorded.has(step + 1, layers[l])) {
        const std::vector<double> cosines = expert_cosines(before, after, experts);
        const ExpertPlaces places = find_places(cosines, experts);
        const Slab slab{{step, l, 0}, {1, 1, experts}};
        run.write<std::int32_t>("/weights/expert_weight_match", slab, places.places);
        run.write<double>("/weights/expert_weight_match_cosine", slab, matched_cosines(cosines, places));
      }
      before = std::move(after);
    }
  }
}

}  // namespace moescope
