#include "analysis/weights/weight_pass.h"

#include <algorithm>
#include <string>
#include <tuple>

#include "analysis/weights/weight_pieces.h"
#include "readers/errors.h"

namespace moescope {
namespace {

/// Sketches of all runs can be compared.
constexpr std::uint64_t sketch_seed = 1;

using Series = std::span<const CheckpointWeights>;

std::string shape_of(const Weight& weight) {
  return weight.rows == 1 ? format_shape({weight.cols}) : format_shape({weight.rows, weight.cols});
}

/// A converter reorders rows where the rotary embedding is interleaved.
void require_same_rows(const CheckpointWeights& first, const CheckpointWeights& other) {
  const auto is_interleaved = [](const CheckpointWeights& one) {
    return one.checkpoint->config().attention.rotary.interleaved;
  };
  if (is_interleaved(first) != is_interleaved(other)) {
    const auto& [interleaved, halved] =
        is_interleaved(first) ? std::tie(first, other) : std::tie(other, first);
    throw FormatError(
        interleaved.checkpoint->path().string(), {},
        "holds the rows of queries and keys in another order (interleaved for the rotary embedding) than " +
            halved.checkpoint->path().string() + ", so that their weights cannot be compared",
        "their routing and their losses can: analyze both with --only forward");
  }
}

void require_same_weights(const CheckpointWeights& first, const CheckpointWeights& other) {
  require_same_rows(first, other);
  const auto difference = first_difference(first.weights->all(), other.weights->all());
  if (!difference) return;
  const std::string file = other.checkpoint->path().string();
  const std::string as_in = " as in " + first.checkpoint->path().string();
  const auto [expected, found] = *difference;
  if (expected != nullptr && other.weights->find(expected->key) == nullptr)
    throw FormatError(file, "tensor '" + expected->name + "'", "is missing (expected" + as_in + ")");
  if (expected == nullptr || found->key != expected->key) {
    throw FormatError(file, "tensor '" + found->name + "'",
                      "is unexpected (expected no such tensor," + as_in + ")");
  }
  throw FormatError(file, "tensor '" + expected->name + "'",
                    "expected shape " + shape_of(*expected) + as_in + ", found " + shape_of(*found));
}

std::vector<const ModelWeights*> models_of(Series series) {
  std::vector<const ModelWeights*> models;
  for (const CheckpointWeights& one : series) models.push_back(one.weights);
  return models;
}

/// The routed experts of a layer have that of expert 0: so an expert can be looked for among the others.
std::uint64_t key_of_sketches(const ModelWeights& weights, const Weight& weight) {
  WeightKey named = weight.key;
  if (named.expert >= 0) named.expert = 0;
  return sketch_key(weights.at(named).name, sketch_seed);
}

}  // namespace

WeightRange part_of_weights(std::span<const Weight> weights, std::size_t part, std::size_t count) {
  std::uint64_t total = 0;
  for (const Weight& weight : weights) total += weight.bytes();
  // The first weight that begins at or after a share of the bytes.
  const auto border = [&](std::size_t shares) {
    if (shares == count) return weights.size();
    std::uint64_t before = 0;
    std::size_t index = 0;
    while (index < weights.size() && before * count < total * shares) before += weights[index++].bytes();
    return index;
  };
  return {border(part), border(part + 1)};
}

void trace_weights(Series series, WeightRange range, ThreadPool& pool, const WeightPassOptions& options,
                   const std::function<void(const WeightTrajectory&)>& sink) {
  if (series.empty()) return;
  for (const CheckpointWeights& other : series.subspan(1)) require_same_weights(series.front(), other);
  const auto weights = series.front().weights->all();
  const WeightCutting cutting = cut_weights(models_of(series), pool.threads(), options.memory);
  WeightTrajectorySum sum(series.size(), pool, options.sketches);
  WeightPieces pieces(series, range, cutting, pool);
  for (std::size_t index = range.begin; index < range.end; ++index) {
    sum.begin(key_of_sketches(*series.front().weights, weights[index]));
    pieces.begin(index);
    for (std::uint64_t first = 0; first < weights[index].size(); first += cutting.piece_elements) {
      const std::uint64_t count = std::min(cutting.piece_elements, weights[index].size() - first);
      sum.add(pieces.take(first, count), count);
      pieces.give_back();
    }
    WeightTrajectory trajectory = sum.result();
    trajectory.index = index;
    trajectory.weight = &weights[index];
    sink(trajectory);
  }
}

std::uint64_t weight_pass_bytes(std::span<const ModelWeights* const> series, unsigned threads,
                                std::uint64_t memory_budget) {
  const WeightCutting cutting = cut_weights(series, threads, memory_budget);
  std::uint64_t piece = 0;  // bytes of the largest
  for (const ModelWeights* model : series) {
    for (const Weight& weight : model->all())
      piece = std::max(piece, dtype_bytes(weight.dtype, std::min(weight.size(), cutting.piece_elements)));
  }
  const std::uint64_t pieces =
      std::max(least_pieces_ahead * series.size(), cutting.reading_memory / cutting.largest_range);
  return cutting.other_memory + pieces * piece;
}

}  // namespace moescope
