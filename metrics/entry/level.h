#pragma once
/// A number that values are held against: a bound, or what random routing gives.

#include <cstdint>
#include <variant>

namespace moescope {

/// Of a model's routers.
struct RoutingSizes {
  std::int64_t experts = 0;   // E
  std::int64_t top_k = 0;     // K
  std::int64_t eligible = 0;  // of E, those that a token may choose from (topk_group)
};

class Level {
 public:
  using OfSizes = double (*)(std::int64_t experts, std::int64_t top_k);
  using OfTokens = double (*)(std::int64_t experts, std::int64_t top_k, std::int64_t tokens);

  Level() = default;  // there is none
  Level(double value) : value_(value) {}
  Level(OfSizes value) : value_(value) {}
  Level(OfTokens value) : value_(value) {}

  bool exists() const { return !std::holds_alternative<std::monostate>(value_); }
  bool depends_on_tokens() const { return std::holds_alternative<OfTokens>(value_); }
  /// Where it exists.
  double at(const RoutingSizes& sizes, std::int64_t tokens = 0) const;

 private:
  std::variant<std::monostate, double, OfSizes, OfTokens> value_;
};

}  // namespace moescope
