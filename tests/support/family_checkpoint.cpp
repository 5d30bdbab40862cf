#include "tests/support/family_checkpoint.h"

#include <cmath>

#include "readers/model/weight_table.h"

namespace moescope {
namespace {

PlannedTensor plan_vector(const Weight& weight) {
  const bool is_gain = role_group(weight.key.role) == RoleGroup::norm;
  return {.name = weight.name,
          .dtype = DType::f32,
          .shape = {weight.cols},
          .mean = is_gain ? 1.0 : 0.0,
          .deviation = 0.1};
}

PlannedTensor plan_matrix(const Weight& weight) {
  const double deviation =
      weight.key.role == Role::embedding ? 1 : 1 / std::sqrt(static_cast<double>(weight.cols));
  return {.name = weight.name,
          .dtype = DType::f32,
          .shape = {weight.rows, weight.cols},
          .mean = 0,
          .deviation = deviation};
}

}  // namespace

BuiltCheckpoint build_family_checkpoint(const nlohmann::ordered_json& config,
                                        std::span<const Family> families, std::uint64_t seed) {
  const ModelConfig model = parse_model_config(config.dump(), "config.json", families);
  BuiltCheckpoint checkpoint{config, {}, 1};
  visit_weights(model, [&](const WeightRule& rule, const WeightKey& key) {
    const WeightShape shape = shape_of(rule, model);
    Weight weight;
    weight.key = key;
    weight.name = tensor_name(family_of(model), rule.name, key.layer, key.expert);
    weight.rows = shape.rows;
    weight.cols = shape.cols;
    checkpoint.tensors.push_back(
        build_tensor(rule.is_vector() ? plan_vector(weight) : plan_matrix(weight), seed));
  });
  return checkpoint;
}

}  // namespace moescope
