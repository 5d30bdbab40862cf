#include "analysis/plan/machine_speed.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "analysis/kernels/matrix_product.h"
#include "analysis/machine/clock.h"
#include "analysis/machine/memory.h"
#include "analysis/weights/weight_trajectory.h"
#include "metrics/statistics.h"

namespace moescope {
namespace {

/// More than the caches of common processors hold.
constexpr std::uint64_t uncached_bytes = 96 * mebibyte;
constexpr double product_seconds = 1.0, weight_pass_seconds = 0.2, reading_seconds = 0.5;
constexpr std::uint64_t read_bytes = 4 * mebibyte, sample_bytes = 32 * mebibyte, most_samples = 32;

/// Elements of ordinary size, all different: denormal numbers would be slower than any weight, and so would
/// counting the same one again and again.
std::vector<std::byte> ordinary_elements(std::uint64_t bytes, DType dtype) {
  const std::uint16_t exponent =
      dtype == DType::f16 ? 0x2c00 : 0x3c00;  // 0.008 to 0.03 as BF16, 0.06 to 0.2 as F16
  std::vector<std::byte> elements(bytes);
  std::minstd_rand generator(1);
  const std::uint64_t distinct = std::min(bytes, mebibyte - 2);  // no two checkpoints alike
  for (std::uint64_t i = 0; i + 1 < distinct; i += 2) {
    const auto pattern = static_cast<std::uint16_t>(exponent | ((generator() >> 8) & 0x81ff));
    std::memcpy(&elements[i], &pattern, sizeof pattern);
  }
  for (std::uint64_t i = distinct; i < bytes; ++i) elements[i] = elements[i - distinct];
  return elements;
}

/// A run of bytes inside one of several files.
struct Sample {
  const SourceFile* file = nullptr;
  std::uint64_t offset = 0, bytes = 0;
};

/// Evenly spread over all files, in an order that is evenly spread at any point: reading may stop early.
std::vector<Sample> spread_samples(std::span<const SourceFile* const> files) {
  std::uint64_t total = 0;
  for (const SourceFile* file : files) total += file->size();
  const std::uint64_t count = std::clamp<std::uint64_t>(total / 4 / sample_bytes, 1, most_samples);
  constexpr double golden_ratio = 0.6180339887498949;
  std::vector<Sample> samples;
  for (std::uint64_t s = 0; s < count; ++s) {
    const double place = std::fmod(static_cast<double>(s) * golden_ratio, 1.0);
    auto offset = static_cast<std::uint64_t>(place * static_cast<double>(total));
    for (const SourceFile* file : files) {
      if (offset < file->size()) {
        samples.push_back({file, offset, std::min(sample_bytes, file->size() - offset)});
        break;
      }
      offset -= file->size();
    }
  }
  return samples;
}

void read_sample(const Sample& sample, std::vector<std::byte>& buffer) {
  for (std::uint64_t done = 0; done < sample.bytes; done += buffer.size()) {
    const std::uint64_t bytes = std::min<std::uint64_t>(buffer.size(), sample.bytes - done);
    sample.file->read(sample.offset + done, std::span(buffer).first(bytes));
  }
}

}  // namespace

double measure_product_rate(ThreadPool& threads, const ProductShape& shape, Precision precision) {
  const std::uint64_t bytes = dtype_bytes(shape.weights, std::uint64_t{shape.rows} * shape.columns);
  const std::uint64_t matrices = std::max<std::uint64_t>(1, uncached_bytes / bytes);
  const std::vector<std::byte> weights = ordinary_elements(matrices * bytes, shape.weights);
  Matrix x(shape.tokens, shape.columns), y(shape.tokens, shape.rows);
  std::ranges::fill(x.values, 0.5f);
  const TokenPanels panels = pack_panels(threads, x, precision);
  const ProductSink sink = store_rows(panels, y);
  const double flops = 2.0 * static_cast<double>(shape.rows) * static_cast<double>(shape.columns) *
                       static_cast<double>(shape.tokens);
  std::vector<double> rates;
  const Clock::time_point start = Clock::now();
  for (std::uint64_t matrix = 0; rates.size() < 3 || seconds_since(start) < product_seconds; ++matrix) {
    const auto stored = std::span(weights).subspan(matrix % matrices * bytes, bytes);
    const Clock::time_point begin = Clock::now();
    multiply(threads, {shape.weights, 0, shape.rows, shape.columns, stored}, panels, sink);
    rates.push_back(flops / std::max(seconds_since(begin), 1e-9));
  }
  return median(rates);
}

double measure_weight_pass_rate(ThreadPool& threads, std::size_t checkpoints, DType dtype) {
  constexpr std::uint64_t task = WeightTrajectorySum::task_elements;
  const std::uint64_t task_bytes = dtype_bytes(dtype, task);
  const std::uint64_t tasks =
      std::max<std::uint64_t>(threads.threads(), uncached_bytes / (checkpoints * task_bytes));
  const std::vector<std::byte> stored = ordinary_elements(checkpoints * tasks * task_bytes, dtype);
  std::vector<StoredElements> elements;
  for (std::size_t c = 0; c < checkpoints; ++c) {
    elements.push_back({dtype, std::span(stored).subspan(c * tasks * task_bytes, tasks * task_bytes)});
  }
  WeightTrajectorySum sum(checkpoints, threads);
  sum.begin(0);
  std::vector<double> rates;
  const Clock::time_point start = Clock::now();
  while (rates.size() < 3 || seconds_since(start) < weight_pass_seconds) {
    const Clock::time_point begin = Clock::now();
    sum.add(elements, tasks * task);
    rates.push_back(static_cast<double>(checkpoints * tasks * task) / std::max(seconds_since(begin), 1e-9));
  }
  return median(rates);
}

double measure_reading_rate(std::span<const SourceFile* const> files, bool cold) {
  std::vector<std::byte> buffer(read_bytes);
  double bytes = 0, seconds = 0;
  const Clock::time_point start = Clock::now();
  for (const Sample& sample : spread_samples(files)) {
    if (seconds_since(start) > reading_seconds) break;
    if (cold) sample.file->forget(sample.offset, sample.bytes);
    const Clock::time_point begin = Clock::now();
    read_sample(sample, buffer);
    seconds += seconds_since(begin);
    bytes += static_cast<double>(sample.bytes);
    if (cold) sample.file->forget(sample.offset, sample.bytes);
  }
  return bytes > 0 ? bytes / std::max(seconds, 1e-6) : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace moescope
