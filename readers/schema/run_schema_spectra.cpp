#include "readers/schema/run_schema_parts.h"

namespace moescope {
namespace {

constexpr const char* power_law_source =
    "Martin and Mahoney, arXiv 1810.01075; fitted as WeightWatcher does (Clauset et al., arXiv 0706.1062)";

const Needs spectra = {&RunContents::weights, &RunContents::spectra},
            spectra_of_steps = {&RunContents::weights, &RunContents::spectra, &RunContents::steps},
            routers = {&RunContents::weights, &RunContents::moe_layers},
            routers_of_steps = {&RunContents::weights, &RunContents::moe_layers, &RunContents::steps},
            sketched_experts = {&RunContents::weights, &RunContents::moe_layers, &RunContents::steps,
                                &RunContents::sketches};

const std::vector<std::string> per_tensor = {"checkpoint", "tensor"};
const std::vector<std::string> per_step = {"checkpoint_step", "tensor"};

/// Every description ends with why a value may be missing: `also` is a further reason.
std::string of_chosen(const std::string& description, const std::string& also = "") {
  const std::string reasons = "NaN where the matrix was not chosen (--spectra) or an element is not finite";
  return description + " " + reasons + (also.empty() ? "." : ", or " + also + ".");
}

constexpr const char* zero_matrix = "all are zero";
constexpr const char* nothing_changed = "nothing changed";
constexpr const char* no_tail = "fewer than two different eigenvalues are above 1e-5";

Rows rank_datasets() {
  return rows(
      spectra, Joining::of_weights,
      {
          row(dataset::weights_spectral_norm, per_tensor, pure_number, "Spectral norm",
              of_chosen("Largest singular value sigma_1."), "All singular values, to rounding."),
          row(dataset::weights_stable_rank, per_tensor, pure_number, "Stable rank",
              of_chosen("norm² / sigma_1²: how many directions as strong as the strongest would make up the "
                        "matrix.",
                        zero_matrix),
              "Rudelson and Vershynin, arXiv math/0503442"),
          row(dataset::weights_effective_rank, per_tensor, pure_number, "Effective rank",
              of_chosen("exp(-sum q ln q), q = sigma / sum sigma: how many directions the matrix uses, weak "
                        "ones included.",
                        zero_matrix),
              "Roy and Vetterli, EUSIPCO 2007"),
          row(dataset::weights_participation_ratio, per_tensor, pure_number, "Participation ratio",
              of_chosen(
                  "(sum lambda)² / sum lambda², lambda = sigma²: how many directions share the squared norm.",
                  zero_matrix),
              own_definition),
      });
}

Rows tail_datasets() {
  return rows(
      spectra, Joining::of_weights,
      {
          row(dataset::weights_power_law_alpha, per_tensor, pure_number, "Power-law exponent",
              of_chosen("alpha of the density lambda^-alpha of the eigenvalues lambda = sigma² above x_min. "
                        "Judge it by the distance and the length of the tail.",
                        no_tail),
              power_law_source),
          row(dataset::weights_power_law_ks_distance, per_tensor, pure_number, "Distance from the power law",
              of_chosen("Kolmogorov-Smirnov distance of the tail's eigenvalues from the fitted power law: "
                        "the smallest over all x_min.",
                        no_tail),
              power_law_source),
          row(dataset::weights_power_law_x_min, per_tensor, pure_number, "Start of the tail",
              of_chosen("The eigenvalue at which the fitted tail begins.", no_tail), power_law_source),
          row(dataset::weights_power_law_tail_length, per_tensor, "eigenvalues", "Length of the tail",
              of_chosen("How many eigenvalues are in the fitted tail, a whole number.", no_tail),
              power_law_source),
          row(dataset::weights_power_law_alpha_weighted, per_tensor, pure_number,
              "Weighted power-law exponent", of_chosen("alpha log10 of the largest eigenvalue.", no_tail),
              power_law_source),
          row(dataset::weights_marchenko_pastur_edge, per_tensor, pure_number, "Edge of noise",
              of_chosen("s (sqrt(rows) + sqrt(columns)): where the singular values of a random matrix end. s "
                        "is the standard deviation of all elements (/weights/std), strong directions and "
                        "mean included."),
              "Marchenko and Pastur 1967"),
          row(dataset::weights_spike_count, per_tensor, "directions", "Directions above noise",
              of_chosen("How many singular values are above the 99th percentile of a random matrix's largest "
                        "one, a whole number: above s sqrt((a + b)² + 2.0234 (a + b) (1/a + 1/b)^(1/3)), a = "
                        "sqrt(rows - 1/2), b = sqrt(columns - 1/2). s is the standard deviation of all "
                        "elements (/weights/std), so that weak directions beside strong ones may be missed."),
              "Johnstone 2001, theorem 1.1; Ma, Bernoulli 18 (2012)"),
      });
}

Rows step_datasets() {
  return joined(
      {rows(
           spectra_of_steps, Joining::of_weights,
           {row(dataset::weights_delta_spectral_norm, per_step, pure_number, "Spectral norm of the update",
                of_chosen("Largest singular value of D_i = W_(i+1) - W_i."),
                "All singular values, to rounding."),
            row(dataset::weights_delta_stable_rank, per_step, pure_number, "Stable rank of the update",
                of_chosen("norm(D_i)² / sigma_1(D_i)².", nothing_changed),
                "Rudelson and Vershynin, arXiv math/0503442"),
            row(dataset::weights_delta_effective_rank, per_step, pure_number, "Effective rank of the update",
                of_chosen("exp(-sum q ln q) of the singular values of D_i.", nothing_changed),
                "Roy and Vetterli, EUSIPCO 2007"),
            row(dataset::weights_subspace_overlap, per_step, pure_number, "Overlap of the leading directions",
                of_chosen("norm(U_iᵀ U_(i+1))² / r: how much of the space of the r = 8 strongest directions "
                          "in the residual stream (right singular vectors of what reads it, left ones of "
                          "what is added to it; fewer where the matrix has no 8) stayed the same from one "
                          "checkpoint to the next. 1: all of it; r / H by chance (subspace_overlap_chance).",
                          "so few directions are determined"),
                own_definition)}),
       rows(spectra, Joining::of_weights,
            {row(dataset::weights_subspace_overlap_chance, {"tensor"}, pure_number,
                 "Overlap of leading directions by chance",
                 "What subspace_overlap would be if the directions were drawn at random: r / H, r = min(8, "
                 "rows, columns) of the matrix. NaN where the matrix was not chosen (--spectra).",
                 own_definition)})});
}

Rows router_row_datasets() {
  const std::vector<std::string> per_expert = {"checkpoint", "moe_layer", "expert"};
  return rows(
      routers, Joining::of_weights,
      {
          row(dataset::weights_router_row_norm, per_expert, pure_number, "Norm of router rows",
              "Norm of the router's row of each expert: how strongly hidden states can call it.",
              own_definition),
          row(dataset::weights_router_row_cosine, {"checkpoint", "moe_layer", "expert", "other_expert"},
              pure_number, "Cosine of router rows",
              "Cosine of the router's rows of two experts: near 1, the same hidden states call both. NaN "
              "where a row is zero or not finite.",
              own_definition),
          row(dataset::weights_score_correction_bias, per_expert, pure_number, "Score correction bias",
              "What is added to an expert's score when experts are chosen. NaN where the model has none.",
              "Wang et al., arXiv 2408.15664"),
      });
}

/// Experts of one checkpoint and of the next.
Rows expert_match_datasets() {
  const std::vector<std::string> per_expert = {"checkpoint_step", "moe_layer", "expert"};
  return joined(
      {rows(routers_of_steps, Joining::of_weights,
            {row(dataset::weights_expert_match, per_expert, pure_number, "Match of experts",
                 "Where each expert of a checkpoint is found in the next one: its own index where it kept "
                 "its place, another where it clearly moved, -1 where the best assignment of experts by "
                 "similarity would move it, but the similarity is too weak to tell, and where there is none, "
                 "as of a row that is zero or not finite.",
                 "Hungarian assignment of the router rows' cosines"),
             row(dataset::weights_expert_match_cosine, per_expert, pure_number,
                 "Cosine of matched router rows",
                 "Cosine of an expert's router row and that of its match in the next checkpoint; where the "
                 "match is -1, that of the best assignment. NaN where a row is zero or not finite.",
                 own_definition)}),
       rows(
           sketched_experts, Joining::made_anew,
           {row(dataset::weights_expert_weight_match, per_expert, pure_number, "Match of experts by weights",
                "As expert_match, but by the experts' own weights, not by the router: where both differ, the "
                "router may belong to another order of the experts.",
                "Hungarian assignment of the weights' cosines, each the mean over gate, up and down"),
            row(dataset::weights_expert_weight_match_cosine, per_expert, pure_number,
                "Cosine of matched weights",
                "ESTIMATE, by sketch, of the cosine of an expert's weights and those of its match by weights "
                "in the next checkpoint, mean over gate, up and down; where the match is -1, that of the "
                "best assignment. Standard error at most 0.02. NaN where a matrix is zero or not finite.",
                "Alon, Matias and Szegedy 1996; Charikar, Chen and Farach-Colton 2002")})});
}

}  // namespace

Rows spectra_datasets() {
  return joined({rank_datasets(), tail_datasets(), step_datasets()});
}

Rows router_weight_datasets() {
  return joined({router_row_datasets(), expert_match_datasets()});
}

}  // namespace moescope
