#pragma once
/// A config.json with one thing changed, and what becomes of it.

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "readers/errors.h"
#include "readers/files/source_file.h"
#include "readers/model/model_config.h"
#include "tests/support/source_path.h"

namespace moescope {

/// config.json of dots.llm1.base as released, in the keys that describe the model.
inline nlohmann::json dots_llm1() {
  return nlohmann::json::parse(R"({
    "architectures": ["Dots1ForCausalLM"], "model_type": "dots1", "hidden_size": 4096, "num_hidden_layers": 62,
    "num_attention_heads": 32, "num_key_value_heads": 32, "intermediate_size": 10944, "moe_intermediate_size": 1408,
    "n_routed_experts": 128, "n_shared_experts": 2, "num_experts_per_tok": 6, "first_k_dense_replace": 1,
    "moe_layer_freq": 1, "norm_topk_prob": true, "routed_scaling_factor": 2.5, "scoring_func": "sigmoid",
    "topk_method": "noaux_tc", "rms_norm_eps": 1e-5, "rope_theta": 10000000, "rope_scaling": null,
    "sliding_window": null, "max_position_embeddings": 32768, "attention_bias": false, "hidden_act": "silu",
    "tie_word_embeddings": false, "vocab_size": 152064, "torch_dtype": "bfloat16", "bos_token_id": null,
    "eos_token_id": 151643})");
}

/// The configuration of a fixture of data/families.
inline nlohmann::json fixture_config(const std::string& family) {
  const std::string name = family == "flame_moe" ? "/args.json" : "/config.json";
  return nlohmann::json::parse(read_whole_file(source_path("data/families/" + family + name), 1 << 20));
}

using Edit = std::function<void(nlohmann::json&)>;

inline ModelConfig parse(const Edit& edit = [](nlohmann::json&) {}) {
  nlohmann::json document = dots_llm1();
  edit(document);
  return parse_model_config(document.dump(), "config.json");
}

/// Message of a FormatError; fails for UnsupportedModel.
inline std::string invalid(const Edit& edit) {
  try {
    parse(edit);
  } catch (const FormatError& error) {
    return error.what();
  }
  return {};
}

inline std::string unsupported(const Edit& edit) {
  try {
    parse(edit);
  } catch (const UnsupportedModel& error) {
    return error.what();
  }
  return {};
}

inline Edit set(const char* key, const nlohmann::json& value) {
  return [=](nlohmann::json& document) { document[key] = value; };
}

}  // namespace moescope
