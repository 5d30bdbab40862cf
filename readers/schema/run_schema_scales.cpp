#include <string>

#include "readers/schema/run_schema_parts.h"

namespace moescope {
namespace {

using enum ElementType;

/// The labels of dimension `name`, which lie in a dataset of the same name.
DatasetSpec scale(const std::string& name, ElementType type, const char* title, const char* description,
                  const char* source, const char* unit = pure_number) {
  return {"/" + name, type, {name}, unit, title, description, source};
}

std::vector<DatasetSpec> series_scales() {
  return {
      scale("checkpoint", text, "Checkpoint", "Name of each checkpoint, unique, in training order.",
            "The series file, a revision or a directory's name."),
      scale("other_checkpoint", text, "Other checkpoint",
            "The labels of checkpoint once more: the second axis of quantities that compare two checkpoints.",
            "The same as checkpoint."),
      scale("domain", text, "Domain",
            "Label of each evaluation domain, in order of first appearance in the corpus.",
            "DOMAIN= on the command line, else the record's own label, else the file's name."),
  };
}

std::vector<DatasetSpec> model_scales() {
  return {
      scale("layer", i8, "Layer", "Index of each decoder layer, from 0.",
            "num_hidden_layers in config.json."),
      scale("moe_layer", i8, "MoE layer",
            "Layer index, in the whole model, of each layer with routed experts. Dense layers do not appear.",
            "first_k_dense_replace and moe_layer_freq in config.json."),
      scale("expert", i8, "Expert",
            "Index of each routed expert within its layer, from 0. Shared experts do not appear.",
            "n_routed_experts in config.json."),
      scale("other_expert", i8, "Other expert",
            "The labels of expert once more: the second axis of quantities that compare two experts.",
            "The same as expert."),
      scale("tensor", text, "Weight tensor",
            "Name of each weight tensor: embedding, layers ascending, final norm, head. Each routed expert "
            "has its own names, also where experts are stored fused in one tensor.",
            "Hugging Face tensor names."),
      scale("pass_part", text, "Part of a pass",
            "Parts of a forward pass, in its order: embedding, layer 0 to layer N-1, head (with the final "
            "norm).",
            "num_hidden_layers in config.json."),
      scale("role", text, "Role",
            "What a tensor is for: the groups over which weight metrics are taken together; at last "
            "whole_model_without_norms, all of them but norm, and whole_model, all of them.",
            "The tensor's name."),
  };
}

/// What is not in the input: levels, bins and components.
std::vector<DatasetSpec> statistic_scales() {
  const char* const chosen = "Chosen by moescope.";
  return {
      scale("component", i8, "Principal component",
            "Number of each principal component of a trajectory of weights, from 1, the largest first.",
            "C checkpoints around their mean have C-1."),
      scale("probability", f8, "Probability", "Probability level of quantiles over the elements of a tensor.",
            chosen),
      scale("step_bin", i8, "Steps of the last place",
            "Number of steps, the smallest by size of its bin: up to 15 each number has a bin, then each "
            "power of two begins one. Negative: towards smaller values.",
            chosen, "steps"),
      scale("quantile", f8, "Quantile", "Probability level of quantiles over tokens: 0.5 is the median.",
            chosen),
  };
}

}  // namespace

std::vector<DatasetSpec> scale_datasets() {
  return joined({series_scales(), model_scales(), statistic_scales()});
}

}  // namespace moescope
