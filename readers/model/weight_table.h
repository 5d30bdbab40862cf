#pragma once
/// The weights that a model has, from its family's rules and its configuration.

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "readers/model/family.h"
#include "readers/model/weight.h"

namespace moescope {

/// Rows and columns of a weight; one row: a vector.
struct WeightShape {
  std::uint64_t rows = 0, cols = 0;
  std::uint64_t size() const { return rows * cols; }
};
WeightShape shape_of(const WeightRule& rule, const ModelConfig& config);
/// The extents of a tensor that is such a weight and nothing else.
std::vector<std::uint64_t> stored_shape(const WeightRule& rule, const ModelConfig& config);
/// Of the weights of a role; zeros where the model has none.
WeightShape shape_of(Role role, const ModelConfig& config);

/// Whether the model has this rule's weight in `layer` (-1: outside the layers).
bool applies(const WeightRule& rule, std::int64_t layer, const ModelConfig& config);

/// In how many layers, or once outside them, the model has this rule's weights.
std::uint64_t occurrences(const WeightRule& rule, const ModelConfig& config);

/// The whole name of a tensor of this family; -1: no layer, no expert.
std::string tensor_name(const Family& family, std::string_view name, std::int64_t layer, std::int64_t expert);

/// Whether a role's matrices are stored transposed where they are not in 4 bits (FusedRule::transposed).
bool is_stored_transposed(Role role, const ModelConfig& config);

/// Calls `visit` for every weight that the model has, in canonical order: outside the layers what comes
/// before them by its role, layers ascending, each by role with the routed experts one after another, and the
/// rest. The order of roles is that of the enum.
using WeightVisitor = std::function<void(const WeightRule&, const WeightKey&)>;
void visit_weights(const ModelConfig& config, const WeightVisitor& visit);

/// Every weight that the model has, in canonical order, as if stored at shard 0, offset 0: as `dtype`, but
/// where the configuration is of a quantised model, linear layers other than the router and the head as
/// F8_E4M3 with their scales, and correction biases in F32, or experts in 4 bits with theirs, as such models
/// are released.
std::vector<Weight> described_weights(const ModelConfig& config, DType dtype);

/// Every weight that the model has, by canonical tensor name.
std::map<std::string, WeightKey> weight_keys(const ModelConfig& config);

}  // namespace moescope
