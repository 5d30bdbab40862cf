#include "analysis/machine_speed.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "analysis/clock.h"
#include "analysis/element_convert.h"
#include "analysis/inner_products.h"
#include "analysis/matrix_product.h"
#include "metrics/weight_stats.h"

namespace moescope {
namespace {

constexpr std::uint64_t mebibyte = 1 << 20;
/// More than the caches of common processors hold.
constexpr std::uint64_t uncached_bytes = 96 * mebibyte;
constexpr double product_seconds = 1.0, weight_pass_seconds = 0.2, reading_seconds = 0.5;
constexpr std::uint64_t read_bytes = 4 * mebibyte, sample_bytes = 32 * mebibyte, most_samples = 32;

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Elements of ordinary size: denormal numbers would be slower than any weight.
std::vector<std::byte> ordinary_elements(std::uint64_t bytes, DType dtype) {
  const unsigned char high =
      dtype == DType::f16 ? 0x2c : 0x3c;  // 0x3c3c is 0.0115 as BF16, 0x2c2c 0.065 as F16
  return std::vector<std::byte>(bytes, std::byte{high});
}

/// What the weight pass does with one block of elements, for all checkpoints, on one thread.
class WeightPassWork {
 public:
  WeightPassWork(std::size_t checkpoints, DType dtype)
      : checkpoints_(checkpoints),
        dtype_(dtype),
        bytes_(weight_block_size * dtype_bits(dtype) / 8),
        floats_(weight_block_size),
        values_(checkpoints * weight_block_size),
        deltas_((checkpoints - 1) * weight_block_size),
        products_(checkpoints),
        delta_products_(checkpoints - 1),
        stats_(checkpoints) {}

  /// `stored`: the block in each checkpoint. Copying stands for reading out of the page cache.
  void run(std::span<const std::byte> stored) {
    for (std::size_t c = 0; c < checkpoints_; ++c) {
      std::ranges::copy(stored.subspan(c * bytes_.size(), bytes_.size()), bytes_.begin());
      convert_to_float(dtype_, bytes_, floats_);
      stats_[c].add(weight_moments(floats_));
      std::ranges::copy(floats_, values_.begin() + static_cast<std::ptrdiff_t>(c * weight_block_size));
    }
    for (std::size_t i = 0; i < deltas_.size(); ++i) deltas_[i] = values_[i + weight_block_size] - values_[i];
    products_.add(values_, weight_block_size);
    delta_products_.add(deltas_, weight_block_size);
  }
  std::size_t stored_bytes() const { return checkpoints_ * bytes_.size(); }

 private:
  std::size_t checkpoints_;
  DType dtype_;
  std::vector<std::byte> bytes_;
  std::vector<float> floats_;
  std::vector<double> values_, deltas_;
  InnerProductSum products_, delta_products_;
  std::vector<WeightStatsSum> stats_;
};

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
  const std::uint64_t bytes = std::uint64_t{shape.rows} * shape.columns * dtype_bits(shape.weights) / 8;
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
  constexpr std::size_t blocks_at_once = 256;
  std::vector<WeightPassWork> work(threads.threads(), WeightPassWork(checkpoints, dtype));
  const std::size_t block_bytes = work.front().stored_bytes();
  const std::size_t blocks = std::max<std::size_t>(1, uncached_bytes / block_bytes);
  const std::vector<std::byte> stored = ordinary_elements(blocks * block_bytes, dtype);
  const auto elements = static_cast<double>(blocks_at_once * checkpoints * weight_block_size);
  std::vector<double> rates;
  const Clock::time_point start = Clock::now();
  for (std::size_t first = 0; rates.size() < 3 || seconds_since(start) < weight_pass_seconds;
       first += blocks_at_once) {
    const Clock::time_point begin = Clock::now();
    threads.for_each(blocks_at_once, [&](std::size_t block, unsigned worker) {
      work[worker].run(std::span(stored).subspan((first + block) % blocks * block_bytes, block_bytes));
    });
    rates.push_back(elements / std::max(seconds_since(begin), 1e-9));
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
