#include "readers/run_schema_weights.h"

namespace moescope {
namespace {

using enum ElementType;

constexpr const char* pure_number = "1";
constexpr const char* stored_weights =
    "The weights as stored; sums in double precision and in a fixed order.";

/// One tensor of one checkpoint.
std::vector<DatasetSpec> weight_statistics() {
  const std::vector<std::string> per_tensor = {"checkpoint", "tensor"};
  return {
      {"/weights/norm", f8, per_tensor, pure_number, "Norm",
       "Frobenius norm, the root of the sum of squares, over the finite elements. NaN where there is none.",
       stored_weights},
      {"/weights/mean", f8, per_tensor, pure_number, "Mean",
       "Mean of the finite elements. NaN where there is none.", stored_weights},
      {"/weights/std", f8, per_tensor, pure_number, "Standard deviation",
       "Population standard deviation of the finite elements. NaN where there is none.", stored_weights},
      {"/weights/max_abs", f8, per_tensor, pure_number, "Largest magnitude",
       "Largest magnitude of the finite elements. NaN where there is none.", stored_weights},
      {"/weights/nonfinite_count", i8, per_tensor, "elements", "Non-finite elements",
       "Number of elements that are NaN or infinite. They are left out of norm, mean, std and max_abs.",
       stored_weights},
      {"/weights/element_count",
       i8,
       {"tensor"},
       "elements",
       "Elements",
       "Number of elements of the tensor.",
       "The tensor's shape."},
  };
}

/// One tensor in two checkpoints.
std::vector<DatasetSpec> weight_pairs() {
  return {
      {"/weights/inner_product",
       f8,
       {"tensor", "checkpoint", "other_checkpoint"},
       pure_number,
       "Inner product",
       "<W_i, W_j>: sum of the products of corresponding elements in two checkpoints. Symmetric; the "
       "diagonal is the "
       "squared norm.",
       stored_weights},
      {"/weights/delta_inner_product",
       f8,
       {"tensor", "checkpoint_step", "other_checkpoint_step"},
       pure_number,
       "Inner product of updates",
       "<D_i, D_j> of the differences D_i = W_(i+1) - W_i of successive checkpoints, formed element by "
       "element "
       "before anything is summed. Distances between any two checkpoints follow from it without "
       "the cancellation of a² + b² - 2ab.",
       stored_weights},
      {"/weights/relative_drift",
       f8,
       {"checkpoint", "other_checkpoint", "tensor"},
       pure_number,
       "Relative drift",
       "norm(W_j - W_i) / norm(W_i), i along checkpoint and j along other_checkpoint; not symmetric. NaN "
       "where "
       "W_i is zero.",
       "From delta_inner_product and norm."},
      {"/weights/cosine",
       f8,
       {"checkpoint", "other_checkpoint", "tensor"},
       pure_number,
       "Cosine",
       "<W_i, W_j> / (norm(W_i) norm(W_j)): 1 when only the length changed. NaN where either is zero.",
       "From inner_product."},
  };
}

}  // namespace

std::vector<DatasetSpec> weight_datasets() {
  std::vector<DatasetSpec> all;
  for (const auto& part : {weight_statistics(), weight_pairs()})
    all.insert(all.end(), part.begin(), part.end());
  return all;
}

}  // namespace moescope
