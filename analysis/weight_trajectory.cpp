#include "analysis/weight_trajectory.h"

#include <algorithm>
#include <string>

#include "analysis/element_convert.h"
#include "analysis/inner_products.h"
#include "analysis/memory_budget.h"
#include "readers/errors.h"

namespace moescope {
namespace {

/// Elements of one task. Fixed, because partial sums are rounded once a task.
constexpr std::uint64_t task_size = 64 * weight_block_size;

using Series = std::span<const CheckpointWeights>;

/// A run of elements of one weight.
struct Task {
  std::size_t weight = 0;
  std::uint64_t first = 0, count = 0;
  bool is_last = true;  // of its weight
};

/// What one task contributes.
struct Partial {
  InnerProductSum values, deltas;
  std::vector<WeightStatsSum> stats;  // (C)

  explicit Partial(std::size_t checkpoints)
      : values(checkpoints), deltas(checkpoints - 1), stats(checkpoints) {}

  void add(const Partial& other) {
    values.add(other.values);
    deltas.add(other.deltas);
    for (std::size_t c = 0; c < stats.size(); ++c) stats[c].add(other.stats[c].moments());
  }
};

const Weight& weight_of(const CheckpointWeights& one, std::size_t index) {
  return one.weights->all()[index];
}

std::string shape_of(const Weight& weight) {
  return weight.rows == 1 ? format_shape({weight.cols}) : format_shape({weight.rows, weight.cols});
}

/// Checkpoints of a series are of one model: the same weights with the same shapes; how they are stored may
/// differ.
void require_same_weights(const CheckpointWeights& first, const CheckpointWeights& other) {
  const std::string file = other.checkpoint->directory().string();
  const std::string as_in = " as in " + first.checkpoint->directory().string();
  for (const Weight& expected : first.weights->all()) {
    const std::string thing = "tensor '" + expected.name + "'";
    const Weight* found = other.weights->find(expected.key);
    if (found == nullptr) throw FormatError(file, thing, "is missing (expected" + as_in + ")");
    if (found->rows == expected.rows && found->cols == expected.cols) continue;
    throw FormatError(file, thing,
                      "expected shape " + shape_of(expected) + as_in + ", found " + shape_of(*found));
  }
  for (const Weight& found : other.weights->all()) {
    if (first.weights->find(found.key) != nullptr) continue;
    throw FormatError(file, "tensor '" + found.name + "'",
                      "is unexpected (expected no such tensor," + as_in + ")");
  }
}

bool forget_pages(Series series) {
  std::uint64_t bytes = 0;
  for (const CheckpointWeights& checkpoint : series) bytes += checkpoint.checkpoint->bytes();
  return outgrows_page_cache(bytes);
}

/// Buffers of one thread, for C checkpoints.
class Worker {
 public:
  Worker(std::size_t checkpoints, std::uint64_t piece, bool forget_pages)
      : piece_(piece),
        forget_pages_(forget_pages),
        bytes_(checkpoints),
        floats_(weight_block_size),
        values_(checkpoints * weight_block_size),
        deltas_((checkpoints - 1) * weight_block_size) {}

  Partial run(Series series, const Task& task) {
    Partial partial(series.size());
    for (std::uint64_t done = 0; done < task.count; done += piece_) {
      const std::uint64_t count = std::min(piece_, task.count - done);
      read(series, {task.weight, task.first + done, count});
      for (std::uint64_t first = 0; first < count; first += weight_block_size) {
        add_block(series, task.weight, first, std::min<std::uint64_t>(weight_block_size, count - first),
                  partial);
      }
    }
    return partial;
  }

 private:
  void read(Series series, const Task& piece) {
    for (std::size_t c = 0; c < series.size(); ++c) {
      const Weight& weight = weight_of(series[c], piece.weight);
      const std::uint64_t width = dtype_bits(weight.dtype) / 8;
      const SourceFile& shard = series[c].checkpoint->shards()[weight.shard];
      const std::uint64_t offset = weight.offset + piece.first * width;
      bytes_[c].resize(piece.count * width);
      shard.read(offset, bytes_[c]);
      if (forget_pages_) shard.forget(offset, bytes_[c].size());
    }
  }

