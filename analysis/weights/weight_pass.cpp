#include "analysis/weights/weight_pass.h"

#include <algorithm>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

#include "analysis/machine/memory.h"
#include "analysis/machine/read_ahead.h"
#include "readers/errors.h"

namespace moescope {
namespace {

/// Of one checkpoint, read at once: large enough for reading at full speed, also where files are read by
/// turns.
constexpr std::uint64_t preferred_piece_bytes = 16ull << 20;
/// Pieces of each checkpoint in memory: at best, and at least.
constexpr std::uint64_t pieces_ahead = 4, least_pieces = 2;

/// Sketches of all runs can be compared.
constexpr std::uint64_t sketch_seed = 1;

using Series = std::span<const CheckpointWeights>;

const Weight& weight_of(const CheckpointWeights& one, std::size_t index) {
  return one.weights->all()[index];
}

std::string shape_of(const Weight& weight) {
  return weight.rows == 1 ? format_shape({weight.cols}) : format_shape({weight.rows, weight.cols});
}

/// Elements are compared in the order in which they are stored.
void require_same_order(const CheckpointWeights& first, const CheckpointWeights& other) {
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
  for (const Weight& weight : first.weights->all()) {
    const Weight* stored = other.weights->find(weight.key);
    if (stored == nullptr || stored->transposed == weight.transposed) continue;
    throw FormatError(other.checkpoint->path().string(), "tensor '" + weight.name + "'",
                      "is stored transposed in one of two checkpoints (the other is " +
                          first.checkpoint->path().string() + "), which moescope does not compare");
  }
}

void require_same_weights(const CheckpointWeights& first, const CheckpointWeights& other) {
  require_same_order(first, other);
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

bool outgrow_page_cache(Series series) {
  std::uint64_t bytes = 0;
  for (const CheckpointWeights& checkpoint : series) bytes += checkpoint.checkpoint->bytes();
  return outgrows_page_cache(bytes);
}

std::uint64_t largest_weight(std::span<const Weight> weights) {
  std::uint64_t largest = 1;
  for (const Weight& weight : weights) largest = std::max(largest, weight.size());
  return largest;
}

/// How weights are cut into pieces, a whole number of tasks each, and how many pieces are in memory.
class Cutting {
 public:
  Cutting(std::span<const Weight> weights, std::size_t checkpoints, unsigned threads,
          std::uint64_t memory_budget) {
    for (const Weight& weight : weights) largest_scales_ = std::max(largest_scales_, weight.scale_bytes());
    constexpr std::uint64_t task_bytes = WeightTrajectorySum::task_elements * sizeof(float);
    const std::uint64_t largest = largest_weight(weights);
    const std::uint64_t sums = WeightTrajectorySum::bytes(checkpoints, threads, largest);
    memory_ = memory_budget - std::min(memory_budget, sums);
    const std::uint64_t bytes = std::min(preferred_piece_bytes, memory_ / (pieces_ahead * checkpoints));
    const std::uint64_t most =
        (largest + WeightTrajectorySum::task_elements - 1) / WeightTrajectorySum::task_elements;
    tasks_ = std::clamp<std::uint64_t>(bytes / task_bytes, 1, most);
    memory_ = std::min(memory_, pieces_ahead * checkpoints * BulkFile::room_for(largest_range()));
  }

  /// The same for every checkpoint, however it stores the weight.
  std::uint64_t piece_elements() const { return tasks_ * WeightTrajectorySum::task_elements; }
  std::uint64_t largest_range() const { return std::max(piece_elements() * sizeof(float), largest_scales_); }
  /// For pieces.
  std::uint64_t memory() const { return memory_; }

  ReadAheadOptions reading(Series series) const {
    return {largest_range(), memory_, least_pieces * series.size(), outgrow_page_cache(series)};
  }

 private:
  std::uint64_t tasks_ = 1, memory_ = 0, largest_scales_ = 0;
};

FileRange scales_of(const CheckpointWeights& one, const Weight& weight) {
  return {&one.checkpoint->shards()[weight.scales->shard], weight.scales->offset, weight.scale_bytes()};
}

BlockScales take_scales(ReadAhead& reader, const Weight& weight) {
  if (!weight.scales) return {};
  ReadAhead::Loaded loaded = reader.take();
  BlockScales scales = read_block_scales(*weight.scales, weight.rows, weight.cols, loaded.bytes);
  reader.give_back(std::move(loaded));
  return scales;
}

/// The pieces of the weights in order, each at all checkpoints in turn; before the first of a quantised
/// weight its scales.
class PieceSequence {
 public:
  PieceSequence(Series series, WeightRange range, std::uint64_t piece_elements)
      : series_(series), piece_elements_(piece_elements), index_(range.begin), end_(range.end) {}

  std::optional<FileRange> operator()() {
    const auto weights = series_.front().weights->all();
    while (index_ < end_ && first_ >= weights[index_].size()) {
      ++index_;
      first_ = 0;
    }
    if (index_ >= end_) return {};
    const Weight& weight = weight_of(series_[checkpoint_], index_);
    if (weight.scales && first_ == 0 && !std::exchange(scales_are_read_, true))
      return scales_of(series_[checkpoint_], weight);
    scales_are_read_ = false;
    const std::uint64_t count = std::min(piece_elements_, weight.size() - first_);
    const FileRange range{&series_[checkpoint_].checkpoint->shards()[weight.shard],
                          weight.offset + dtype_bytes(weight.dtype, first_),
                          dtype_bytes(weight.dtype, count)};
    if (++checkpoint_ == series_.size()) {
      checkpoint_ = 0;
      first_ += piece_elements_;
    }
    return range;
  }

 private:
  Series series_;
  std::uint64_t piece_elements_;
  std::size_t index_, end_, checkpoint_ = 0;
  std::uint64_t first_ = 0;
  bool scales_are_read_ = false;  // of this weight, at this checkpoint
};

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
  const Cutting cutting(weights, series.size(), pool.threads(), options.memory);
  WeightTrajectorySum sum(series.size(), pool, options.sketches);
  ReadAhead reader(PieceSequence(series, range, cutting.piece_elements()), cutting.reading(series));
  std::vector<ReadAhead::Loaded> loaded(series.size());
  std::vector<StoredElements> elements(series.size());
  std::vector<BlockScales> scales(series.size());  // of the weight at hand
  for (std::size_t index = range.begin; index < range.end; ++index) {
    sum.begin(key_of_sketches(*series.front().weights, weights[index]));
    for (std::uint64_t first = 0; first < weights[index].size(); first += cutting.piece_elements()) {
      for (std::size_t c = 0; c < series.size(); ++c) {
        const Weight& stored = weight_of(series[c], index);
        if (first == 0) scales[c] = take_scales(reader, stored);
        loaded[c] = reader.take();
        elements[c] = {stored.dtype, loaded[c].bytes, stored.scales ? &scales[c] : nullptr, first};
      }
      sum.add(elements, std::min(cutting.piece_elements(), weights[index].size() - first));
      for (ReadAhead::Loaded& piece : loaded) reader.give_back(std::move(piece));
    }
    WeightTrajectory trajectory = sum.result();
    trajectory.index = index;
    trajectory.weight = &weights[index];
    sink(trajectory);
  }
}

std::uint64_t weight_pass_bytes(std::span<const Weight> weights, std::size_t checkpoints, unsigned threads,
                                std::uint64_t memory_budget) {
  const Cutting cutting(weights, checkpoints, threads, memory_budget);
  std::uint64_t piece = 0;
  for (const Weight& weight : weights) {
    const std::uint64_t elements = std::min(weight.size(), cutting.piece_elements());
    piece = std::max(piece, dtype_bytes(weight.dtype, elements));
  }
  const std::uint64_t pieces =
      std::max(least_pieces * checkpoints, cutting.memory() / cutting.largest_range());
  return WeightTrajectorySum::bytes(checkpoints, threads, largest_weight(weights)) + pieces * piece;
}

}  // namespace moescope
