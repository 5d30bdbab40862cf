#pragma once
/// What a forward pass reports. The model itself measures nothing and prints nothing.

#include <cstddef>
#include <cstdint>
#include <span>

#include "analysis/forward/router.h"
#include "analysis/kernels/activations.h"

namespace moescope {

/// Called on the thread that runs the pass, batch by batch and, within a batch, layer by layer. Rows of a
/// matrix are the tokens first_token, first_token + 1 … of the corpus. Arguments are valid during the call.
class ForwardObserver {
 public:
  virtual ~ForwardObserver() = default;
  /// Once for each MoE layer.
  virtual void router_output(const RouterOutput&) {}
  /// x (T, H): the residual stream after decoder layer `layer`.
  virtual void hidden_state(std::int64_t /*layer*/, std::size_t /*first_token*/, const Matrix& /*x*/) {}
  /// nll (T): -ln p(next token), NaN for the last token of a sequence.
  virtual void token_losses(std::size_t /*first_token*/, std::span<const float> /*nll*/) {}
  /// logits (T, rows) of the vocabulary entries first_row …; only if wants_logits().
  virtual bool wants_logits() const { return false; }
  virtual void logits(std::size_t /*first_token*/, std::size_t /*first_row*/, const Matrix& /*logits*/) {}
};

}  // namespace moescope
