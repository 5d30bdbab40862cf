#include "metrics/entry/level.h"

namespace moescope {

double Level::at(const RoutingSizes& sizes, std::int64_t tokens) const {
  if (const auto* of_tokens = std::get_if<OfTokens>(&value_))
    return (*of_tokens)(sizes.experts, sizes.top_k, tokens);
  if (const auto* of_sizes = std::get_if<OfSizes>(&value_)) return (*of_sizes)(sizes.experts, sizes.top_k);
  return std::get<double>(value_);
}

}  // namespace moescope
