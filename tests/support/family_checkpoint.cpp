#include "tests/support/family_checkpoint.h"

namespace moescope {

BuiltCheckpoint build_family_checkpoint(const nlohmann::ordered_json& config,
                                        std::span<const Family> families, std::uint64_t seed) {
  const ModelConfig model = parse_model_config(config.dump(), "config.json", families);
  BuiltCheckpoint checkpoint{config, {}, 1};
  for (const PlannedTensor& planned : plan_tensors(model, {DType::f32, DType::f32, 0.1}))
    checkpoint.tensors.push_back(build_tensor(planned, seed));
  return checkpoint;
}

}  // namespace moescope
