#pragma once
/// A row of the schema: what a dataset is, which run files have it, and how joined run files come to it.

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "readers/schema/dataset_spec.h"

namespace moescope {

/// What a run file is to hold. Which datasets it has, and how large they are, follows from that.
struct RunContents {
  bool forward = false, weights = false;  // passes
  bool moe_layers = false;                // the model has some
  bool correction_bias = false;           // and chooses experts by scores with a bias
  bool steps = false;                     // there is more than one checkpoint
  bool sketches = false, spectra = false;
  bool router_logits = false, hidden_states = false, logits = false;  // kept on request
  std::map<std::string, std::uint64_t> sizes;                         // of dimensions, by name
};

/// How a file that is joined of others comes to the values of a dataset.
enum class Joining : std::uint8_t {
  made_anew,        // from the checkpoints, the texts and what all the files have finished
  of_passes,        // copied of every finished forward pass; where several have it, they must agree
  of_weights,       // copied of every tensor, or pair of checkpoints, that is finished; they must agree
  distances,        // copied, and renewed where the sums of the whole tell them
  added,            // counts of the parts of one analysis add up
  cost_of_passes,   // copied of every finished forward pass, whatever the others say
  cost_of_weights,  // copied of every checkpoint
};

struct DatasetRow : DatasetSpec {
  std::vector<bool RunContents::*> needs = {};  // all of them; none: every run file has it
  Joining joining = Joining::made_anew;
  std::optional<ElementType> narrow = std::nullopt;  // the type where all values fit that
};

inline bool is_recorded(const DatasetRow& row, const RunContents& contents) {
  return std::ranges::all_of(row.needs, [&](bool RunContents::*need) { return contents.*need; });
}

/// Whether the row is that of the labels of a dimension, which lie in a dataset of its name.
inline bool is_scale(const DatasetSpec& spec) {
  return spec.dimensions.size() == 1 && spec.path == "/" + spec.dimensions.front();
}

}  // namespace moescope
