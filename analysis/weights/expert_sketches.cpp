#include "analysis/weights/expert_sketches.h"

#include <algorithm>

#include "metrics/spectra/row_cosine.h"
#include "metrics/weights/weight_sketch.h"

namespace moescope {
namespace {

/// One matrix of each expert, (E, sketch_size), from (E, M, sketch_size).
std::vector<float> rows_of(const std::vector<float>& sketches, std::size_t experts, std::size_t matrix) {
  const std::size_t of_expert = sketches.size() / experts;
  std::vector<float> rows;
  rows.reserve(experts * sketch_size);
  for (std::size_t e = 0; e < experts; ++e) {
    const auto row = std::span(sketches).subspan(e * of_expert + matrix * sketch_size, sketch_size);
    rows.insert(rows.end(), row.begin(), row.end());
  }
  return rows;
}

}  // namespace

std::vector<float> ExpertSketches::of_layer(std::uint64_t checkpoint, std::int64_t layer) {
  if (!read_) return {};
  const auto is_of_expert = [&](const Weight& weight) {
    return weight.key.layer == layer && weight.key.expert >= 0;
  };
  const auto all = weights_.all();  // the experts of a layer stand next to each other
  const auto first = std::ranges::find_if(all, is_of_expert) - all.begin();
  const auto count = std::ranges::count_if(all, is_of_expert);
  const std::scoped_lock lock(reading_);
  return read_(checkpoint, static_cast<std::uint64_t>(first), static_cast<std::uint64_t>(count));
}

std::vector<double> expert_cosines(const std::vector<float>& before, const std::vector<float>& after,
                                   std::size_t experts) {
  if (before.empty() || after.empty()) return {};
  const std::size_t matrices = before.size() / (experts * sketch_size);
  std::vector<double> means(experts * experts);
  for (std::size_t matrix = 0; matrix < matrices; ++matrix) {
    const std::vector<float> a = rows_of(before, experts, matrix), b = rows_of(after, experts, matrix);
    const std::vector<double> cosines = row_cosines({a, experts, sketch_size}, {b, experts, sketch_size});
    for (std::size_t i = 0; i < means.size(); ++i) means[i] += cosines[i] / static_cast<double>(matrices);
  }
  return means;
}

}  // namespace moescope
