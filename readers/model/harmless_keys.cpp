#include "readers/model/harmless_keys.h"

#include <algorithm>

namespace moescope {
namespace {

constexpr std::string_view harmless[] = {
    // Training alone.
    "attention_dropout", "attn_pdrop", "aux_loss_alpha", "classifier_dropout", "dropout", "embd_pdrop",
    "embedding_dropout", "gradient_checkpointing", "hidden_dropout", "hidden_dropout_prob", "init_std",
    "initializer_range", "load_balance_coeff", "mtp_loss_scaling_factor", "output_dropout", "resid_pdrop",
    "router_aux_loss_coef", "router_jitter_noise", "router_z_loss_coef", "seq_aux",
    // Multi-token prediction, whose layers are left out.
    "mtp_num_hidden_layers", "mtp_transformer_layers", "mtp_use_dedicated_embeddings", "num_mtp_modules",
    "num_nextn_predict_layers", "use_mtp",
    // Token ids; only the end of a text is asked for.
    "bos_token_id", "cls_token_id", "decoder_start_token_id", "forced_bos_token_id", "forced_eos_token_id",
    "mask_token_id", "pad_token_id", "sep_token_id", "tokenizer_class", "unk_token_id",
    // Parts that are no language model.
    "audio_config", "image_token_id", "video_token_id", "vision_config", "vision_end_token_id",
    "vision_start_token_id",
    // Generation.
    "bad_words_ids", "begin_suppress_tokens", "diversity_penalty", "do_sample", "early_stopping",
    "encoder_no_repeat_ngram_size", "exponential_decay_length_penalty", "length_penalty", "max_length",
    "max_new_tokens", "min_length", "no_repeat_ngram_size", "num_beam_groups", "num_beams",
    "num_return_sequences", "prefix", "remove_invalid_values", "repetition_penalty", "suppress_tokens",
    "temperature", "top_k", "top_p", "typical_p", "use_cache",
    // How a program runs the model, and what it gives back.
    "_attn_implementation", "_attn_implementation_autoset", "attn_implementation", "chunk_size_feed_forward",
    "ep_size", "output_attentions", "output_hidden_states", "output_router_logits", "output_scores",
    "pretraining_tp", "return_dict", "return_dict_in_generate", "torchscript", "use_bfloat16",
    "use_grouped_mm", "use_return_dict",
    // Where the file comes from, and what else it may be for.
    "_commit_hash", "_name_or_path", "auto_map", "finetuning_task", "id2label", "label2id", "model_name",
    "problem_type", "task_specific_params", "transformers_version", "unsloth_fixed", "unsloth_version",
    // What makes an encoder of a model, never set in ours.
    "add_cross_attention", "cross_attention_hidden_size", "is_decoder", "is_encoder_decoder", "pruned_heads",
    "tf_legacy_loss", "tie_encoder_decoder"};

/// Where a model with other parts keeps the keys of its language model.
constexpr std::string_view inner_prefix = "text_config.";
constexpr std::string_view quantisation = "quantization_config.";

/// Which weights are quantised, their stored dtypes and scales tell; activations never are.
constexpr std::string_view harmless_of_quantisation[] = {"activation_scheme",
                                                         "actorder",
                                                         "block_structure",
                                                         "dynamic",
                                                         "group_size",
                                                         "ignore",
                                                         "ignored_layers",
                                                         "global_compression_ratio",
                                                         "input_activations",
                                                         "kv_cache_scheme",
                                                         "modules_to_not_convert",
                                                         "observer",
                                                         "observer_kwargs",
                                                         "output_activations",
                                                         "quantization_status",
                                                         "scale_fmt",
                                                         "sparsity_config",
                                                         "targets",
                                                         "transform_config",
                                                         "version"};

/// In names of arguments, between underscores: what makes a forward pass.
constexpr std::string_view parts_of_a_model[] = {
    "activation", "attention", "bias",   "embedding", "embeddings", "expert", "experts", "gate",
    "geglu",      "gelu",      "layer",  "layernorm", "layers",     "logit",  "mamba",   "mla",
    "moe",        "mtp",       "multi",  "norm",      "position",   "qk",     "relu",    "residual",
    "rope",       "rotary",    "router", "softmax",   "window"};

/// How they are computed, divided among machines and trained.
constexpr std::string_view harmless_arguments[] = {"accumulate_allreduce_grads_in_fp32",
                                                   "apply_query_key_layer_scaling",
                                                   "apply_rope_fusion",
                                                   "attention_backend",
                                                   "attention_dropout",
                                                   "attention_softmax_in_fp32",
                                                   "bias_dropout_fusion",
                                                   "bias_gelu_fusion",
                                                   "bias_swiglu_fusion",
                                                   "embedding_init_method_std",
                                                   "expert_model_parallel_size",
                                                   "expert_tensor_parallel_size",
                                                   "masked_softmax_fusion",
                                                   "memory_efficient_layer_norm",
                                                   "moe_aux_loss_coeff",
                                                   "moe_grouped_gemm",
                                                   "moe_input_jitter_eps",
                                                   "moe_layer_recompute",
                                                   "moe_per_layer_logging",
                                                   "moe_permute_fusion",
                                                   "moe_router_bias_update_rate",
                                                   "moe_router_dtype",
                                                   "moe_router_group_topk",
                                                   "moe_router_load_balancing_type",
                                                   "moe_router_padding_for_fp8",
                                                   "moe_shared_expert_overlap",
                                                   "moe_token_dispatcher_type",
                                                   "moe_use_legacy_grouped_gemm",
                                                   "moe_z_loss_coeff",
                                                   "mtp_loss_scaling_factor",
                                                   "multiprocessing_context",
                                                   "persist_layer_norm",
                                                   "recompute_num_layers",
                                                   "num_layers_per_virtual_pipeline_stage"};

}  // namespace

bool is_harmless_argument(std::string_view name) {
  if (std::ranges::find(harmless_arguments, name) != std::end(harmless_arguments)) return true;
  while (!name.empty()) {
    const std::string_view word = name.substr(0, name.find('_'));
    if (std::ranges::find(parts_of_a_model, word) != std::end(parts_of_a_model)) return false;
    name.remove_prefix(std::min(name.size(), word.size() + 1));
  }
  return true;
}

bool is_harmless_key(std::string_view name) {
  if (name.starts_with(inner_prefix)) name.remove_prefix(inner_prefix.size());
  if (!name.starts_with(quantisation)) return std::ranges::find(harmless, name) != std::end(harmless);
  const std::string_view last = name.substr(name.rfind('.') + 1);
  return std::ranges::find(harmless_of_quantisation, last) != std::end(harmless_of_quantisation);
}

}  // namespace moescope
