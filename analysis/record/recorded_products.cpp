#include "analysis/record/recorded_products.h"

#include <algorithm>
#include <cmath>

#include "readers/schema/datasets.h"

namespace moescope {
namespace {

bool all_finite(const std::vector<double>& values) {
  return std::ranges::all_of(values, [](double value) { return std::isfinite(value); });
}

/// (relative drift of W_t from W_s times the norm of W_s)², of the one of both whose norm is not 0.
std::vector<double> squares_of_drift(const RunFile& run, const RecordedProducts& products) {
  const std::uint64_t checkpoints = run.shape(dataset::checkpoint)[0], count = products.count;
  const std::vector<double> drift =
      run.read(dataset::weights_relative_drift, {{0, 0, products.first}, {checkpoints, checkpoints, count}});
  std::vector<double> squares(products.inner.size());
  for (std::uint64_t w = 0; w < count; ++w) {
    const std::span<const double> inner = products.inner_of(products.first + w);
    for (std::uint64_t s = 0; s < checkpoints; ++s) {
      for (std::uint64_t t = 0; t < checkpoints; ++t) {
        const double from_s = inner[s * checkpoints + s], from_t = inner[t * checkpoints + t];
        const auto square = [&](std::uint64_t from, std::uint64_t to, double norm) {
          const double relative = drift[(from * checkpoints + to) * count + w];
          return norm == 0 ? 0 : relative * relative * norm;  // from 0 to 0
        };
        squares[(w * checkpoints + s) * checkpoints + t] = s == t && from_s == 0 ? 0
                                                           : from_s == 0         ? square(t, s, from_t)
                                                                                 : square(s, t, from_s);
      }
    }
  }
  return squares;
}

}  // namespace

RecordedProducts read_products(const RunFile& run, std::uint64_t first, std::uint64_t count) {
  const std::uint64_t checkpoints = run.shape(dataset::checkpoint)[0], steps = checkpoints - 1;
  RecordedProducts products = {first, count, checkpoints, {}, {}};
  products.inner =
      run.read(dataset::weights_inner_product, {{first, 0, 0}, {count, checkpoints, checkpoints}});
  if (steps > 0)
    products.delta_inner =
        run.read(dataset::weights_delta_inner_product, {{first, 0, 0}, {count, steps, steps}});
  if (!all_finite(products.delta_inner)) products.squared_distance = squares_of_drift(run, products);
  return products;
}

WeightInnerProducts RecordedProducts::of(std::uint64_t tensor) const {
  const auto copy = [](std::span<const double> values) {
    return std::vector<double>(values.begin(), values.end());
  };
  WeightInnerProducts products{checkpoints, copy(inner_of(tensor)), copy(delta_inner_of(tensor))};
  if (squared_distance.empty() || all_finite(products.delta_inner_product)) return products;
  const std::size_t size = checkpoints * checkpoints;
  products.squared_distance = copy(std::span(squared_distance).subspan((tensor - first) * size, size));
  return products;
}

}  // namespace moescope
