#include "readers/model/routing_words.h"

#include "readers/model/weight_table.h"
#include "readers/text/shortest_number.h"

namespace moescope {
namespace {

std::string groups_words(const RoutingScheme& routing) {
  if (routing.groups <= 1) return {};
  return " in " + std::to_string(routing.kept_groups) + " of " + std::to_string(routing.groups) + " groups";
}

std::string always_words(const RoutingScheme& routing) {
  if (routing.always_count() == 0) return {};
  return ", of which " + std::to_string(routing.always_count()) + " always";
}

std::string shared_words(const ModelConfig& config) {
  if (config.n_shared_experts == 0) return {};
  const bool gated = shape_of(Role::shared_expert_gate, config).size() > 0;
  return ", " + std::to_string(config.n_shared_experts) + (gated ? " gated" : "") + " shared";
}

}  // namespace

std::string routing_words(const ModelConfig& config) {
  if (config.moe_layers().empty()) return "none";
  const RoutingScheme& routing = config.routing;
  std::string text(score_function_name(routing.score));
  if (shape_of(Role::score_correction_bias, config).size() > 0) text += " + bias";
  text += ", top " + std::to_string(config.num_experts_per_tok) + " of " +
          std::to_string(config.n_routed_experts) + always_words(routing) + groups_words(routing);
  if (routing.renormalise) text += ", normalised";
  if (routing.scale != 1) text += ", x " + shortest(routing.scale);
  return text + shared_words(config);
}

}  // namespace moescope
