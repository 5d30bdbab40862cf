#include "analysis/comparison/comparison_json.h"

#include <nlohmann/json.hpp>

namespace moescope {
namespace {

using Json = nlohmann::ordered_json;

Json weight_json(const WeightChange& weight) {
  Json json = Json::object();
  if (!weight.name.empty()) json["name"] = weight.name;
  if (weight.layer >= 0) json["layer"] = weight.layer;
  if (weight.expert >= 0) json["expert"] = weight.expert;
  json["relative_drift"] = weight.relative_drift;
  json["cosine"] = weight.cosine;
  json["cosine_distance"] = 1 - weight.cosine;
  json["norm_before"] = weight.norm_before;
  json["norm_after"] = weight.norm_after;
  return json;
}

Json weights_json(const std::vector<WeightChange>& weights) {
  Json json = Json::array();
  for (const WeightChange& weight : weights) json.push_back(weight_json(weight));
  return json;
}

Json storage_json(const std::vector<StorageChange>& changes) {
  Json json = Json::array();
  for (const StorageChange& change : changes) {
    json.push_back({{"role", change.role},
                    {"before", change.before},
                    {"after", change.after},
                    {"weights", change.weights}});
  }
  return json;
}

Json forward_json(const RunComparison& comparison) {
  Json json = Json::object();
  for (const LossChange& loss : comparison.losses) {
    json["loss"].push_back({{"domain", loss.domain},
                            {"before", loss.before},
                            {"after", loss.after},
                            {"loss_change", loss.after - loss.before}});
  }
  for (const RoutingChange& layer : comparison.routing) {
    json["routing"].push_back({{"layer", layer.layer},
                               {"routing_agreement", layer.agreement},
                               {"load_total_variation", layer.load_distance},
                               {"max_violation_before", layer.max_violation_before},
                               {"max_violation_after", layer.max_violation_after}});
  }
  for (const LoadChange& load : comparison.loads) {
    json["expert_load"].push_back(
        {{"layer", load.layer}, {"expert", load.expert}, {"before", load.before}, {"after", load.after}});
  }
  return json;
}

}  // namespace

Json json_of(const RunComparison& comparison) {
  Json json = {{"before", comparison.before},
               {"after", comparison.after},
               {"tokens_before", comparison.tokens_before},
               {"tokens_after", comparison.tokens_after},
               {"notes", comparison.notes}};
  if (!comparison.whole.empty()) {
    json["weights"] = {{"model", weight_json(comparison.whole.front())},
                       {"model_without_norms", weight_json(comparison.without_norms.front())},
                       {"roles", weights_json(comparison.roles)},
                       {"layers", weights_json(comparison.layers)},
                       {"experts", weights_json(comparison.experts)},
                       {"tensors", weights_json(comparison.tensors)}};
  }
  if (!comparison.whole.empty()) json["weights_standard_error"] = comparison.weights_standard_error;
  if (!comparison.storage.empty()) {
    json["storage"] = storage_json(comparison.storage);
    json["stored_anew"] = comparison.is_stored_anew;
  }
  json.update(forward_json(comparison));
  return json;
}

}  // namespace moescope
