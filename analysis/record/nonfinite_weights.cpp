#include "analysis/record/nonfinite_weights.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "analysis/forward/weight_stream.h"
#include "analysis/kernels/element_convert.h"
#include "analysis/record/forward_record.h"
#include "readers/schema/datasets.h"

namespace moescope {
namespace {

using Counts = std::vector<std::int64_t>;

std::int64_t total(const Counts& counts) {
  return std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
}

std::string counted(std::int64_t count, std::int64_t of, const std::string& things) {
  return std::to_string(count) + " of " + std::to_string(of) + " " + things;
}

std::string values_of(std::int64_t count, std::int64_t of, const std::string& tensor) {
  return counted(count, of, "values of ") + tensor + (count == 1 ? " is" : " are") + " not finite";
}

std::string checkpoint_name(const RunFile& run, std::size_t checkpoint) {
  return run.read(dataset::checkpoint, {{checkpoint}, {1}}).front();
}

/// Tokens without a choice in each layer, of all domains together.
Counts without_choice(const RunFile& run, std::size_t checkpoint) {
  if (!run.contains(dataset::routing_nonfinite_count)) return {};
  const auto shape = run.shape(dataset::routing_nonfinite_count);  // (C, D, L)
  const Counts counts =
      run.read(dataset::routing_nonfinite_count, {{checkpoint, 0, 0}, {1, shape[1], shape[2]}});
  Counts layers(shape[2]);
  for (std::size_t i = 0; i < counts.size(); ++i) layers[i % layers.size()] += counts[i];
  return layers;
}

std::string describe_routing(const RunFile& run, std::size_t checkpoint) {
  const Counts layers = without_choice(run, checkpoint);
  const auto first = std::ranges::find_if(layers, [](std::int64_t count) { return count > 0; });
  if (first == layers.end()) return {};
  const std::int64_t tokens = total(run.read(dataset::routing_token_count));
  const auto moe_layers = run.read(dataset::moe_layer);
  const auto others = std::count_if(first + 1, layers.end(), [](std::int64_t count) { return count > 0; });
  return "in layer " + std::to_string(moe_layers[static_cast<std::size_t>(first - layers.begin())]) +
         " router scores are not finite for " + counted(*first, tokens, "tokens") +
         (others == 0 ? ""
                      : ", and for tokens of " + std::to_string(others) + " later MoE layer" +
                            (others == 1 ? "" : "s")) +
         ": they choose no expert there and are left out of its routing";
}

std::string describe_losses(const RunFile& run, std::size_t checkpoint) {
  if (!run.contains(dataset::loss_nonfinite_count)) return {};
  const std::uint64_t domains = run.shape(dataset::domain)[0];
  const std::int64_t count = total(run.read(dataset::loss_nonfinite_count, {{checkpoint, 0}, {1, domains}}));
  if (count == 0) return {};
  const std::vector<bool> predicted = tokens_with_successor(run);
  return counted(count, std::count(predicted.begin(), predicted.end(), true), "losses ") +
         (count == 1 ? "is" : "are") + " not finite, so that the loss is NaN";
}

/// How many elements of the next weight of the stream are not finite.
std::int64_t count_nonfinite(WeightStream& stream, const Weight& weight) {
  std::int64_t count = 0;
  stream.take(weight, [&](const WeightTile& tile) {
    std::vector<float> values(tile.rows * tile.columns);
    convert_to_float(tile, values);
    count += std::ranges::count_if(values, [](float value) { return !std::isfinite(value); });
  });
  return count;
}

}  // namespace

std::string describe_nonfinite_weights(const RunFile& run, std::size_t checkpoint) {
  if (!run.contains(dataset::weights_nonfinite_count)) return {};
  const std::uint64_t tensors = run.shape(dataset::tensor)[0];
  const Counts counts = run.read(dataset::weights_nonfinite_count, {{checkpoint, 0}, {1, tensors}});
  const auto first = std::ranges::find_if(counts, [](std::int64_t count) { return count > 0; });
  if (first == counts.end()) return {};
  const auto w = static_cast<std::uint64_t>(first - counts.begin());
  const Slab one{{w}, {1}};
  const auto others = std::count_if(first + 1, counts.end(), [](std::int64_t count) { return count > 0; });
  return checkpoint_name(run, checkpoint) + ": " +
         values_of(*first, run.read(dataset::weights_element_count, one).front(),
                   run.read(dataset::tensor, one).front()) +
         (others == 0 ? ""
                      : "; it is the first of " + std::to_string(others + 1) + " such tensors, with " +
                            std::to_string(total(counts)) + " such values together");
}

std::string describe_nonfinite_pass(const RunFile& run, std::size_t checkpoint) {
  const std::string routing = describe_routing(run, checkpoint), losses = describe_losses(run, checkpoint);
  if (routing.empty() && losses.empty()) return {};
  return checkpoint_name(run, checkpoint) + ": " + routing + (routing.empty() || losses.empty() ? "" : "; ") +
         losses;
}

std::string find_nonfinite_weights(const Checkpoint& checkpoint, const ModelWeights& weights,
                                   const std::string& name, std::uint64_t memory,
                                   const std::atomic<bool>* interrupted) {
  std::vector<const Weight*> order;
  for (const Weight& weight : weights.all()) order.push_back(&weight);
  WeightStream stream(checkpoint, order,
                      {.memory = std::min(memory, most_weight_bytes), .interrupted = interrupted});
  for (const Weight* weight : order) {
    const std::int64_t count = count_nonfinite(stream, *weight);
    if (count == 0) continue;
    return name + ": " + values_of(count, static_cast<std::int64_t>(weight->size()), weight->name) +
           "; it is the first tensor with such values";
  }
  return {};
}

}  // namespace moescope
