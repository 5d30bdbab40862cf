#include "analysis/kernels/rms_norm.h"

#include <cmath>

#include "analysis/machine/parallel.h"

namespace moescope {
namespace {

constexpr std::size_t partial_sums = 16;

/// Interleaved partial sums: short chains, and an inner loop that the compiler can vectorise as written.
float mean_square(std::span<const float> x) {
  float partial[partial_sums] = {};
  std::size_t begin = 0;
  for (; begin + partial_sums <= x.size(); begin += partial_sums) {
    for (std::size_t i = 0; i < partial_sums; ++i) partial[i] += x[begin + i] * x[begin + i];
  }
  for (std::size_t i = 0; begin + i < x.size(); ++i) partial[i] += x[begin + i] * x[begin + i];
  for (std::size_t half = partial_sums / 2; half > 0; half /= 2) {
    for (std::size_t i = 0; i < half; ++i) partial[i] += partial[i + half];
  }
  return partial[0] / static_cast<float>(x.size());
}

float scale_of(std::span<const float> x, double epsilon) {
  return 1.0f / std::sqrt(mean_square(x) + static_cast<float>(epsilon));
}

}  // namespace

void rms_norm(std::span<float> x, std::span<const float> weight, double epsilon) {
  const float scale = scale_of(x, epsilon);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = x[i] * scale * weight[i];
}

Matrix rms_norm(ThreadPool& threads, const Matrix& x, std::span<const float> weight, double epsilon) {
  Matrix y(x.rows, x.columns);
  for_each_row(threads, x.rows, [&](std::size_t r) {
    const std::span<const float> from = x.row(r);
    const std::span<float> to = y.row(r);
    const float scale = scale_of(from, epsilon);
    for (std::size_t i = 0; i < from.size(); ++i) to[i] = from[i] * scale * weight[i];
  });
  return y;
}

}  // namespace moescope
