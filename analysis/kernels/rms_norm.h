#pragma once
/// Root mean square layer normalisation (Zhang & Sennrich, arXiv 1910.07467).

#include <span>

#include "analysis/kernels/activations.h"

namespace moescope {

class ThreadPool;

/// y = x / sqrt(mean(x^2) + epsilon) * weight, in place; the mean in float32. Thread-safe.
void rms_norm(std::span<float> x, std::span<const float> weight, double epsilon);

/// Of every row of x.
Matrix rms_norm(ThreadPool& threads, const Matrix& x, std::span<const float> weight, double epsilon);

}  // namespace moescope
