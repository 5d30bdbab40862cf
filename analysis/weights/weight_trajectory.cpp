#include "analysis/weights/weight_trajectory.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "analysis/kernels/element_convert.h"
#include "metrics/statistics.h"

namespace moescope {
namespace {

constexpr std::size_t block_size = weight_block_elements;
static_assert(block_size == weight_block_size && block_size == sketch_size &&
              block_size == inner_product_run);
/// Blocks of a sketch that are summed in single precision.
constexpr std::uint64_t chunk_elements = 16 * block_size;
/// Blocks in a task.
constexpr std::uint64_t task_blocks = WeightTrajectorySum::task_elements / block_size;
/// Elements before a counter of 32 bits could overflow.
constexpr std::uint64_t most_counted = std::uint64_t{1} << 32;

StoredElements part_of(const StoredElements& elements, std::uint64_t first, std::uint64_t count) {
  const DType dtype = elements.dtype;
  return {dtype, elements.bytes.subspan(dtype_bytes(dtype, first), dtype_bytes(dtype, count)),
          elements.scales, elements.first + first};
}

void convert_to_float(const StoredElements& elements, std::span<float> values) {
  convert_to_float(elements.dtype, elements.bytes, elements.scales, elements.first, values);
}

/// From a block to what is asked for meanwhile: reading it from memory takes longer than one block does.
constexpr std::uint64_t ahead_distance = 2 * block_size;

BlockRow row_of(const StoredElements& elements, std::uint64_t first) {
  const DType dtype = elements.dtype;
  const std::uint64_t ahead =
      std::min<std::uint64_t>(dtype_bytes(dtype, first + ahead_distance), elements.bytes.size() - 1);
  return {dtype == DType::bf16, elements.bytes.data() + ahead, dtype_bytes(dtype, 32) / 2};
}

/// Rows of blocks, one a checkpoint: an element that is not finite gets the value of the last
/// checkpoint at which it was, else of the next; 0 if there is none.
void stand_in_for_nonfinite(std::span<float> floats) {
  constexpr std::size_t length = block_size;
  const std::size_t rows = floats.size() / length;
  for (std::size_t i = 0; i < length; ++i) {
    const auto value = [&](std::size_t row) -> float& { return floats[row * length + i]; };
    std::size_t first = 0;
    while (first < rows && !std::isfinite(value(first))) ++first;
    const float earliest = first < rows ? value(first) : 0;
    for (std::size_t row = 0; row < rows; ++row) {
      if (!std::isfinite(value(row))) value(row) = row < first ? earliest : value(row - 1);
    }
  }
}

/// With stand-ins, steps tell the distances of all checkpoints that are finite, and nothing else.
WeightInnerProducts without_stand_ins(WeightInnerProducts products) {
  std::vector<std::size_t> broken;
  for (std::size_t c = 0; c < products.checkpoints; ++c) {
    if (!products.is_finite_at(c)) broken.push_back(c);
  }
  if (broken.empty()) return products;
  const std::size_t count = products.checkpoints, steps = products.steps();
  products.squared_distance = squares_of_steps(products);
  for (const std::size_t c : broken) {
    for (std::size_t other = 0; other < count; ++other)
      products.squared_distance[c * count + other] = products.squared_distance[other * count + c] = nan;
    for (const std::size_t step : {c - 1, c}) {  // to it and from it
      for (std::size_t other = 0; step < steps && other < steps; ++other)
        products.delta_inner_product[step * steps + other] =
            products.delta_inner_product[other * steps + step] = nan;
    }
  }
  return products;
}

/// The products of one block's steps, which lead from one finite value to the next. Any others are dropped.
void multiply_finite_steps(std::span<const StoredElements> elements, std::uint64_t first, std::uint64_t count,
                           std::span<double> lanes) {
  std::vector<float> floats(elements.size() * block_size);
  for (std::size_t c = 0; c < elements.size(); ++c)
    convert_to_float(part_of(elements[c], first, count), std::span(floats).subspan(c * block_size, count));
  stand_in_for_nonfinite(floats);
  const auto step = [&](std::size_t c, std::size_t i) {
    return static_cast<double>(floats[(c + 1) * block_size + i]) - floats[c * block_size + i];
  };
  std::ranges::fill(lanes, 0.0);
  double* sums = lanes.data();
  for (std::size_t a = 0; a + 1 < elements.size(); ++a) {
    for (std::size_t b = a; b + 1 < elements.size(); ++b, sums += inner_product_lanes) {
      for (std::size_t i = 0; i < block_size; ++i) sums[i % inner_product_lanes] += step(a, i) * step(b, i);
    }
  }
}

/// Moves what 32-bit counters hold.
void collect(std::span<std::uint32_t> counters, Bfloat16Histogram& histogram) {
  constexpr std::size_t at_once = 64;  // most are zero
  for (std::size_t first = 0; first < counters.size(); first += at_once) {
    const auto some = counters.subspan(first, at_once);
    std::uint32_t any = 0;
    for (const std::uint32_t count : some) any |= count;
    if (any == 0) continue;
    for (std::size_t i = 0; i < at_once; ++i) histogram.counts[first + i] += some[i];
    std::ranges::fill(some, 0);
  }
}

}  // namespace

WeightTrajectorySum::Worker::Worker(std::size_t checkpoints)
    : histograms(checkpoints * bfloat16_patterns),
      steps((checkpoints - 1) * step_pairs),
      windows(checkpoints * 2 * sketch_size),
      rows(checkpoints),
      patterns(checkpoints * block_size),
      floats(checkpoints * block_size),
      room(checkpoints) {
  std::ranges::fill(histograms, 0);
  std::ranges::fill(steps, 0);
  std::ranges::fill(windows, 0.0f);
}

WeightTrajectorySum::WeightTrajectorySum(std::size_t checkpoints, ThreadPool& pool, bool sketches)
    : checkpoints_(checkpoints),
      pool_(pool),
      with_sketches_(sketches),
      workers_(pool.threads(), Worker(checkpoints)),
      sums_(nothing()),
      histograms_(checkpoints),
      steps_(checkpoints - 1) {}

std::uint64_t WeightTrajectorySum::bytes(std::size_t checkpoints, unsigned threads, std::uint64_t elements) {
  const std::uint64_t of_pairs = 2 * checkpoints * checkpoints * inner_product_lanes * sizeof(double);
  const std::uint64_t of_partial = checkpoints * sketch_size * sizeof(double) + of_pairs;
  constexpr std::uint64_t counters = bfloat16_patterns + step_pairs,
                          buffers = 2 * sketch_size + 4 * block_size;
  const std::uint64_t of_worker = checkpoints * (counters + buffers) * sizeof(std::uint32_t);
  const std::uint64_t of_counts = checkpoints * bfloat16_patterns * sizeof(std::int64_t);
  const std::uint64_t partials = std::min(most_tasks, (elements + task_elements - 1) / task_elements);
  return threads * of_worker + of_counts + (partials + 1) * of_partial;
}

WeightTrajectorySum::Partial WeightTrajectorySum::nothing() const {
  return {InnerProductSum(checkpoints_), InnerProductSum(checkpoints_ - 1),
          std::vector<WeightStatsSum>(checkpoints_),
          std::vector<WeightSketch>(with_sketches_ ? checkpoints_ : 0)};
}

void WeightTrajectorySum::begin(std::uint64_t sketch_key) {
  sketch_key_ = sketch_key;
  blocks_ = 0;
  sums_ = nothing();
  if (counted_ > 0) collect_counts();
  pool_.for_each(checkpoints_, [&](std::size_t c, unsigned) { histograms_[c].clear(); });
  std::ranges::fill(steps_, Bfloat16Steps{});
}

/// Moves what the workers have counted.
void WeightTrajectorySum::collect_counts() {
  counted_ = 0;
  pool_.for_each(checkpoints_, [&](std::size_t c, unsigned) {
    for (Worker& worker : workers_) {
      collect(std::span(worker.histograms).subspan(c * bfloat16_patterns, bfloat16_patterns), histograms_[c]);
      if (c + 1 == checkpoints_) continue;
      const auto pairs = std::span(worker.steps).subspan(c * step_pairs, step_pairs);
      add_step_pairs(pairs, steps_[c]);
      std::ranges::fill(pairs, 0);
    }
  });
}

void WeightTrajectorySum::add(std::span<const StoredElements> elements, std::uint64_t count) {
  all_bfloat16_ =
      std::ranges::all_of(elements, [](const StoredElements& stored) { return stored.dtype == DType::bf16; });
  for (std::uint64_t first = 0; first < count; first += most_tasks * task_elements) {
    const std::uint64_t added = std::min(most_tasks * task_elements, count - first);
    if (counted_ + added >= most_counted) collect_counts();
    counted_ += added;
    add_tasks(elements, first, added);
  }
}

void WeightTrajectorySum::add_tasks(std::span<const StoredElements> elements, std::uint64_t first,
                                    std::uint64_t count) {
  const std::size_t tasks = (count + task_elements - 1) / task_elements;
  if (partials_.size() < tasks) partials_.resize(tasks, nothing());
  pool_.for_each(tasks, [&](std::size_t task, unsigned worker) {
    const std::uint64_t done = task * task_elements;
    const Range range{first + done, std::min(task_elements, count - done), blocks_ + task * task_blocks};
    add_task(elements, range, workers_[worker], partials_[task]);
  });
  pool_.for_each(checkpoints_ + 1, [&](std::size_t part, unsigned) {
    for (std::size_t task = 0; task < tasks; ++task) add_partial(partials_[task], part);
  });
  blocks_ += tasks * task_blocks;
}

/// Adds what belongs to one checkpoint, or, after those, the products.
void WeightTrajectorySum::add_partial(const Partial& partial, std::size_t part) {
  if (part == checkpoints_) {
    sums_.values.add(partial.values);
    sums_.deltas.add(partial.deltas);
    return;
  }
  sums_.stats[part].add(partial.stats[part].moments());
  if (with_sketches_) sums_.sketches[part].merge(partial.sketches[part]);
}

void WeightTrajectorySum::add_task(std::span<const StoredElements> elements, const Range& range,
                                   Worker& worker, Partial& partial) {
  partial.values.clear();
  partial.deltas.clear();
  std::ranges::fill(partial.stats, WeightStatsSum{});
  for (WeightSketch& sketch : partial.sketches) std::ranges::fill(sketch.sums, 0.0);
  for (std::uint64_t done = 0; done < range.count; done += chunk_elements) {
    add_chunk(
        elements,
        {range.first + done, std::min(chunk_elements, range.count - done), range.block + done / block_size},
        worker, partial);
  }
}

void WeightTrajectorySum::add_chunk(std::span<const StoredElements> elements, const Range& chunk,
                                    Worker& worker, Partial& partial) {
  for (std::uint64_t done = 0; done < chunk.count; done += block_size) {
    add_one_block(elements,
                  {chunk.first + done, std::min<std::uint64_t>(block_size, chunk.count - done),
                   chunk.block + done / block_size},
                  worker, partial);
  }
  for (std::size_t c = 0; c < partial.sketches.size(); ++c)
    fold_window(worker.windows.data() + c * 2 * sketch_size, partial.sketches[c].sums);
}

void WeightTrajectorySum::add_one_block(std::span<const StoredElements> elements, const Range& block,
                                        Worker& worker, Partial& partial) {
  load_block(elements, block, worker);
  const bool whole = block.count == block_size;
  for (std::size_t c = 0; c < checkpoints_; ++c) {
    if (worker.rows[c].is_bfloat16) continue;
    const float least_normal = elements[c].dtype == DType::f16 ? least_normal_float16 : least_normal_float32;
    partial.stats[c].add(
        weight_moments(std::span(worker.floats).subspan(c * block_size, block.count), least_normal));
  }
  BlockSums sums;
  sums.products = partial.values.lanes().data();
  sums.step_products = partial.deltas.lanes().data();
  SketchSigns signs;
  if (with_sketches_) {
    signs = sketch_signs(sketch_key_, block.block);
    sums.windows = worker.windows.data();
  }
  if (whole) {
    sums.histograms = worker.histograms.data();
    sums.steps = worker.steps.data();
  } else {
    count_plainly(worker, block.count);
  }
  add_block({worker.rows, worker.patterns.data(), all_bfloat16_ ? nullptr : worker.floats.data()}, signs,
            sums, worker.room);
  if (!partial.values.is_finite())
    multiply_finite_steps(elements, block.first, block.count, partial.deltas.lanes());
  if (!whole) return;
  partial.values.end_run();
  partial.deltas.end_run();
}

void WeightTrajectorySum::load_block(std::span<const StoredElements> elements, const Range& block,
                                     Worker& worker) const {
  for (std::size_t c = 0; c < checkpoints_; ++c) {
    const StoredElements stored = part_of(elements[c], block.first, block.count);
    worker.rows[c] = row_of(elements[c], block.first);
    if (worker.rows[c].is_bfloat16) {
      const auto patterns = std::span(worker.patterns).subspan(c * block_size, block_size);
      std::memcpy(patterns.data(), stored.bytes.data(), stored.bytes.size());
      std::ranges::fill(patterns.subspan(block.count), std::uint16_t{0});
    }
    if (all_bfloat16_) continue;
    const auto floats = std::span(worker.floats).subspan(c * block_size, block_size);
    convert_to_float(stored, floats.first(block.count));
    std::ranges::fill(floats.subspan(block.count), 0.0f);
  }
}

/// What is shorter than a block: the end of a weight.
void WeightTrajectorySum::count_plainly(const Worker& worker, std::size_t count) {
  const auto patterns = [&](std::size_t c) {
    return std::span(worker.patterns).subspan(c * block_size, count);
  };
  for (std::size_t c = 0; c < checkpoints_; ++c) {
    if (!worker.rows[c].is_bfloat16) continue;
    histograms_[c].add(patterns(c));
    if (c > 0 && worker.rows[c - 1].is_bfloat16) steps_[c - 1].add(patterns(c - 1), patterns(c));
  }
}

WeightTrajectory WeightTrajectorySum::result() {
  WeightTrajectory result;
  result.products = without_stand_ins({checkpoints_, sums_.values.matrix(), sums_.deltas.matrix()});
  result.stats.resize(checkpoints_);
  collect_counts();
  pool_.for_each(checkpoints_, [&](std::size_t c, unsigned) {
    const WeightStats counted = weight_stats(histograms_[c]);
    result.stats[c] = counted.element_count > 0 ? counted : sums_.stats[c].result();
  });
  result.histograms = histograms_;
  result.steps = steps_;
  result.sketches = sums_.sketches;
  return result;
}

}  // namespace moescope
