/// Qwen3.5-MoE as it is released: the language model among a model of text and images. Its images are not
/// read.

#include "readers/model/family.h"

namespace moescope::families {

Family qwen3_5_moe_text();

Family qwen3_5_moe() {
  Family family = qwen3_5_moe_text();
  family.model_type = "qwen3_5_moe";
  family.architectures = {"Qwen3_5MoeForConditionalGeneration"};
  family.inner_config = "text_config";
  family.layer_prefix = "model.language_model.layers.";
  family.other_parts.push_back({"model.visual.", "the image encoder"});
  for (WeightRule& rule : family.weights) {
    if (rule.role == Role::embedding) rule.name = "model.language_model.embed_tokens.weight";
    if (rule.role == Role::final_norm) rule.name = "model.language_model.norm.weight";
  }
  return family;
}

}  // namespace moescope::families
