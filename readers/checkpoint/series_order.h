#pragma once
/// What the names of a series tell together: its order, and the progress of each checkpoint.

#include <cstddef>
#include <string>
#include <vector>

#include "readers/checkpoint/checkpoint_name.h"

namespace moescope {

struct SeriesOrder {
  std::vector<std::size_t> order;  // (C) numbers of names, the first in training first as far as they tell
  std::vector<NamedProgress> progress;       // (C) of each name
  bool decided = true;                       // the names leave nothing of the order open
  std::vector<std::string> order_doubts;     // what they leave open, each a sentence that names them
  std::vector<std::string> progress_doubts;  // where their numbers are not progress
};

/// Stages, ingredients and epochs in their order, in each of them by tokens where all tell them, else by
/// steps; what calls itself the end (last, latest, final, main) last. What no name tells stands behind what
/// is told, in the order of names, where numbers count as numbers.
///
/// A quantity that two or more names tell, and all of those the same, is part of the model's name. Amounts
/// that all names share are the model's size; the one that remains is the tokens. Where the count of tokens
/// or steps does not go on from one stage to the next, it counts anew: from there on both are unknown.
SeriesOrder order_by_names(const std::vector<std::string>& names);

/// Which of two names of one checkpoint says more: less is better. A place in training, its end, no place.
int name_vagueness(const std::string& name);

}  // namespace moescope
