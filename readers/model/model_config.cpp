#include "readers/model/model_config.h"

namespace moescope {

bool ModelConfig::is_moe_layer(std::int64_t layer) const {
  const auto index = static_cast<std::size_t>(layer);
  return index < has_experts.size() && has_experts[index];
}

std::vector<std::int64_t> ModelConfig::moe_layers() const {
  std::vector<std::int64_t> layers;
  for (std::int64_t layer = 0; layer < num_hidden_layers; ++layer) {
    if (is_moe_layer(layer)) layers.push_back(layer);
  }
  return layers;
}

}  // namespace moescope
