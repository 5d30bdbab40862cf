#include "analysis/weights/spectra_choice.h"

#include <algorithm>
#include <map>
#include <numeric>

namespace moescope {
namespace {

constexpr std::uint64_t seed = 20250605;

/// A generator whose numbers are the same with every standard library (splitmix64, Steele et al. 2014).
class Generator {
 public:
  /// Below `bound`, which is small: the bias of the remainder does not matter.
  std::size_t below(std::size_t bound) {
    state_ += 0x9e3779b97f4a7c15;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return (z ^ (z >> 31)) % bound;
  }

 private:
  std::uint64_t state_ = seed;
};

/// `count` different numbers below `size`, all of them if there are no more (Fisher and Yates).
std::vector<std::size_t> draw(Generator& generator, std::size_t size, std::size_t count) {
  std::vector<std::size_t> numbers(size);
  std::iota(numbers.begin(), numbers.end(), std::size_t{0});
  count = std::min(count, size);
  for (std::size_t i = 0; i < count; ++i) std::swap(numbers[i], numbers[i + generator.below(size - i)]);
  numbers.resize(count);
  return numbers;
}

bool is_matrix(const Weight& weight) {
  return std::min(weight.rows, weight.cols) > 1;
}

bool is_small(const Weight& weight) {
  return std::min(weight.rows, weight.cols) <= small_matrix_side;
}

bool is_vocabulary(const Weight& weight) {
  return weight.key.role == Role::embedding || weight.key.role == Role::head;
}

/// One routed expert of the model and the indices of its matrices.
using ExpertMatrices = std::map<std::int64_t, std::vector<std::size_t>>;

/// By layer and expert.
std::map<std::int64_t, ExpertMatrices> large_experts(std::span<const Weight> weights) {
  std::map<std::int64_t, ExpertMatrices> experts;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const WeightKey& key = weights[i].key;
    if (key.expert >= 0 && !is_small(weights[i])) experts[key.layer][key.expert].push_back(i);
  }
  return experts;
}

/// How many experts each of `layers` layers gives.
std::vector<std::size_t> experts_by_layer(Generator& generator, std::size_t layers) {
  std::vector<std::size_t> count(layers, 0);
  for (std::size_t run = 0; layers > 0 && run < sampled_experts; ++run) {
    const std::size_t first = run * layers / sampled_experts, end = (run + 1) * layers / sampled_experts;
    ++count[layers < sampled_experts ? run % layers : first + generator.below(end - first)];
  }
  return count;
}

std::vector<std::size_t> sample_experts(std::span<const Weight> weights) {
  Generator generator;
  const auto layers = large_experts(weights);
  const std::vector<std::size_t> count = experts_by_layer(generator, layers.size());
  std::vector<std::size_t> indices;
  auto wanted = count.begin();
  for (const auto& [layer, experts] : layers) {
    for (const std::size_t expert : draw(generator, experts.size(), *wanted++)) {
      const auto& matrices = std::next(experts.begin(), static_cast<std::ptrdiff_t>(expert))->second;
      indices.insert(indices.end(), matrices.begin(), matrices.end());
    }
  }
  return indices;
}

std::string grouped(std::size_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, ",");
  return digits;
}

}  // namespace

std::string_view spectra_choice_name(SpectraChoice choice) {
  if (choice == SpectraChoice::all) return "all";
  return choice == SpectraChoice::sample ? "sample" : "none";
}

std::optional<SpectraChoice> parse_spectra_choice(std::string_view name) {
  for (const SpectraChoice choice : {SpectraChoice::all, SpectraChoice::sample, SpectraChoice::none}) {
    if (spectra_choice_name(choice) == name) return choice;
  }
  return std::nullopt;
}

std::vector<std::size_t> choose_spectra(std::span<const Weight> weights, SpectraChoice choice) {
  std::vector<std::size_t> indices;
  if (choice == SpectraChoice::none) return indices;
  const bool all = choice == SpectraChoice::all;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (is_matrix(weights[i]) && (all || (is_small(weights[i]) && !is_vocabulary(weights[i]))))
      indices.push_back(i);
  }
  if (all) return indices;
  const std::vector<std::size_t> experts = sample_experts(weights);
  indices.insert(indices.end(), experts.begin(), experts.end());
  std::ranges::sort(indices);
  return indices;
}

std::string describe_spectra(std::span<const Weight> weights, SpectraChoice choice) {
  const std::string count = std::string(spectra_choice_name(choice)) + ": " +
                            grouped(choose_spectra(weights, choice).size()) + " of " +
                            grouped(weights.size()) + " tensors: ";
  if (choice == SpectraChoice::none) return count + "no spectra were asked for";
  if (choice == SpectraChoice::all) return count + "every matrix";
  return count + "every matrix whose short side is at most " + std::to_string(small_matrix_side) +
         ", without embedding and head; of larger routed experts the projections of " +
         std::to_string(sampled_experts) + ", drawn with a fixed seed from layers spread over the model";
}

SingularSide residual_side(Role role) {
  switch (role) {
    case Role::attention_output:
    case Role::dense_down:
    case Role::expert_down:
    case Role::shared_down:
      return SingularSide::left;
    default:
      return SingularSide::right;
  }
}

std::size_t compared_directions(const Weight& weight) {
  return static_cast<std::size_t>(
      std::min<std::uint64_t>({most_compared_directions, weight.rows, weight.cols}));
}

}  // namespace moescope
