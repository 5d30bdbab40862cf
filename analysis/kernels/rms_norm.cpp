#include "analysis/kernels/rms_norm.h"

#include <algorithm>
#include <cmath>

#include "analysis/machine/parallel.h"

namespace moescope {
namespace {

constexpr std::size_t partial_sums = 16;

/// Interleaved partial sums: short chains, and an inner loop that the compiler can vectorise as written.
float mean_square(std::span<const float> x) {
  float partial[partial_sums] = {};
  for (std::size_t begin = 0; begin < x.size(); begin += partial_sums) {
    const std::size_t count = std::min(partial_sums, x.size() - begin);
    for (std::size_t i = 0; i < count; ++i) partial[i] += x[begin + i] * x[begin + i];
  }
  for (std::size_t half = partial_sums / 2; half > 0; half /= 2) {
    for (std::size_t i = 0; i < half; ++i) partial[i] += partial[i + half];
  }
  return partial[0] / static_cast<float>(x.size());
}

}  // namespace

void rms_norm(std::span<float> x, std::span<const float> weight, double epsilon) {
  const float scale = 1.0f / std::sqrt(mean_square(x) + static_cast<float>(epsilon));
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = x[i] * scale * weight[i];
}

Matrix rms_norm(ThreadPool& threads, const Matrix& x, std::span<const float> weight, double epsilon) {
  Matrix y(x.rows, x.columns);
  constexpr std::size_t rows_per_task = 32;
  threads.for_each((x.rows + rows_per_task - 1) / rows_per_task, [&](std::size_t task, unsigned) {
    const std::size_t end = std::min(x.rows, (task + 1) * rows_per_task);
    for (std::size_t r = task * rows_per_task; r < end; ++r) {
      std::ranges::copy(x.row(r), y.row(r).begin());
      rms_norm(y.row(r), weight, epsilon);
    }
  });
  return y;
}

}  // namespace moescope
