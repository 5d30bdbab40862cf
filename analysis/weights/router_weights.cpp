#include "analysis/weights/router_weights.h"

#include <algorithm>
#include <limits>

#include "analysis/weights/stored_rows.h"
#include "metrics/spectra/row_cosine.h"

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
  read_weight(*checkpoint.checkpoint, weight, values);
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

}  // namespace moescope
