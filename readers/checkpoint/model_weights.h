#pragma once
/// The weights of a checkpoint by what they are for: a routed expert is the same object whether it is stored
/// by itself or as a slice of a fused tensor.

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "readers/checkpoint/checkpoint.h"
#include "readers/model/weight.h"

namespace moescope {

/// Every weight of a checkpoint by role, in a canonical order that is the same for all checkpoints of a
/// model: embedding, layers ascending (each in the order of the family's table, experts ascending: gate, up,
/// down of one expert together), final norm, head. Immutable and thread-safe.
class ModelWeights {
 public:
  /// Throws FormatError for a missing tensor, a wrong shape, an unusable dtype.
  explicit ModelWeights(const Checkpoint& checkpoint);
  /// The weights that a configuration describes, stored as `dtype` unless it says that they are quantised,
  /// before any of them is there: their shard and offset are 0.
  ModelWeights(const ModelConfig& config, DType dtype);

  /// The same, but of the embedding and the head at most the first `rows` rows.
  ModelWeights with_vocabulary(std::uint64_t rows) const;

  std::span<const Weight> all() const { return weights_; }
  /// Null when the model has none (e.g. Role::head of a tied model).
  const Weight* find(const WeightKey& key) const;
  /// Throws std::out_of_range (a programmer's mistake: the constructor has validated the model).
  const Weight& at(const WeightKey& key) const;
  /// Stored tensors that have no role, e.g. multi-token-prediction layers: skipped, with a note each.
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  void build_index();

  std::vector<Weight> weights_;
  std::map<WeightKey, std::size_t> index_;
  std::vector<std::string> notes_;
};

/// The first place in canonical order where two models differ in the name, role or shape of a weight; how it
/// is stored does not count. Null: of that model there are no more.
struct WeightDifference {
  const Weight* expected = nullptr;
  const Weight* found = nullptr;
};
std::optional<WeightDifference> first_difference(std::span<const Weight> expected,
                                                 std::span<const Weight> found);

}  // namespace moescope
