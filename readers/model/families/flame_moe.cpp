/// FLAME-MoE (arXiv 2505.20225), as Megatron-LM calls its weights and arguments. Source: Megatron-LM's
/// transformer_config.py, moe/router.py and attention.py.

#include <string>

#include "readers/model/config_keys.h"
#include "readers/model/family.h"
#include "readers/model/rotary_keys.h"

namespace moescope::families {
namespace {

constexpr std::int64_t widest = std::int64_t{1} << 20;

/// Arguments that are followed with one value alone; those of other values change the forward pass.
void check_arguments(const JsonObject& object) {
  require_string(object, "normalization", "RMSNorm");
  require_string(object, "position_embedding_type", "rope");
  require_boolean(object, "swiglu", true);
  for (const char* key :
       {"add_bias_linear", "add_qkv_bias", "apply_layernorm_1p", "apply_residual_connection_post_layernorm",
        "moe_router_enable_expert_bias", "moe_shared_expert_gate", "multi_latent_attention", "qk_layernorm",
        "use_rope_scaling"})
    require_boolean(object, key, false);
  require_string(object, "moe_router_score_function", "softmax");
  for (const char* key : {"moe_router_num_groups", "window_size"}) {
    if (object.find(key, KeyUse::checked) != nullptr) refuse_value_of_family(object, key, "null");
  }
}

void read_heads(const JsonObject& object, ModelConfig& config) {
  config.head_dim = config.value_head_dim = object.integer("kv_channels", 2, 65'536);
  if (config.head_dim % 2 != 0)
    object.fail("kv_channels", "expected an even number, found " + excerpt(object.at("kv_channels")));
  // Without groups, their number means nothing.
  const bool has_groups = boolean_or(object, "group_query_attention", false);
  config.num_key_value_heads = has_groups ? object.integer("num_query_groups", 1, config.num_attention_heads)
                                          : config.num_attention_heads;
  pass_over(object, {"num_query_groups"});
}

void read_rotary(const JsonObject& object, ModelConfig& config) {
  RotaryScheme& rotary = config.attention.rotary;
  rotary.base = object.positive_number("rotary_base");
  const char* share = "rotary_percent";
  rotary.features =
      object.find(share) == nullptr ? config.head_dim : rotated_features(object, share, config.head_dim);
  rotary.interleaved = boolean_or(object, "rotary_interleaved", false);
}

/// Every n-th layer, or an entry for each.
void read_expert_layers(const JsonObject& object, ModelConfig& config) {
  const char* key = "moe_layer_freq";
  if (object.find(key) != nullptr && object.at(key).is_array()) {
    const auto entries = read_integers(object, key, 0, 1);
    require_each_layer(object, key, entries.size(), config);
    for (const std::int64_t entry : entries) config.has_experts.push_back(entry == 1);
  } else {
    const std::int64_t every = integer_or(object, key, 1, 1, 10'000);
    for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer)
      config.has_experts.push_back(layer % every == 0);
  }
  if (config.moe_layers().empty()) object.fail(key, "leaves no mixture-of-experts layer");
}

void read_routing(const JsonObject& object, ModelConfig& config) {
  config.routing.score = ScoreFunction::softmax;
  // Otherwise the softmax is that of the chosen logits alone.
  const bool all = boolean_or(object, "moe_router_pre_softmax", false);
  config.routing.renormalise = !all;
  const char* scale = "moe_router_topk_scaling_factor";
  if (object.find(scale) != nullptr) config.routing.scale = object.positive_number(scale);
}

void read_schemes(const JsonObject& object, ModelConfig& config) {
  check_arguments(object);
  read_heads(object, config);
  read_rotary(object, config);
  read_expert_layers(object, config);
  read_routing(object, config);
  const char* shared = "moe_shared_expert_intermediate_size";
  config.shared_intermediate_size = integer_or(object, shared, 0, 1, widest);
  config.n_shared_experts = config.shared_intermediate_size > 0 ? 1 : 0;
  config.rms_norm_eps = object.positive_number("norm_epsilon");
  config.tie_word_embeddings = !object.boolean("untie_embeddings_and_output_weights");
  const std::string dtype = object.find("params_dtype") != nullptr ? object.string("params_dtype") : "";
  config.torch_dtype = dtype.starts_with("torch.") ? dtype.substr(6) : dtype;
}

std::vector<WeightRule> weights() {
  using enum Extent;
  using enum Scope;
  return {
      {Role::embedding, outside_layers, "embedding.word_embeddings.weight", vocabulary, hidden},
      {Role::final_norm, outside_layers, "decoder.final_layernorm.weight", one, hidden},
      {Role::head, outside_layers, "output_layer.weight", vocabulary, hidden, has_own_head},
      {Role::input_norm, every_layer, "self_attention.linear_qkv.layer_norm_weight", one, hidden},
      {Role::query_key_value, every_layer, "self_attention.linear_qkv.weight", query_key_value_heads, hidden},
      {Role::attention_output, every_layer, "self_attention.linear_proj.weight", hidden, value_heads},
      {Role::post_attention_norm, dense_layer, "mlp.linear_fc1.layer_norm_weight", one, hidden},
      {Role::post_attention_norm, moe_layer, "pre_mlp_layernorm.weight", one, hidden},
      {Role::dense_gate, dense_layer, "mlp.linear_fc1.weight[gate]", dense_width, hidden},
      {Role::dense_up, dense_layer, "mlp.linear_fc1.weight[up]", dense_width, hidden},
      {Role::dense_down, dense_layer, "mlp.linear_fc2.weight", hidden, dense_width},
      {Role::router, moe_layer, "mlp.router.weight", experts, hidden},
      {Role::expert_gate, routed_expert, "mlp.experts.experts.linear_fc1.weight[{e}][gate]", expert_width,
       hidden},
      {Role::expert_up, routed_expert, "mlp.experts.experts.linear_fc1.weight[{e}][up]", expert_width,
       hidden},
      {Role::expert_down, routed_expert, "mlp.experts.experts.linear_fc2.weight[{e}]", hidden, expert_width},
      {Role::shared_gate, moe_layer, "mlp.shared_experts.linear_fc1.weight[gate]", shared_width, hidden,
       has_shared_experts},
      {Role::shared_up, moe_layer, "mlp.shared_experts.linear_fc1.weight[up]", shared_width, hidden,
       has_shared_experts},
      {Role::shared_down, moe_layer, "mlp.shared_experts.linear_fc2.weight", hidden, shared_width,
       has_shared_experts}};
}

}  // namespace

Family flame_moe() {
  constexpr bool only = true;
  return {.model_type = "flame_moe",
          .architectures = {},
          .size_keys = {{"num_hidden_layers", "num_layers", {}},
                        {"intermediate_size", "ffn_hidden_size", {}},
                        {"moe_intermediate_size", "moe_ffn_hidden_size", {}},
                        {"n_routed_experts", "num_experts", {}},
                        {"num_experts_per_tok", "moe_router_topk", {}},
                        {"vocab_size", megatron_key, {}}},
          .is_megatron = true,
          .read_schemes = read_schemes,
          .layer_prefix = "decoder.layers.",
          .weights = weights(),
          .fused = {{"mlp.linear_fc1.weight", {Role::dense_gate, Role::dense_up}, only},
                    {"mlp.experts.experts.linear_fc1.weight", {Role::expert_gate, Role::expert_up}, only},
                    {"mlp.experts.experts.linear_fc2.weight", {Role::expert_down}, only},
                    {"mlp.shared_experts.linear_fc1.weight", {Role::shared_gate, Role::shared_up}, only}}};
}

}  // namespace moescope::families
