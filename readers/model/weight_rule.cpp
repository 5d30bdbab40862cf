#include "readers/model/weight_rule.h"

#include "readers/model/model_config.h"

namespace moescope {

bool has_attention_bias(const ModelConfig& config) {
  return config.attention.bias;
}

bool has_head_norm(const ModelConfig& config) {
  return config.attention.query_key_norm == QueryKeyNorm::per_head;
}

bool has_full_norm(const ModelConfig& config) {
  return config.attention.query_key_norm == QueryKeyNorm::full_width;
}

bool has_shared_experts(const ModelConfig& config) {
  return config.n_shared_experts > 0;
}

bool has_own_head(const ModelConfig& config) {
  return !config.tie_word_embeddings;
}

}  // namespace moescope
