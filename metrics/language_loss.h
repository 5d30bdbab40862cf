#pragma once
/// How well the model predicts the next token. All functions are pure and thread-safe.

#include <cstdint>
#include <span>

namespace moescope {

/// -ln p(next token) of many tokens, taken together.
struct LanguageLoss {
  double total = 0;         // nats, summed over the predicted tokens
  std::int64_t tokens = 0;  // predicted tokens

  /// Nats per token; NaN when nothing was predicted.
  double mean() const;
};

/// Over the tokens whose `nll` is not NaN: the last token of a sequence predicts nothing.
LanguageLoss language_loss(std::span<const double> nll);

/// exp(mean loss in nats).
double perplexity(double mean_loss);

/// Nats of a text over its `bytes`, in bits: comparable between tokenizers. NaN without bytes.
double bits_per_byte(double total_nll, std::int64_t bytes);

}  // namespace moescope
