#pragma once
/// The raw record of a run file: every dimension and dataset outside /metrics, with the texts that users read
/// as attributes. The one place in the program that spells them; data/run_format.md is the same contract in
/// prose. Shapes: C checkpoints, D domains, T tokens, N layers, L MoE layers, E routed experts, K experts per
/// token, H hidden size, V vocabulary, W weight tensors.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "readers/schema/dataset_spec.h"

namespace moescope {

/// A dimension that has a size but no labels.
struct BareDimension {
  std::string_view name;  // "token"
  std::string_view size;  // "T"
  std::string_view meaning;
};

/// Labelled dimensions (scales) first, then the datasets, group by group. Thread-safe.
std::span<const DatasetSpec> raw_datasets();
/// Throws std::out_of_range for a path that is no part of the raw record.
const DatasetSpec& raw_dataset(std::string_view path);
/// The dimensions named by raw_datasets() that have no labels.
std::span<const BareDimension> bare_dimensions();

/// The type of /routing/topk_index: u1 while it holds all expert ids and one more number, else u2.
ElementType expert_index_type(std::uint64_t experts);

}  // namespace moescope
