#include "readers/model/config_keys.h"

namespace moescope {
namespace {

using nlohmann::json;

// A type that is absent means "default" only where nothing else describes a scaling.
void require_default_rope(const JsonObject& rope) {
  bool named = false;
  for (const char* key : {"rope_type", "type"}) {
    if (rope.find(key) == nullptr) continue;
    named = true;
    if (rope.string(key) == "default") continue;
    rope.unsupported(key, "is a rotary embedding that moescope does not know (expected \"default\", found " +
                              excerpt(rope.at(key)) + ")");
  }
  for (const char* key : {"factor", "full_attention", "sliding_attention"}) {
    if (named || rope.find(key) == nullptr) continue;
    rope.unsupported(key, "is a rotary embedding that moescope does not know");
  }
}

void require_whole_head_rotated(const JsonObject& object) {
  const char* key = "partial_rotary_factor";
  if (object.find(key) == nullptr || object.positive_number(key) == 1.0) return;
  object.unsupported(key, "is not supported (expected 1, found " + excerpt(object.at(key)) + ")");
}

double read_rope_theta(const JsonObject& object) {
  require_whole_head_rotated(object);
  if (const json* scaling = object.find("rope_scaling")) {
    require_default_rope(JsonObject(*scaling, object.file(), "rope_scaling"));
  }
  const json* parameters = object.find("rope_parameters");
  if (parameters == nullptr) return object.positive_number("rope_theta");
  const JsonObject rope(*parameters, object.file(), "rope_parameters");
  require_default_rope(rope);
  require_whole_head_rotated(rope);
  if (rope.find("rope_theta") == nullptr) return object.positive_number("rope_theta");
  const double theta = rope.positive_number("rope_theta");
  if (object.find("rope_theta") != nullptr && object.positive_number("rope_theta") != theta) {
    object.fail("rope_theta", "differs from rope_parameters.rope_theta (expected " +
                                  excerpt(rope.at("rope_theta")) + ", found " +
                                  excerpt(object.at("rope_theta")) + ")");
  }
  return theta;
}

bool is_sliding_type(const JsonObject& object, const json& type, const ModelConfig& config) {
  if (!type.is_string()) object.fail("layer_types", "expected an array of strings, found " + excerpt(type));
  if (type == "full_attention") return false;
  if (type != "sliding_attention") object.unsupported("layer_types", "holds the unknown " + excerpt(type));
  if (!config.attention.window)
    object.fail("layer_types", "holds \"sliding_attention\", but sliding_window is null");
  return true;
}

/// (N), or empty where the file lists no types.
std::vector<bool> read_layer_types(const JsonObject& object, const ModelConfig& config) {
  const json* list = object.find("layer_types");
  if (list == nullptr) return {};
  if (!list->is_array()) object.fail("layer_types", "expected an array of strings, found " + excerpt(*list));
  if (list->size() != static_cast<std::size_t>(config.num_hidden_layers)) {
    object.fail("layer_types", "does not name every layer (expected " +
                                   std::to_string(config.num_hidden_layers) + " entries, found " +
                                   std::to_string(list->size()) + ")");
  }
  std::vector<bool> sliding;
  for (const json& type : *list) sliding.push_back(is_sliding_type(object, type, config));
  return sliding;
}

}  // namespace

std::int64_t integer_or(const JsonObject& object, const char* key, std::int64_t absent, std::int64_t least,
                        std::int64_t greatest) {
  return object.find(key) == nullptr ? absent : object.integer(key, least, greatest);
}

void read_moe_layers(const JsonObject& object, ModelConfig& config) {
  const std::int64_t dense = object.integer("first_k_dense_replace", 0, 10'000);
  const std::int64_t frequency = integer_or(object, "moe_layer_freq", 1, 1, 10'000);
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer)
    config.has_experts.push_back(layer >= dense && layer % frequency == 0);
  if (config.moe_layers().empty()) {
    object.fail("first_k_dense_replace", "leaves no mixture-of-experts layer among the " +
                                             std::to_string(config.num_hidden_layers) + " layers");
  }
}

void read_groups(const JsonObject& object, ModelConfig& config) {
  RoutingScheme& routing = config.routing;
  routing.groups = integer_or(object, "n_group", 1, 1, config.n_routed_experts);
  routing.kept_groups = routing.groups > 1 ? object.integer("topk_group", 1, routing.groups)
                                           : integer_or(object, "topk_group", 1, 1, 1);
}

void read_whole_rotary(const JsonObject& object, ModelConfig& config) {
  config.attention.rotary = {read_rope_theta(object), config.head_dim};
}

void read_window(const JsonObject& object, ModelConfig& config) {
  AttentionScheme& attention = config.attention;
  if (object.find("sliding_window") != nullptr)
    attention.window = object.integer("sliding_window", 1, std::int64_t{1} << 40);
  attention.sliding = read_layer_types(object, config);
  const bool by_index = attention.window && attention.sliding.empty();
  if (!by_index && object.find("max_window_layers") == nullptr) return;
  const std::int64_t first = object.integer("max_window_layers", 0, 1'000'000);
  if (!by_index) return;
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer)
    attention.sliding.push_back(layer >= first);
}

}  // namespace moescope
