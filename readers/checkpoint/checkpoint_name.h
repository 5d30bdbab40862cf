#pragma once
/// What the name of one checkpoint spells: where in training it was taken. What the names of a series mean
/// together is in series_order.h.

#include <limits>
#include <string_view>
#include <vector>

namespace moescope {

/// A number that a name does not tell.
inline constexpr double not_named = std::numeric_limits<double>::quiet_NaN();

/// 0 to 9, in every locale.
inline bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// NaN: not known.
struct NamedProgress {
  double tokens = not_named;  // seen in training
  double step = not_named;
};

/// "5T", "7B" or "500M" without a word that says of what: tokens seen, or the size of the model.
struct NamedAmount {
  double number = 0;
  bool trillions = false;    // of so many only tokens are counted, most often
  bool before_step = false;  // a step follows, as in "Ling-1T-step100": then it belongs to the model's name
};

struct CheckpointName {
  enum class Kind {
    plain,
    end,      // last, latest, final, main: the training's end
    best,     // of some evaluation: anywhere
    average,  // averaged, ema, swa, …: of several places
    hash,     // of a commit
  };

  Kind kind = Kind::plain;
  int end_rank = 0;          // latest (0) before final (1) before main (2)
  double stage = not_named;  // "stage2", "phase-1"; NaN: not spelled
  double ingredient = not_named;
  double epoch = not_named;
  NamedProgress
      labelled;  // "tokens20B", "20B-tokens", "2BT"; "step5000", "iter_0005473", "checkpoint-1k", "0020000"
  std::vector<NamedAmount> amounts;  // as they stand in the name
};

/// Units are k, M, B and T, for tokens and steps alike, in letters of either case.
CheckpointName read_checkpoint_name(std::string_view name);

/// Tokens and step of a name of which nothing but itself is known: of amounts, only trillions are taken for
/// tokens, and not before a step.
NamedProgress progress_of(const CheckpointName& name);

/// Whether a name may be the abbreviated hash of a commit, were its neighbours such: hexadecimal, seven
/// digits or more.
bool is_hexadecimal_name(std::string_view name);

}  // namespace moescope
