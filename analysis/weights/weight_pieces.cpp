#include "analysis/weights/weight_pieces.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>

#include "analysis/kernels/transpose.h"
#include "analysis/machine/memory.h"

namespace moescope {
namespace {

/// Pieces of each checkpoint in memory, at best.
constexpr std::uint64_t pieces_ahead = 4;

using Series = std::span<const CheckpointWeights>;

const Weight& weight_of(const CheckpointWeights& one, std::size_t index) {
  return one.weights->all()[index];
}

bool outgrow_page_cache(Series series) {
  std::uint64_t bytes = 0;
  for (const CheckpointWeights& checkpoint : series) bytes += checkpoint.checkpoint->bytes();
  return outgrows_page_cache(bytes);
}

/// The largest value of one of the weights; 0 if there are none.
template <class ValueOf>
std::uint64_t largest(const ModelWeights& model, ValueOf value_of) {
  std::uint64_t most = 0;
  for (const Weight& weight : model.all()) most = std::max<std::uint64_t>(most, value_of(weight));
  return most;
}

std::uint64_t largest_transposed(const ModelWeights& model) {
  return largest(model, [](const Weight& weight) { return weight.transposed ? weight.bytes() : 0; });
}

ReadAheadOptions reading(Series series, const WeightCutting& cutting) {
  return {cutting.largest_range, cutting.reading_memory, least_pieces_ahead * series.size(),
          outgrow_page_cache(series)};
}

FileRange scales_of(const CheckpointWeights& one, const Weight& weight) {
  return {&one.checkpoint->shards()[weight.scales->shard], weight.scales->offset, weight.scale_bytes()};
}

/// Some elements of a weight, counted as they lie in the file.
FileRange elements_of(const CheckpointWeights& one, const Weight& weight, std::uint64_t first,
                      std::uint64_t count) {
  return {&one.checkpoint->shards()[weight.shard], weight.offset + dtype_bytes(weight.dtype, first),
          dtype_bytes(weight.dtype, count)};
}

/// What is read: of each weight first what a checkpoint's pieces need, the scales or, where it is stored
/// transposed, all of it; then the pieces in order, each at all other checkpoints in turn.
class RangeSequence {
 public:
  RangeSequence(Series series, WeightRange range, std::uint64_t piece_elements)
      : series_(series), piece_elements_(piece_elements), index_(range.begin), end_(range.end) {}

  std::optional<FileRange> operator()() {
    for (; index_ < end_; ++index_) {
      if (const auto range = next_of_preparation()) return range;
      if (const auto range = next_of_pieces()) return range;
      prepared_ = checkpoint_ = 0;
      done_ = first_ = 0;
    }
    return {};
  }

 private:
  FileRange piece(std::size_t checkpoint, std::uint64_t first) const {
    const Weight& weight = weight_of(series_[checkpoint], index_);
    return elements_of(series_[checkpoint], weight, first, std::min(piece_elements_, weight.size() - first));
  }

  std::optional<FileRange> next_of_preparation() {
    for (; prepared_ < series_.size(); ++prepared_, done_ = 0) {
      const CheckpointWeights& one = series_[prepared_];
      const Weight& weight = weight_of(one, index_);
      const std::uint64_t first = std::exchange(done_, done_ + piece_elements_);
      if (weight.transposed && first < weight.size()) return piece(prepared_, first);
      if (weight.scales && first == 0) return scales_of(one, weight);
    }
    return {};
  }

  std::optional<FileRange> next_of_pieces() {
    for (; first_ < weight_of(series_.front(), index_).size(); first_ += piece_elements_, checkpoint_ = 0) {
      while (checkpoint_ < series_.size()) {
        const std::size_t c = checkpoint_++;
        if (!weight_of(series_[c], index_).transposed) return piece(c, first_);
      }
    }
    return {};
  }

