#pragma once
/// The datasets of the raw record by name: a path, and the type of the elements stored there. Each has its
/// row in run_schema; its name is its path with _ between the parts.

#include <cstdint>
#include <string>

#include "readers/schema/dataset.h"

namespace moescope::dataset {

// Labels of dimensions, and what belongs to a checkpoint.
inline constexpr Dataset<std::string> checkpoint{"/checkpoint"};
inline constexpr Dataset<std::string> other_checkpoint{"/other_checkpoint"};
inline constexpr Dataset<std::string> domain{"/domain"};
inline constexpr Dataset<std::int64_t> layer{"/layer"};
inline constexpr Dataset<std::int64_t> moe_layer{"/moe_layer"};
inline constexpr Dataset<std::int64_t> expert{"/expert"};
inline constexpr Dataset<std::int64_t> other_expert{"/other_expert"};
inline constexpr Dataset<std::string> tensor{"/tensor"};
inline constexpr Dataset<std::string> pass_part{"/pass_part"};
inline constexpr Dataset<std::string> role{"/role"};
inline constexpr Dataset<std::int64_t> component{"/component"};
inline constexpr Dataset<double> probability{"/probability"};
inline constexpr Dataset<std::int64_t> step_bin{"/step_bin"};
inline constexpr Dataset<double> quantile{"/quantile"};
inline constexpr Dataset<double> tokens_seen{"/tokens_seen"};
inline constexpr Dataset<double> step{"/step"};
inline constexpr Dataset<std::string> phase{"/phase"};
inline constexpr Dataset<std::string> notes{"/notes"};
inline constexpr Dataset<std::string> tensor_role{"/tensor_role"};
inline constexpr Dataset<std::int64_t> tensor_layer{"/tensor_layer"};
inline constexpr Dataset<std::int64_t> tensor_expert{"/tensor_expert"};

inline constexpr Dataset<std::string> checkpoint_info_config_json{"/checkpoint_info/config_json"};
inline constexpr Dataset<std::string> checkpoint_info_fingerprint{"/checkpoint_info/fingerprint"};
inline constexpr Dataset<std::string> checkpoint_info_file_stamps{"/checkpoint_info/file_stamps"};
inline constexpr Dataset<std::string> checkpoint_info_path{"/checkpoint_info/path"};

// Evaluation tokens.
inline constexpr Dataset<std::uint32_t> corpus_token_id{"/corpus/token_id"};
inline constexpr Dataset<std::int32_t> corpus_document{"/corpus/document"};
inline constexpr Dataset<std::int32_t> corpus_position{"/corpus/position"};
inline constexpr Dataset<std::int32_t> corpus_domain{"/corpus/domain"};
inline constexpr Dataset<std::int64_t> corpus_text_offset{"/corpus/text_offset"};

// What the routers decided.
inline constexpr Dataset<std::uint16_t> routing_topk_index{"/routing/topk_index"};
inline constexpr Dataset<float> routing_topk_weight{"/routing/topk_weight"};
inline constexpr Dataset<float> routing_entropy{"/routing/entropy"};
inline constexpr Dataset<float> routing_margin{"/routing/margin"};
inline constexpr Dataset<float> routing_topk_mass{"/routing/topk_mass"};
inline constexpr Dataset<std::uint8_t> routing_bias_flips{"/routing/bias_flips"};
inline constexpr Dataset<float> routing_top1_share{"/routing/top1_share"};
inline constexpr Dataset<float> routing_topk_weight_entropy{"/routing/topk_weight_entropy"};
inline constexpr Dataset<std::int64_t> routing_expert_count{"/routing/expert_count"};
inline constexpr Dataset<std::int64_t> routing_nonfinite_count{"/routing/nonfinite_count"};
inline constexpr Dataset<std::int64_t> routing_token_count{"/routing/token_count"};
inline constexpr Dataset<float> routing_router_logit{"/routing/router_logit"};

inline constexpr Dataset<float> loss_nll{"/loss/nll"};
inline constexpr Dataset<std::int64_t> loss_nonfinite_count{"/loss/nonfinite_count"};

inline constexpr Dataset<float> hidden_hidden_state{"/hidden/hidden_state"};

inline constexpr Dataset<float> logits_logit{"/logits/logit"};

// What the passes cost.
inline constexpr Dataset<std::int64_t> io_read_bytes{"/io/read_bytes"};
inline constexpr Dataset<double> io_read_seconds{"/io/read_seconds"};
inline constexpr Dataset<double> io_wait_seconds{"/io/wait_seconds"};
inline constexpr Dataset<double> io_compute_seconds{"/io/compute_seconds"};
inline constexpr Dataset<double> io_flops{"/io/flops"};
inline constexpr Dataset<double> io_wall_seconds{"/io/wall_seconds"};
inline constexpr Dataset<double> io_overlap_efficiency{"/io/overlap_efficiency"};
inline constexpr Dataset<std::int64_t> io_weight_pass_bytes{"/io/weight_pass_bytes"};
inline constexpr Dataset<double> io_weight_pass_seconds{"/io/weight_pass_seconds"};
inline constexpr Dataset<std::int64_t> io_spectra_bytes{"/io/spectra_bytes"};
inline constexpr Dataset<double> io_spectra_seconds{"/io/spectra_seconds"};

// What is finished. The group's attributes tell the scope of the analysis.
inline constexpr const char* status_group = "/status";
inline constexpr Dataset<std::uint8_t> status_forward{"/status/forward"};
inline constexpr Dataset<std::uint8_t> status_weights{"/status/weights"};
inline constexpr Dataset<std::uint8_t> status_tensor_done{"/status/tensor_done"};
inline constexpr Dataset<std::uint8_t> status_pair_done{"/status/pair_done"};
inline constexpr Dataset<std::uint8_t> status_spectra{"/status/spectra"};

// The weight pass, spectra and routers.
inline constexpr Dataset<double> weights_norm{"/weights/norm"};
inline constexpr Dataset<double> weights_mean{"/weights/mean"};
inline constexpr Dataset<double> weights_std{"/weights/std"};
inline constexpr Dataset<double> weights_max_abs{"/weights/max_abs"};
inline constexpr Dataset<double> weights_rms{"/weights/rms"};
inline constexpr Dataset<double> weights_kurtosis{"/weights/kurtosis"};
inline constexpr Dataset<double> weights_min{"/weights/min"};
inline constexpr Dataset<double> weights_max{"/weights/max"};
inline constexpr Dataset<std::int64_t> weights_zero_count{"/weights/zero_count"};
inline constexpr Dataset<std::int64_t> weights_denormal_count{"/weights/denormal_count"};
inline constexpr Dataset<std::int64_t> weights_nonfinite_count{"/weights/nonfinite_count"};
inline constexpr Dataset<double> weights_magnitude_quantile{"/weights/magnitude_quantile"};
inline constexpr Dataset<std::int64_t> weights_element_count{"/weights/element_count"};
inline constexpr Dataset<std::int64_t> weights_magnitude_histogram{"/weights/magnitude_histogram"};
inline constexpr Dataset<std::int64_t> weights_step_histogram{"/weights/step_histogram"};
inline constexpr Dataset<double> weights_fraction_changed{"/weights/fraction_changed"};
inline constexpr Dataset<double> weights_inner_product{"/weights/inner_product"};
inline constexpr Dataset<double> weights_delta_inner_product{"/weights/delta_inner_product"};
inline constexpr Dataset<double> weights_relative_drift{"/weights/relative_drift"};
inline constexpr Dataset<double> weights_cosine{"/weights/cosine"};
inline constexpr Dataset<float> weights_sketch{"/weights/sketch"};
inline constexpr Dataset<double> weights_spectral_norm{"/weights/spectral_norm"};
inline constexpr Dataset<double> weights_stable_rank{"/weights/stable_rank"};
inline constexpr Dataset<double> weights_effective_rank{"/weights/effective_rank"};
inline constexpr Dataset<double> weights_participation_ratio{"/weights/participation_ratio"};
inline constexpr Dataset<double> weights_power_law_alpha{"/weights/power_law_alpha"};
inline constexpr Dataset<double> weights_power_law_ks_distance{"/weights/power_law_ks_distance"};
inline constexpr Dataset<double> weights_power_law_x_min{"/weights/power_law_x_min"};
inline constexpr Dataset<double> weights_power_law_tail_length{"/weights/power_law_tail_length"};
inline constexpr Dataset<double> weights_power_law_alpha_weighted{"/weights/power_law_alpha_weighted"};
inline constexpr Dataset<double> weights_marchenko_pastur_edge{"/weights/marchenko_pastur_edge"};
inline constexpr Dataset<double> weights_spike_count{"/weights/spike_count"};
inline constexpr Dataset<double> weights_delta_spectral_norm{"/weights/delta_spectral_norm"};
inline constexpr Dataset<double> weights_delta_stable_rank{"/weights/delta_stable_rank"};
inline constexpr Dataset<double> weights_delta_effective_rank{"/weights/delta_effective_rank"};
inline constexpr Dataset<double> weights_subspace_overlap{"/weights/subspace_overlap"};
inline constexpr Dataset<double> weights_subspace_overlap_chance{"/weights/subspace_overlap_chance"};
inline constexpr Dataset<double> weights_router_row_norm{"/weights/router_row_norm"};
inline constexpr Dataset<float> weights_router_row_cosine{"/weights/router_row_cosine"};
inline constexpr Dataset<float> weights_score_correction_bias{"/weights/score_correction_bias"};
inline constexpr Dataset<std::int32_t> weights_expert_match{"/weights/expert_match"};
inline constexpr Dataset<double> weights_expert_match_cosine{"/weights/expert_match_cosine"};
inline constexpr Dataset<std::int32_t> weights_expert_weight_match{"/weights/expert_weight_match"};
inline constexpr Dataset<double> weights_expert_weight_match_cosine{"/weights/expert_weight_match_cosine"};

}  // namespace moescope::dataset
