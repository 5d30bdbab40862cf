#include "analysis/record/run_copy.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "readers/errors.h"

namespace moescope {
namespace {

constexpr std::uint64_t most_elements = 1 << 20;  // copied at once

/// Neighbours in both files.
struct Stretch {
  std::uint64_t from = 0, to = 0, count = 0;
};

std::vector<Stretch> stretches_of(const Places& places) {
  std::vector<Stretch> stretches;
  for (std::size_t index = 0; index < places.size(); ++index) {
    if (!places[index]) continue;
    const bool joins = !stretches.empty() && stretches.back().from + stretches.back().count == index &&
                       stretches.back().to + stretches.back().count == *places[index];
    if (joins) {
      ++stretches.back().count;
    } else {
      stretches.push_back({index, *places[index], 1});
    }
  }
  return stretches;
}

std::uint64_t elements(const Slab& slab) {
  std::uint64_t product = 1;
  for (const std::uint64_t count : slab.count) product *= count;
  return product;
}

/// One dataset on its way.
class Copy {
 public:
  Copy(const RunFile& from, RunFile& to, const std::string& path, Overlap overlap)
      : from_(from), to_(to), path_(path), overlap_(overlap) {}

  void run(const DimensionPlaces& places) {
    const DatasetSpec spec = from_.describe(path_);
    type_ = spec.type;
    const std::vector<std::uint64_t> shape = from_.shape(path_);
    for (std::size_t i = 0; i < shape.size(); ++i) {
      const auto found = places.find(spec.dimensions[i]);
      stretches_.push_back(found == places.end() ? std::vector<Stretch>{{0, 0, shape[i]}}
                                                 : stretches_of(found->second));
    }
    choose({}, {});
  }

 private:
  /// Every combination of stretches, one dimension after the other.
  void choose(Slab source, Slab target) {
    const std::size_t dimension = source.start.size();
    if (dimension == stretches_.size()) return cut(std::move(source), std::move(target));
    for (const Stretch& stretch : stretches_[dimension]) {
      Slab next_source = source, next_target = target;
      next_source.start.push_back(stretch.from);
      next_target.start.push_back(stretch.to);
      next_source.count.push_back(stretch.count);
      next_target.count.push_back(stretch.count);
      choose(std::move(next_source), std::move(next_target));
    }
  }

  /// Halves what is too large, at its first dimension that can be.
  void cut(Slab source, Slab target) {
    const auto splits = std::ranges::find_if(source.count, [](std::uint64_t count) { return count > 1; });
    if (elements(source) <= most_elements || splits == source.count.end()) return move(source, target);
    const auto dimension = static_cast<std::size_t>(splits - source.count.begin());
    const std::uint64_t half = source.count[dimension] / 2, rest = source.count[dimension] - half;
    Slab second_source = source, second_target = target;
    source.count[dimension] = target.count[dimension] = half;
    second_source.count[dimension] = second_target.count[dimension] = rest;
    second_source.start[dimension] += half;
    second_target.start[dimension] += half;
    cut(std::move(source), std::move(target));
    cut(std::move(second_source), std::move(second_target));
  }

  void move(const Slab& source, const Slab& target) {
    switch (type_) {
      case ElementType::u1:
        return move_as<std::uint8_t>(source, target);
      case ElementType::u2:
        return move_as<std::uint16_t>(source, target);
      case ElementType::u4:
        return move_as<std::uint32_t>(source, target);
      case ElementType::i4:
        return move_as<std::int32_t>(source, target);
      case ElementType::i8:
        return move_as<std::int64_t>(source, target);
      case ElementType::f4:
        return move_as<float>(source, target);
      case ElementType::f8:
        return move_as<double>(source, target);
      case ElementType::text:
        return move_as<std::string>(source, target);
    }
  }

  template <class T>
  void move_as(const Slab& source, const Slab& target) {
    std::vector<T> values = from_.read<T>(path_, source);
    if constexpr (std::is_floating_point_v<T>) {
      if (overlap_ == Overlap::agree) reconcile(values, to_.read<T>(path_, target));
    }
    to_.write<T>(path_, target, values);
  }

  template <class T>
  void reconcile(std::vector<T>& values, const std::vector<T>& there) const {
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (std::isnan(there[i])) continue;
      if (std::isnan(values[i])) values[i] = there[i];
      if (std::memcmp(&values[i], &there[i], sizeof(T)) == 0) continue;
      throw FormatError(from_.path().string(), path_,
                        "contradicts another part: the same measurement has the value " +
                            std::to_string(values[i]) + " here and " + std::to_string(there[i]) + " there");
    }
  }

  const RunFile& from_;
  RunFile& to_;
  const std::string& path_;
  Overlap overlap_;
  ElementType type_ = ElementType::f8;
  std::vector<std::vector<Stretch>> stretches_;  // by dimension
};

}  // namespace

void copy_values(const RunFile& from, RunFile& to, const std::string& path, const DimensionPlaces& places,
                 Overlap overlap) {
  Copy(from, to, path, overlap).run(places);
}

}  // namespace moescope