  Series series_;
  std::uint64_t piece_elements_;
  std::size_t index_, end_;
  std::size_t prepared_ = 0;    // checkpoints
  std::uint64_t done_ = 0;      // elements of the one that is prepared
  std::size_t checkpoint_ = 0;  // the next one of the piece
  std::uint64_t first_ = 0;     // element of the piece
};

}  // namespace

WeightCutting cut_weights(std::span<const ModelWeights* const> series, unsigned threads,
                          std::uint64_t memory_budget) {
  constexpr std::uint64_t task = WeightTrajectorySum::task_elements;
  const std::uint64_t elements =
      std::max<std::uint64_t>(1, largest(*series.front(), std::mem_fn(&Weight::size)));
  std::uint64_t largest_scales = 0;
  WeightCutting cutting;
  cutting.other_memory = WeightTrajectorySum::bytes(series.size(), threads, elements);
  for (const ModelWeights* model : series) {
    cutting.other_memory += largest_transposed(*model);
    largest_scales = std::max(largest_scales, largest(*model, std::mem_fn(&Weight::scale_bytes)));
  }
  const std::uint64_t memory = memory_budget - std::min(memory_budget, cutting.other_memory);
  const std::uint64_t bytes = std::min(preferred_range(threads), memory / (pieces_ahead * series.size()));
  const std::uint64_t most_tasks = (elements + task - 1) / task;
  cutting.piece_elements = task * std::clamp<std::uint64_t>(bytes / (task * sizeof(float)), 1, most_tasks);
  cutting.largest_range = std::max(cutting.piece_elements * sizeof(float), largest_scales);
  cutting.reading_memory =
      std::min(memory, pieces_ahead * series.size() * BulkFile::room_for(cutting.largest_range));
  return cutting;
}

WeightPieces::WeightPieces(Series series, WeightRange range, const WeightCutting& cutting, ThreadPool& pool)
    : series_(series),
      piece_elements_(cutting.piece_elements),
      pool_(pool),
      reader_(RangeSequence(series, range, piece_elements_), reading(series, cutting)),
      loaded_(series.size()),
      elements_(series.size()),
      scales_(series.size()),
      matrices_(series.size()) {
  for (std::size_t c = 0; c < series.size(); ++c)
    matrices_[c].reserve(largest_transposed(*series[c].weights));
}

void WeightPieces::begin(std::size_t index) {
  index_ = index;
  for (std::size_t c = 0; c < series_.size(); ++c) {
    const Weight& weight = weight_of(series_[c], index);
    if (weight.scales) take_scales(weight, scales_[c]);
    if (weight.transposed) take_matrix(weight, matrices_[c]);
  }
}

void WeightPieces::take_scales(const Weight& weight, BlockScales& scales) {
  ReadAhead::Loaded loaded = reader_.take();
  scales = read_block_scales(*weight.scales, weight.rows, weight.cols, loaded.bytes);
  reader_.give_back(std::move(loaded));
}

/// Each of its stored pieces goes to its places as soon as it is there.
void WeightPieces::take_matrix(const Weight& weight, std::vector<std::byte>& matrix) {
  constexpr std::uint64_t task_rows = 64;
  matrix.resize(weight.bytes());
  for (std::uint64_t first = 0; first < weight.size(); first += piece_elements_) {
    ReadAhead::Loaded loaded = reader_.take();
    const TransposedPiece piece{loaded.bytes, first, weight.rows, weight.cols, dtype_bytes(weight.dtype, 1)};
    pool_.for_each((weight.rows + task_rows - 1) / task_rows, [&](std::size_t task, unsigned) {
      put_rows(piece, task * task_rows, std::min(weight.rows, (task + 1) * task_rows), matrix);
    });
    reader_.give_back(std::move(loaded));
  }
}

std::span<const StoredElements> WeightPieces::take(std::uint64_t first, std::uint64_t count) {
  for (std::size_t c = 0; c < series_.size(); ++c) {
    const Weight& weight = weight_of(series_[c], index_);
    std::span<const std::byte> bytes;
    if (weight.transposed) {
      const std::size_t width = dtype_bytes(weight.dtype, 1);
      bytes = std::span(matrices_[c]).subspan(first * width, count * width);
    } else {
      loaded_[c] = reader_.take();
      bytes = loaded_[c].bytes;
    }
    elements_[c] = {weight.dtype, bytes, weight.scales ? &scales_[c] : nullptr, first};
  }
  return elements_;
}

void WeightPieces::give_back() {
  for (std::size_t c = 0; c < series_.size(); ++c) {
    if (!weight_of(series_[c], index_).transposed) reader_.give_back(std::move(loaded_[c]));
  }
}

}  // namespace moescope
