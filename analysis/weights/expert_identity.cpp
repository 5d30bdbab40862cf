#include "analysis/weights/expert_identity.h"

#include <cmath>

#include "metrics/statistics.h"

namespace moescope {
namespace {

constexpr std::size_t most_named_layers = 6;

/// Cosines of some experts with others.
class Cosines {
 public:
  Cosines(std::span<const double> all, std::size_t experts) : all_(all), experts_(experts) {}

  double at(std::size_t earlier, std::int32_t later) const {
    return all_.empty() || later < 0 ? LayerMoves::unknown
                                     : all_[earlier * experts_ + static_cast<std::size_t>(later)];
  }
  void take(std::size_t earlier, std::int32_t later) { taken_.push_back(at(earlier, later)); }
  double mean_of_taken() const { return taken_.empty() ? LayerMoves::unknown : mean(taken_); }

 private:
  std::span<const double> all_;
  std::size_t experts_;
  std::vector<double> taken_;
};

/// ", router rows 0.98" or nothing.
std::string stated(const char* what, double cosine) {
  if (!std::isfinite(cosine)) return {};
  const auto hundredths = std::lround(100 * cosine);
  const std::string digits = std::to_string(std::labs(hundredths) + 100).substr(1);
  return std::string(", ") + what + (hundredths < 0 ? " -" : " ") +
         (std::labs(hundredths) >= 100 ? "1." : "0.") + digits;
}

std::string name_layer(const LayerMoves& layer, std::size_t experts) {
  return "layer " + std::to_string(layer.layer) + " (" + std::to_string(layer.moved) + " of " +
         std::to_string(experts) + stated("cosine of router rows", layer.router_cosine) +
         stated("of weights", layer.weight_cosine) + ")";
}

std::string describe_disagreement(std::span<const LayerMoves> layers) {
  std::size_t disagreeing = 0;
  for (const LayerMoves& layer : layers) disagreeing += layer.disagreeing > 0 ? 1 : 0;
  if (disagreeing == 0) return {};
  return "; in " + std::to_string(disagreeing) + (disagreeing == 1 ? " layer" : " layers") +
         " router rows and weights do not agree: a router may belong to another order of the experts";
}

}  // namespace

ExpertPlaces find_places(std::span<const double> cosines, std::size_t experts) {
  if (cosines.empty()) return {{}, std::vector<std::int32_t>(experts, -1), 0};
  const ExpertMatching matching = find_permutation(cosines, experts);
  std::vector<std::size_t> moved = matching.moved;
  std::vector<bool> has_left(experts);
  for (const std::size_t e : moved) has_left[e] = true;
  for (std::size_t i = 0; i < moved.size(); ++i) {  // grows on the way
    const std::size_t driven_out = matching.match[moved[i]];
    if (has_left[driven_out]) continue;
    has_left[driven_out] = true;
    moved.push_back(driven_out);
  }
  ExpertPlaces result{matching.match, {}, 0};
  for (std::size_t e = 0; e < experts; ++e) {
    const std::size_t match = matching.match[e];
    const bool known = (has_left[e] || match == e) && std::isfinite(cosines[e * experts + match]);
    result.places.push_back(known ? static_cast<std::int32_t>(match) : -1);
    if (known && match != e) ++result.moved;
  }
  return result;
}

std::vector<double> matched_cosines(std::span<const double> cosines, const ExpertPlaces& places) {
  const std::size_t experts = places.assigned.size();
  std::vector<double> matched;
  for (std::size_t e = 0; e < experts; ++e) matched.push_back(cosines[e * experts + places.assigned[e]]);
  return matched;
}

LayerMoves layer_moves(std::int64_t layer, const ExpertEvidence& evidence, const ExpertPlaces& by_router,
                       const ExpertPlaces& by_weights) {
  const std::size_t experts = by_router.places.size();
  Cosines router(evidence.router_cosine, experts), weights(evidence.weight_cosine, experts);
  LayerMoves moves{layer};
  for (std::size_t e = 0; e < experts; ++e) {
    const bool router_leads = has_moved(e, by_router.places[e]);
    const std::int32_t place = router_leads ? by_router.places[e] : by_weights.places[e];
    if (!has_moved(e, place)) continue;
    ++moves.moved;
    router.take(e, place);
    weights.take(e, place);
    const Cosines& other = router_leads ? weights : router;
    const std::int32_t elsewhere = router_leads ? by_weights.places[e] : by_router.places[e];
    if (other.at(e, elsewhere) > other.at(e, place) + clear_difference) ++moves.disagreeing;
  }
  moves.router_cosine = router.mean_of_taken();
  moves.weight_cosine = weights.mean_of_taken();
  return moves;
}

std::string describe_moves(std::span<const LayerMoves> layers, std::size_t experts, const std::string& from,
                           const std::string& to) {
  std::string list;
  std::size_t named = 0, moving = 0;
  for (const LayerMoves& layer : layers) {
    if (layer.moved == 0 || ++moving > most_named_layers) continue;
    list += (named++ > 0 ? ", " : "") + name_layer(layer, experts);
  }
  if (moving == 0) return {};
  if (moving > named) list += " and " + std::to_string(moving - named) + " more layers";
  return "experts changed places between " + from + " and " + to + ": " + list +
         describe_disagreement(layers) +
         "; whatever compares expert with expert across this step (router saturation and agreement, drift "
         "and load of single experts) compares different experts; /weights/expert_match tells which one is "
         "where";
}

}  // namespace moescope
