#include "analysis/router_weights.h"

#include <algorithm>
#include <limits>

#include "analysis/stored_rows.h"
#include "metrics/row_cosine.h"
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
  LayerReader(Series series, RouterRecord& record, std::size_t layer)
      : series_(series), record_(record), layer_(layer) {}

  void read() {
    Router before;
    for (std::size_t c = 0; c < series_.size(); ++c) {
      Router router = read_router(series_[c], record_.layers[layer_]);
      copy_to(row_norms(router.matrix()), record_.row_norm, row(c));
      copy_to(row_cosines(router.matrix(), router.matrix()), record_.row_cosine, row(c));
      read_bias(c);
      if (c > 0) match(c - 1, row_cosines(before.matrix(), router.matrix()));
      before = std::move(router);
    }
  }

 private:
  std::size_t row(std::size_t c) const { return c * record_.layers.size() + layer_; }

  void read_bias(std::size_t c) {
    const Weight* bias = series_[c].weights->find({Role::score_correction_bias, record_.layers[layer_]});
    if (bias != nullptr) copy_to(read_whole(series_[c], *bias), record_.bias, row(c));
  }

  void match(std::size_t step, const std::vector<double>& cosines) {
    const ExpertPlaces found = find_places({cosines, {}}, record_.experts);
    std::vector<double> matched;
    for (std::size_t e = 0; e < record_.experts; ++e)
      matched.push_back(cosines[e * record_.experts + found.assigned[e]]);
    copy_to(found.places, record_.match, row(step));
    copy_to(matched, record_.match_cosine, row(step));
    record_.moved[row(step)] = found.moved;
  }

  Series series_;
  RouterRecord& record_;
  std::size_t layer_;
};

RouterRecord empty_record(Series series) {
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
  record.moved.assign(steps, 0);
  return record;
}

}  // namespace

RouterRecord read_routers(Series series, ThreadPool& pool) {
  if (series.empty()) return {};
  RouterRecord record = empty_record(series);
  pool.for_each(record.layers.size(),
                [&](std::size_t layer, unsigned) { LayerReader(series, record, layer).read(); });
  return record;
}

std::vector<std::string> permutation_warnings(const RouterRecord& record,
                                              std::span<const std::string> names) {
  std::vector<std::string> warnings;
  for (std::size_t step = 0; step + 1 < record.checkpoints; ++step) {
    std::vector<LayerMoves> layers;
    for (std::size_t l = 0; l < record.layers.size(); ++l)
      layers.push_back({record.layers[l], record.moved[step * record.layers.size() + l]});
    std::string warning = describe_moves(layers, record.experts, names[step], names[step + 1]);
    if (!warning.empty()) warnings.push_back(std::move(warning));
  }
  return warnings;
}

void define_routers(RunFile& run, std::size_t checkpoints) {
  for (const char* path :
       {"/weights/router_row_norm", "/weights/router_row_cosine", "/weights/score_correction_bias"})
    run.define(raw_dataset(path));
  if (checkpoints < 2) return;
  run.define(raw_dataset("/weights/expert_match"));
  run.define(raw_dataset("/weights/expert_match_cosine"));
}

void write_routers(RunFile& run, const RouterRecord& record) {
  run.write<double>("/weights/router_row_norm", record.row_norm);
  run.write<float>("/weights/router_row_cosine", record.row_cosine);
  run.write<float>("/weights/score_correction_bias", record.bias);
  if (record.checkpoints < 2) return;
  run.write<std::int32_t>("/weights/expert_match", record.match);
  run.write<double>("/weights/expert_match_cosine", record.match_cosine);
}

}  // namespace moescope