  /// One block of at most weight_block_size elements, small enough for the second-level cache.
  void add_block(Series series, std::size_t index, std::uint64_t first, std::uint64_t count,
                 Partial& partial) {
    const std::size_t length = (count + inner_product_lanes - 1) / inner_product_lanes * inner_product_lanes;
    for (std::size_t c = 0; c < series.size(); ++c) {
      const Weight& weight = weight_of(series[c], index);
      const std::uint64_t width = dtype_bits(weight.dtype) / 8;
      const std::span<float> block = std::span(floats_).first(count);
      convert_to_float(weight.dtype, std::span(bytes_[c]).subspan(first * width, count * width), block);
      partial.stats[c].add(weight_moments(block));
      double* const row = &values_[c * length];
      std::fill(std::copy(block.begin(), block.end(), row), row + length, 0.0);
    }
    const std::size_t delta_elements = (series.size() - 1) * length;
    for (std::size_t i = 0; i < delta_elements; ++i) deltas_[i] = values_[i + length] - values_[i];
    partial.values.add(std::span(values_).first(series.size() * length), length);
    partial.deltas.add(std::span(deltas_).first(delta_elements), length);
  }

  std::uint64_t piece_;                        // elements read at once, a multiple of weight_block_size
  bool forget_pages_;                          // a series that does not fit the page cache must not flush it
  std::vector<std::vector<std::byte>> bytes_;  // (C): a piece as stored
  std::vector<float> floats_;                  // (weight_block_size)
  std::vector<double> values_, deltas_;        // (C, length), (C-1, length)
};

/// Elements that a thread may hold of each checkpoint: as many as the budget allows, up to a whole task.
std::uint64_t piece_within(std::uint64_t memory_budget, std::size_t checkpoints, unsigned threads) {
  const std::uint64_t bytes_per_element = checkpoints * sizeof(float);
  const std::uint64_t blocks = memory_budget / threads / (bytes_per_element * weight_block_size);
  return std::clamp<std::uint64_t>(blocks, 1, task_size / weight_block_size) * weight_block_size;
}

/// All tasks in order, made as they are needed: a large model has millions.
class TaskSequence {
 public:
  explicit TaskSequence(std::span<const Weight> weights) : weights_(weights) {}

  /// Empty at the end. A weight without elements still has one task, and so a trajectory.
  std::vector<Task> take(std::size_t count) {
    std::vector<Task> tasks;
    while (tasks.size() < count && weight_ < weights_.size()) {
      const std::uint64_t left = weights_[weight_].size() - first_;
      tasks.push_back({weight_, first_, std::min(task_size, left), left <= task_size});
      first_ = left <= task_size ? 0 : first_ + task_size;
      if (left <= task_size) ++weight_;
    }
    return tasks;
  }

 private:
  std::span<const Weight> weights_;
  std::size_t weight_ = 0;
  std::uint64_t first_ = 0;
};

WeightTrajectory trajectory(Series series, std::size_t index, const Partial& sums) {
  WeightTrajectory result{index, &weight_of(series.front(), index), {}, {}};
  result.products = {series.size(), sums.values.matrix(), sums.deltas.matrix()};
  for (const WeightStatsSum& stats : sums.stats) result.stats.push_back(stats.result());
  return result;
}

}  // namespace

void trace_weights(Series series, ThreadPool& pool, std::uint64_t memory_budget,
                   const std::function<void(const WeightTrajectory&)>& sink) {
  if (series.empty()) return;
  for (const CheckpointWeights& other : series.subspan(1)) require_same_weights(series.front(), other);
  const std::uint64_t piece = piece_within(memory_budget, series.size(), pool.threads());
  std::vector<Worker> workers(pool.threads(), Worker(series.size(), piece, forget_pages(series)));
  TaskSequence sequence(series.front().weights->all());
  const Partial nothing(series.size());
  std::vector<Partial> partials(std::size_t{32} * pool.threads(), nothing);
  Partial sums = nothing;
  while (true) {
    const std::vector<Task> tasks = sequence.take(partials.size());
    if (tasks.empty()) return;
    pool.for_each(tasks.size(), [&](std::size_t i, unsigned worker) {
      partials[i] = workers[worker].run(series, tasks[i]);
    });
    for (std::size_t i = 0; i < tasks.size(); ++i) {  // in order, whoever computed what
      sums.add(partials[i]);
      if (!tasks[i].is_last) continue;
      sink(trajectory(series, tasks[i].weight, sums));
      sums = nothing;
    }
  }
}

}  // namespace moescope
