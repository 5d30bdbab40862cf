#include <string>

#include "readers/schema/run_schema_parts.h"

namespace moescope {
namespace {

const Needs weights_of_experts = {&RunContents::weights, &RunContents::moe_layers};

/// The labels of a dimension, which lie in a dataset of the same name.
template <class T>
DatasetRow scale(Dataset<T> dataset, const Needs& needs, const char* title, const char* description,
                 const char* source, const char* unit = pure_number) {
  const std::string dimension(dataset.path.substr(1));
  DatasetRow labels = row(dataset, {dimension}, unit, title, description, source);
  labels.needs = needs;
  return labels;
}

Rows series_scales() {
  return {
      scale(dataset::checkpoint, always, "Checkpoint", "Name of each checkpoint, unique, in training order.",
            "The series file, a revision or a directory's name."),
      scale(dataset::other_checkpoint, always, "Other checkpoint",
            "The labels of checkpoint once more: the second axis of quantities that compare two checkpoints.",
            "The same as checkpoint."),
      scale(dataset::domain, a_forward_pass, "Domain",
            "Label of each evaluation domain, in order of first appearance in the corpus.",
            "DOMAIN= on the command line, else the record's own label, else the file's name."),
  };
}

Rows model_scales() {
  return {
      scale(dataset::layer, always, "Layer", "Index of each decoder layer, from 0.",
            "num_hidden_layers in config.json."),
      scale(dataset::moe_layer, always, "MoE layer",
            "Layer index, in the whole model, of each layer with routed experts. Dense layers do not appear.",
            "first_k_dense_replace and moe_layer_freq in config.json."),
      scale(dataset::expert, always, "Expert",
            "Index of each routed expert within its layer, from 0. Shared experts do not appear.",
            "n_routed_experts in config.json."),
      scale(dataset::other_expert, weights_of_experts, "Other expert",
            "The labels of expert once more: the second axis of quantities that compare two experts.",
            "The same as expert."),
      scale(dataset::tensor, a_weight_pass, "Weight tensor",
            "Name of each weight tensor: embedding, layers ascending, final norm, head. Each routed expert "
            "has its own names, also where experts are stored fused in one tensor.",
            "Hugging Face tensor names."),
      scale(dataset::pass_part, a_forward_pass, "Part of a pass",
            "Parts of a forward pass, in its order: embedding, layer 0 to layer N-1, head (with the final "
            "norm).",
            "num_hidden_layers in config.json."),
      scale(dataset::role, always, "Role",
            "What a tensor is for: the groups over which weight metrics are taken together; at last "
            "whole_model_without_norms, all of them but norm, and whole_model, all of them.",
            "The tensor's name."),
  };
}

/// What is not in the input: levels, bins and components.
Rows statistic_scales() {
  const char* const chosen = "Chosen by moescope.";
  return {
      scale(dataset::component, weights_of_steps, "Principal component",
            "Number of each principal component of a trajectory of weights, from 1, the largest first.",
            "C checkpoints around their mean have C-1."),
      scale(dataset::probability, a_weight_pass, "Probability",
            "Probability level of quantiles over the elements of a tensor.", chosen),
      scale(dataset::step_bin, weights_of_steps, "Steps of the last place",
            "Number of steps, the smallest by size of its bin: up to 15 each number has a bin, then each "
            "power of two begins one. Negative: towards smaller values.",
            chosen, "steps"),
      scale(dataset::quantile, always, "Quantile",
            "Probability level of quantiles over tokens: 0.5 is the median.", chosen),
  };
}

/// What the others recover from a tensor's name.
Rows tensor_parts() {
  const std::vector<std::string> per_tensor = {"tensor"};
  return rows(
      a_weight_pass, Joining::made_anew,
      {row(dataset::tensor_role, per_tensor, pure_number, "Role of the tensor",
           "What each tensor is for, as one word: expert_gate, input_norm. The groups of the dimension role "
           "are made of these.",
           "The tensor's name."),
       row(dataset::tensor_layer, per_tensor, pure_number, "Layer of the tensor",
           "Layer index, in the whole model, of each tensor. -1 outside the layers.", "The tensor's name."),
       row(dataset::tensor_expert, per_tensor, pure_number, "Expert of the tensor",
           "Index, within its layer, of the routed expert that each tensor belongs to. -1 where it belongs "
           "to none.",
           "The tensor's name.")});
}

}  // namespace

Rows tensor_datasets() {
  return tensor_parts();
}

Rows scale_datasets() {
  return joined({series_scales(), model_scales(), statistic_scales()});
}

}  // namespace moescope
