#include "readers/recorded/recorded_keys.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <string>

#include "readers/errors.h"
#include "readers/model/weight_table.h"
#include "readers/recorded/recorded_config.h"
#include "readers/schema/datasets.h"

namespace moescope {
namespace {

void require_size(const RunFile& run, const std::string& dimension, std::size_t expected) {
  const std::uint64_t found = run.shape(dimension)[0];
  if (found == expected) return;
  throw FormatError(run.path().string(), dimension,
                    "does not fit the model in /checkpoint_info (expected " + std::to_string(expected) +
                        ", found " + std::to_string(found) + ")");
}

void require_model(const RunFile& run, const ModelConfig& config) {
  require_size(run, dataset::layer, static_cast<std::size_t>(config.num_hidden_layers));
  require_size(run, dataset::expert, static_cast<std::size_t>(config.n_routed_experts));
  if (run.read(dataset::moe_layer) != config.moe_layers())
    throw FormatError(run.path().string(), dataset::moe_layer, "does not fit the model in /checkpoint_info");
}

std::vector<WeightKey> keys_of_names(const RunFile& run) {
  const ModelConfig model = recorded_config(run);
  require_model(run, model);
  const std::map<std::string, WeightKey> known = weight_keys(model);
  std::vector<WeightKey> keys;
  for (const std::string& name : run.read(dataset::tensor)) {
    const auto found = known.find(name);
    if (found == known.end())
      throw FormatError(run.path().string(), "tensor '" + name + "'",
                        "is not part of the model in /checkpoint_info");
    keys.push_back(found->second);
  }
  return keys;
}

Role role_of(const RunFile& run, const std::string& name) {
  const auto* role = std::ranges::find(all_roles, name, role_name);
  if (role != std::end(all_roles)) return *role;
  throw FormatError(run.path().string(), dataset::tensor_role,
                    "names a role that is not known: '" + name + "'");
}

/// Layers and experts are taken as indices.
class Places {
 public:
  explicit Places(const RunFile& run)
      : file_(run.path().string()),
        layers_(static_cast<std::int64_t>(run.shape(dataset::layer)[0])),
        experts_(static_cast<std::int64_t>(run.shape(dataset::expert)[0])),
        moe_layers_(run.read(dataset::moe_layer)) {}

  void require(const WeightKey& key) const {
    const bool in_layer = key.layer >= -1 && key.layer < layers_;
    if (!in_layer || (key.expert >= 0 && std::ranges::count(moe_layers_, key.layer) == 0))
      throw FormatError(file_, dataset::tensor_layer,
                        "names a layer that is not there (found " + std::to_string(key.layer) + ")");
    if (key.expert < -1 || key.expert >= experts_)
      throw FormatError(file_, dataset::tensor_expert,
                        "names an expert that is not there (found " + std::to_string(key.expert) + ")");
  }

 private:
  std::string file_;
  std::int64_t layers_, experts_;
  std::vector<std::int64_t> moe_layers_;
};

}  // namespace

std::vector<WeightKey> recorded_keys(const RunFile& run) {
  if (!run.contains(dataset::tensor_role) || !run.contains(dataset::tensor_layer) ||
      !run.contains(dataset::tensor_expert))
    return keys_of_names(run);
  const std::vector<std::string> roles = run.read(dataset::tensor_role);
  const std::vector<std::int64_t> layers = run.read(dataset::tensor_layer),
                                  experts = run.read(dataset::tensor_expert);
  const Places places(run);
  std::vector<WeightKey> keys;
  for (std::size_t w = 0; w < roles.size(); ++w) {
    keys.push_back({role_of(run, roles[w]), layers[w], experts[w]});
    places.require(keys.back());
  }
  return keys;
}

void write_keys(RunFile& run, std::span<const WeightKey> keys) {
  std::vector<std::string> roles;
  std::vector<std::int64_t> layers, experts;
  for (const WeightKey& key : keys) {
    roles.emplace_back(role_name(key.role));
    layers.push_back(key.layer);
    experts.push_back(key.expert);
  }
  run.write(dataset::tensor_role, roles);
  run.write(dataset::tensor_layer, layers);
  run.write(dataset::tensor_expert, experts);
}

}  // namespace moescope
