#include "metrics/weights/weight_path.h"

#include <cassert>
#include <cmath>

#include "metrics/statistics.h"

namespace moescope {

std::vector<double> update_norms(const WeightInnerProducts& products) {
  const std::size_t steps = products.steps();
  std::vector<double> norms(steps);
  for (std::size_t i = 0; i < steps; ++i)
    norms[i] = std::sqrt(products.delta_inner_product[i * steps + i]);  // a sum of squares: never below 0
  return norms;
}

std::vector<double> update_rms_per_token(const WeightInnerProducts& products, std::uint64_t elements,
                                         std::span<const double> tokens) {
  assert(tokens.size() == products.checkpoints);
  std::vector<double> rate = update_norms(products);
  for (std::size_t i = 0; i < rate.size(); ++i) {
    const double gap = tokens[i + 1] - tokens[i];
    rate[i] = gap > 0 && elements > 0 ? rate[i] / std::sqrt(static_cast<double>(elements)) / gap : nan;
  }
  return rate;
}

std::vector<double> update_direction(const WeightInnerProducts& products) {
  // The updates are vectors at C-1 "checkpoints", whose cosines are those of any weights.
  return weight_cosine({products.steps(), products.delta_inner_product, {}});
}

std::vector<double> path_length(const WeightInnerProducts& products) {
  std::vector<double> length(products.checkpoints, nan);
  if (products.checkpoints == 0 || !products.is_finite_at(0)) return length;
  const std::vector<double> distance = distances(products);
  length[0] = 0;
  for (std::size_t c = 1, last = 0; c < length.size(); ++c) {
    if (!products.is_finite_at(c)) continue;
    length[c] = length[last] + distance[last * length.size() + c];
    last = c;
  }
  return length;
}

std::vector<double> displacement(const WeightInnerProducts& products) {
  std::vector<double> from_each = distances(products);
  from_each.resize(products.checkpoints);  // row 0: from the first checkpoint
  return from_each;
}

std::vector<double> tortuosity(const WeightInnerProducts& products) {
  std::vector<double> ratio = path_length(products);
  const std::vector<double> distance = displacement(products);
  for (std::size_t c = 0; c < ratio.size(); ++c) ratio[c] = distance[c] == 0 ? nan : ratio[c] / distance[c];
  return ratio;
}

}  // namespace moescope
