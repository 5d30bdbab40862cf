#include "analysis/weights/weight_trajectory.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "analysis/kernels/element_convert.h"
#include "metrics/statistics.h"

namespace moescope {
namespace {

/// Elements of each checkpoint that go through all sums together: they stay in the second-level cache.
constexpr std::uint64_t chunk_elements = 16 * weight_block_size;
/// Elements that are multiplied together: in double, all checkpoints and differences, they stay in the
/// first-level cache. A whole number of blocks is a run of the products.
constexpr std::uint64_t product_elements = 256;
/// Blocks of a sketch in a task.
constexpr std::uint64_t task_blocks = WeightTrajectorySum::task_elements / sketch_size;
static_assert(inner_product_run % product_elements == 0);

StoredElements part_of(const StoredElements& elements, std::uint64_t first, std::uint64_t count) {
  const DType dtype = elements.dtype;
  return {dtype, elements.bytes.subspan(dtype_bytes(dtype, first), dtype_bytes(dtype, count)),
          elements.scales, elements.first + first};
}

void convert_to_float(const StoredElements& elements, std::span<float> values) {
  convert_to_float(elements.dtype, elements.bytes, elements.scales, elements.first, values);
}

/// The bit patterns of stored BF16 elements, where they lie if that is aligned, else copied into `room`.
std::span<const std::uint16_t> patterns_of(const StoredElements& elements, std::vector<std::uint16_t>& room) {
  const std::size_t count = elements.bytes.size() / sizeof(std::uint16_t);
  const std::byte* bytes = elements.bytes.data();
  if (reinterpret_cast<std::uintptr_t>(bytes) % alignof(std::uint16_t) == 0) {
    return {reinterpret_cast<const std::uint16_t*>(bytes), count};
  }
  room.resize(chunk_elements);
  std::memcpy(room.data(), bytes, elements.bytes.size());
  return std::span(room).first(count);
}

/// Rows of `length` floats, one a checkpoint: an element that is not finite gets the value of the last
/// checkpoint at which it was, else of the next; 0 if there is none.
void stand_in_for_nonfinite(std::span<float> floats, std::size_t length) {
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

}  // namespace

WeightTrajectorySum::WeightTrajectorySum(std::size_t checkpoints, ThreadPool& pool, bool sketches)
    : checkpoints_(checkpoints), pool_(pool), with_sketches_(sketches), sums_(nothing()) {
  Worker worker;
  worker.histograms.resize(checkpoints);
  worker.steps.resize(checkpoints - 1);
  worker.patterns.resize(checkpoints);
  worker.room.resize(checkpoints);
  worker.floats.resize(std::max(chunk_elements, checkpoints * product_elements));
  worker.values.resize(checkpoints * product_elements);
  worker.deltas.resize((checkpoints - 1) * product_elements);
  workers_.assign(pool.threads(), worker);
}

std::uint64_t WeightTrajectorySum::bytes(std::size_t checkpoints, unsigned threads, std::uint64_t elements) {
  const std::uint64_t of_pairs = 2 * checkpoints * checkpoints * inner_product_lanes * sizeof(double);
  const std::uint64_t of_partial = checkpoints * sketch_size * sizeof(double) + of_pairs;
  const std::uint64_t of_worker = checkpoints * bfloat16_patterns * sizeof(std::int64_t);
  const std::uint64_t partials = std::min(most_tasks, (elements + task_elements - 1) / task_elements);
  return threads * of_worker + (partials + 1) * of_partial;
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
  for (Worker& worker : workers_) std::ranges::fill(worker.steps, Bfloat16Steps{});
  pool_.for_each(checkpoints_, [&](std::size_t c, unsigned) {
    for (Worker& worker : workers_) worker.histograms[c].clear();
  });
}

void WeightTrajectorySum::add(std::span<const StoredElements> elements, std::uint64_t count) {
  for (std::uint64_t first = 0; first < count; first += most_tasks * task_elements) {
    add_tasks(elements, first, std::min(most_tasks * task_elements, count - first));
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
                                   Worker& worker, Partial& partial) const {
  partial.values.clear();
  partial.deltas.clear();
  std::ranges::fill(partial.stats, WeightStatsSum{});
  for (WeightSketch& sketch : partial.sketches) std::ranges::fill(sketch.sums, 0.0);
  for (std::uint64_t done = 0; done < range.count; done += chunk_elements) {
    const Range chunk{range.first + done, std::min(chunk_elements, range.count - done),
                      range.block + done / sketch_size};
    for (std::size_t c = 0; c < checkpoints_; ++c) {
      add_elements(part_of(elements[c], chunk.first, chunk.count), chunk.block, c, worker, partial);
    }
    for (std::size_t c = 0; c + 1 < checkpoints_; ++c) {
      const auto earlier = worker.patterns[c], later = worker.patterns[c + 1];
      if (!earlier.empty() && !later.empty()) worker.steps[c].add(earlier, later);
    }
    add_products(elements, chunk, worker, partial);
  }
}

/// One chunk of one checkpoint.
void WeightTrajectorySum::add_elements(const StoredElements& elements, std::uint64_t block, std::size_t c,
                                       Worker& worker, Partial& partial) const {
  worker.patterns[c] = {};
  if (elements.dtype == DType::bf16) {
    const auto patterns = worker.patterns[c] = patterns_of(elements, worker.room[c]);
    worker.histograms[c].add(patterns);
    if (with_sketches_) partial.sketches[c].add(sketch_key_, block, patterns);
    return;
  }
  const std::size_t count = dtype_elements(elements.dtype, elements.bytes.size());
  const std::span values = std::span(worker.floats).first(count);
  convert_to_float(elements, values);
  if (with_sketches_) partial.sketches[c].add(sketch_key_, block, values);
  const float least_normal = elements.dtype == DType::f16 ? least_normal_float16 : least_normal_float32;
  for (std::size_t i = 0; i < count; i += weight_block_size) {
    const auto block_values = values.subspan(i, std::min(weight_block_size, count - i));
    partial.stats[c].add(weight_moments(block_values, least_normal));
  }
}

/// The products of one chunk of all checkpoints. Where an element is not finite at some of them, its steps
/// lead from one finite value to the next.
void WeightTrajectorySum::add_products(std::span<const StoredElements> elements, const Range& chunk,
                                       Worker& worker, Partial& partial) const {
  for (std::uint64_t done = 0; done < chunk.count; done += product_elements) {
    const std::uint64_t count = std::min(product_elements, chunk.count - done);
    const std::size_t length = (count + inner_product_lanes - 1) / inner_product_lanes * inner_product_lanes;
    const std::span floats = std::span(worker.floats).first(checkpoints_ * length);
    for (std::size_t c = 0; c < checkpoints_; ++c) {
      const StoredElements stored = part_of(elements[c], chunk.first + done, count);
      convert_to_float(stored, floats.subspan(c * length, count));
      std::ranges::fill(floats.subspan(c * length + count, length - count), 0.0f);
    }
    const bool finite = widen(floats, length, worker.values, worker.deltas);
    const std::size_t of_deltas = (checkpoints_ - 1) * length;
    partial.values.add(std::span(worker.values).first(checkpoints_ * length), length);
    if (!finite) {
      stand_in_for_nonfinite(floats, length);
      widen(floats, length, worker.values, worker.deltas);
    }
    partial.deltas.add(std::span(worker.deltas).first(of_deltas), length);
  }
}

WeightTrajectory WeightTrajectorySum::result() {
  WeightTrajectory result;
  result.products = without_stand_ins({checkpoints_, sums_.values.matrix(), sums_.deltas.matrix()});
  result.stats.resize(checkpoints_);
  Worker& first = workers_.front();
  pool_.for_each(checkpoints_, [&](std::size_t c, unsigned) {
    for (Worker& worker : std::span(workers_).subspan(1)) first.histograms[c].merge(worker.histograms[c]);
    const WeightStats counted = weight_stats(first.histograms[c]);
    result.stats[c] = counted.element_count > 0 ? counted : sums_.stats[c].result();
  });
  for (const Worker& worker : std::span(workers_).subspan(1)) {
    for (std::size_t c = 0; c + 1 < checkpoints_; ++c) first.steps[c].merge(worker.steps[c]);
  }
  result.histograms = first.histograms;
  result.steps = first.steps;
  result.sketches = sums_.sketches;
  return result;
}

}  // namespace moescope
