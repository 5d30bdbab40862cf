#pragma once
/// The raw record of a run file: every dimension and dataset outside /metrics, with the texts that users read
/// as attributes. The one place in the program that spells them; the tables of data/run_format.md are made
/// from it. Shapes: C checkpoints, D domains, T tokens, N layers, L MoE layers, E routed experts, K experts
/// per token, H hidden size, V vocabulary, W weight tensors.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "readers/schema/dataset_row.h"

namespace moescope {

/// A dimension that has a size but no labels.
struct BareDimension {
  std::string_view name;  // "token"
  std::string_view size;  // "T"
  std::string_view meaning;
};

/// The rows under one heading of data/run_format.md.
struct SchemaSection {
  std::string title;
  std::vector<DatasetRow> rows;
};

/// Labelled dimensions (scales) first, then the datasets, group by group. Thread-safe, as all below.
std::span<const SchemaSection> schema_sections();
std::span<const DatasetRow> raw_datasets();
/// Throws std::out_of_range for a path that is no part of the raw record.
const DatasetRow& raw_dataset(std::string_view path);
/// The dimensions named by raw_datasets() that have no labels.
std::span<const BareDimension> bare_dimensions();

/// Reserved for each of /notes, at least.
inline constexpr std::uint64_t note_bytes = 2048;

/// The type of /routing/topk_index: u1 while it holds all expert ids and one more number, else u2.
ElementType expert_index_type(std::uint64_t experts);

}  // namespace moescope
