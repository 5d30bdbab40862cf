#include "readers/schema/run_schema_parts.h"

namespace moescope {
namespace {

constexpr const char* stored_weights =
    "The weights as stored; sums in double precision and in a fixed order.";

const Needs sketches = {&RunContents::weights, &RunContents::sketches};

/// One tensor of one checkpoint.
Rows weight_statistics() {
  const std::vector<std::string> per_tensor = {"checkpoint", "tensor"};
  return joined(
      {rows(a_weight_pass, Joining::of_weights,
            {row(dataset::weights_norm, per_tensor, pure_number, "Norm",
                 "Frobenius norm, the root of the sum of squares, over the finite elements. NaN where there "
                 "is none.",
                 stored_weights),
             row(dataset::weights_mean, per_tensor, pure_number, "Mean",
                 "Mean of the finite elements. NaN where there is none.", stored_weights),
             row(dataset::weights_std, per_tensor, pure_number, "Standard deviation",
                 "Population standard deviation of the finite elements. NaN where there is none.",
                 stored_weights),
             row(dataset::weights_max_abs, per_tensor, pure_number, "Largest magnitude",
                 "Largest magnitude of the finite elements. NaN where there is none.", stored_weights),
             row(dataset::weights_rms, per_tensor, pure_number, "Root mean square",
                 "norm divided by the root of the number of finite elements. NaN where there is none.",
                 stored_weights),
             row(dataset::weights_kurtosis, per_tensor, pure_number, "Kurtosis",
                 "Fourth central moment over the square of the variance, of the finite elements: 3 for a "
                 "normal distribution, more where few elements are large. NaN where all elements are equal.",
                 stored_weights),
             row(dataset::weights_min, per_tensor, pure_number, "Smallest element",
                 "Smallest of the finite elements, with its sign. NaN where there is none.", stored_weights),
             row(dataset::weights_max, per_tensor, pure_number, "Largest element",
                 "Largest of the finite elements, with its sign. NaN where there is none.", stored_weights),
             row(dataset::weights_zero_count, per_tensor, "elements", "Zeros",
                 "Number of elements that are zero.", stored_weights),
             row(dataset::weights_denormal_count, per_tensor, "elements", "Denormal elements",
                 "Number of elements that are not zero but too small for a normal number of the stored type: "
                 "processors that flush them take them for zeros.",
                 stored_weights),
             row(dataset::weights_nonfinite_count, per_tensor, "elements", "Non-finite elements",
                 "Number of elements that are NaN or infinite. They are left out of all other statistics.",
                 stored_weights),
             row(dataset::weights_magnitude_quantile, {"checkpoint", "tensor", "probability"}, pure_number,
                 "Quantiles of magnitudes",
                 "Quantiles of |w| over the finite elements, exact, by linear interpolation. NaN where the "
                 "tensor is not stored as BF16.",
                 "From the histogram of all stored bit patterns; type 7 of Hyndman and Fan 1996.")}),
       rows(a_weight_pass, Joining::made_anew,
            {row(dataset::weights_element_count, {"tensor"}, "elements", "Elements",
                 "Number of elements of the tensor.", "The tensor's shape.")})});
}

/// What is counted over the bit patterns of BF16 elements.
Rows weight_histograms() {
  const char* const counted = "Counted over all elements as stored.";
  return joined(
      {rows(a_weight_pass, Joining::added,
            {row(dataset::weights_magnitude_histogram, {"checkpoint", "role", "magnitude"}, "elements",
                 "Histogram of magnitudes",
                 "How many elements of a role have which magnitude: bin m counts the elements whose BF16 bit "
                 "pattern without the sign is m, that is |w| = (1 + (m mod 128)/128) 2^(floor(m/128) - 127) "
                 "from m = 128 on; below, denormal numbers; infinite at 32,640, NaN above. Every quantile "
                 "follows from it. Tensors that are not stored as BF16 are left out.",
                 counted)}),
       rows(weights_of_steps, Joining::of_weights,
            {row(dataset::weights_step_histogram, {"checkpoint_step", "tensor", "step_bin"}, "elements",
                 "Histogram of steps",
                 "How many elements moved by how many steps of the last place, from a checkpoint to the "
                 "next: a step leads to the next number that BF16 can hold, and the values of step_bin begin "
                 "the bins. Through zero the way is long: from -0.01 to 0.01 are some 30,000 steps. All 0 "
                 "where the tensor is not stored as BF16.",
                 counted),
             row(dataset::weights_fraction_changed, {"checkpoint_step", "tensor"}, pure_number,
                 "Share of elements changed",
                 "Share of the elements whose stored value differs from that of the checkpoint before. NaN "
                 "where the tensor is not stored as BF16.",
                 "From step_histogram.")})});
}

/// One tensor in two checkpoints.
Rows weight_pairs() {
  return joined(
      {rows(a_weight_pass, Joining::of_weights,
            {row(dataset::weights_inner_product, {"tensor", "checkpoint", "other_checkpoint"}, pure_number,
                 "Inner product",
                 "<W_i, W_j>: sum of the products of corresponding elements in two checkpoints. Symmetric; "
                 "the diagonal is the squared norm.",
                 stored_weights)}),
       rows(weights_of_steps, Joining::of_weights,
            {row(dataset::weights_delta_inner_product, {"tensor", "checkpoint_step", "other_checkpoint_step"},
                 pure_number, "Inner product of updates",
                 "<D_i, D_j> of the differences D_i = W_(i+1) - W_i of successive checkpoints, formed "
                 "element by element before anything is summed. Distances between any two checkpoints follow "
                 "from it without the cancellation of a² + b² - 2ab.",
                 stored_weights)}),
       rows(a_weight_pass, Joining::distances,
            {row(dataset::weights_relative_drift, {"checkpoint", "other_checkpoint", "tensor"}, pure_number,
                 "Relative drift",
                 "norm(W_j - W_i) / norm(W_i), i along checkpoint and j along other_checkpoint; not "
                 "symmetric. NaN where W_i is zero.",
                 "From delta_inner_product and norm."),
             row(dataset::weights_cosine, {"checkpoint", "other_checkpoint", "tensor"}, pure_number, "Cosine",
                 "<W_i, W_j> / (norm(W_i) norm(W_j)): 1 when only the length changed. NaN where either is "
                 "zero.",
                 "From inner_product.")}),
       rows(
           sketches, Joining::of_weights,
           {row(
               dataset::weights_sketch, {"checkpoint", "tensor", "sketch_element"}, pure_number, "Sketch",
               "A random projection of each tensor onto 1,024 numbers, the same for all checkpoints of all "
               "runs, and for all routed experts of a layer: from two sketches follow the distance (relative "
               "standard error 2.2 %), inner product and cosine of two tensors, also when a checkpoint is no "
               "longer there. Exact for tensors of up to 1,024 elements.",
               "Alon, Matias and Szegedy 1996; Charikar, Chen and Farach-Colton 2002 (signs and places)")})});
}

}  // namespace

Rows weight_datasets() {
  return joined({weight_statistics(), weight_histograms(), weight_pairs()});
}

}  // namespace moescope
