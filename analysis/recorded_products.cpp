#include "analysis/recorded_products.h"

#include <map>

#include "readers/errors.h"
#include "readers/recorded_config.h"
#include "readers/weight_table.h"

namespace moescope {
namespace {

void require_size(const RunFile& run, const std::string& dimension, std::size_t expected) {
  const std::uint64_t found = run.shape(dimension)[0];
  if (found == expected) return;
  throw FormatError(run.path().string(), dimension,
                    "does not fit the model in /checkpoint_info (expected " + std::to_string(expected) +
                        ", found " + std::to_string(found) + ")");
}

/// Layers and experts of a weight's key are taken as indices.
void require_model(const RunFile& run, const ModelConfig& config) {
  require_size(run, "/layer", static_cast<std::size_t>(config.num_hidden_layers));
  require_size(run, "/expert", static_cast<std::size_t>(config.n_routed_experts));
  if (run.read<std::int64_t>("/moe_layer") != config.moe_layers())
    throw FormatError(run.path().string(), "/moe_layer", "does not fit the model in /checkpoint_info");
}

}  // namespace

RecordedProducts read_products(const RunFile& run, std::uint64_t first, std::uint64_t count) {
  const std::uint64_t checkpoints = run.shape("/checkpoint")[0], steps = checkpoints - 1;
  RecordedProducts products = {first, count, checkpoints * checkpoints, steps * steps, {}, {}};
  products.inner =
      run.read<double>("/weights/inner_product", {{first, 0, 0}, {count, checkpoints, checkpoints}});
  if (steps > 0)
    products.delta_inner =
        run.read<double>("/weights/delta_inner_product", {{first, 0, 0}, {count, steps, steps}});
  return products;
}

std::vector<WeightKey> recorded_keys(const RunFile& run) {
  const ModelConfig model = recorded_config(run);
  require_model(run, model);
  const std::map<std::string, WeightKey> known = weight_keys(model);
  std::vector<WeightKey> keys;
  for (const std::string& name : run.read<std::string>("/tensor")) {
    const auto found = known.find(name);
    if (found == known.end()) {
      throw FormatError(run.path().string(), "tensor '" + name + "'",
                        "is not part of the model in /checkpoint_info");
    }
    keys.push_back(found->second);
  }
  return keys;
}

}  // namespace moescope
