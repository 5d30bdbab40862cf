#pragma once
/// How well the model predicts the next token. All functions are pure and thread-safe.

#include <cstdint>
#include <span>

namespace moescope {

/// -ln p(next token) of many tokens, taken together.
struct LanguageLoss {
  double total = 0;            // nats, summed over those that are finite
  std::int64_t tokens = 0;     // predicted tokens
  std::int64_t nonfinite = 0;  // of those

  /// Nats per token; NaN when nothing was predicted, and when any loss is not finite: what is left would not
  /// be the loss of the text.
  double mean() const;
};

/// Over predicted tokens: those that have a successor in their sequence, and only those.
LanguageLoss language_loss(std::span<const double> nll);

/// exp(mean loss in nats).
double perplexity(double mean_loss);

/// Nats of a text over its `bytes`, in bits: comparable between tokenizers. NaN without bytes.
double bits_per_byte(double total_nll, std::int64_t bytes);

}  // namespace moescope
