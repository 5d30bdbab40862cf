#include "analysis/expert_identity.h"

#include <cassert>
#include <cmath>
#include <limits>

namespace moescope {
namespace {

constexpr std::size_t most_named_layers = 6;

}  // namespace

std::vector<double> expert_similarity(const ExpertEvidence& evidence, std::size_t experts) {
  std::vector<double> similarity(experts * experts, std::numeric_limits<double>::quiet_NaN());
  for (std::size_t i = 0; i < similarity.size(); ++i) {
    double sum = 0;
    int known = 0;
    for (const std::span<const double> cosine : {evidence.router_cosine, evidence.weight_cosine}) {
      assert(cosine.empty() || cosine.size() == similarity.size());
      if (cosine.empty() || !std::isfinite(cosine[i])) continue;
      sum += cosine[i];
      ++known;
    }
    if (known > 0) similarity[i] = sum / known;
  }
  return similarity;
}

ExpertPlaces find_places(const ExpertEvidence& evidence, std::size_t experts) {
  const ExpertMatching matching = find_permutation(expert_similarity(evidence, experts), experts);
  std::vector<std::size_t> moved = matching.moved;
  std::vector<bool> has_moved(experts);
  for (const std::size_t e : moved) has_moved[e] = true;
  for (std::size_t i = 0; i < moved.size(); ++i) {  // grows on the way
    const std::size_t driven_out = matching.match[moved[i]];
    if (has_moved[driven_out]) continue;
    has_moved[driven_out] = true;
    moved.push_back(driven_out);
  }
  ExpertPlaces result{matching.match, {}, moved.size()};
  for (std::size_t e = 0; e < experts; ++e) {
    const bool known = has_moved[e] || matching.match[e] == e;
    result.places.push_back(known ? static_cast<std::int32_t>(matching.match[e]) : -1);
  }
  return result;
}

std::string describe_moves(std::span<const LayerMoves> layers, std::size_t experts, const std::string& from,
                           const std::string& to) {
  std::string list;
  std::size_t named = 0, moving = 0;
  for (const LayerMoves& layer : layers) {
    if (layer.moved == 0) continue;
    if (++moving > most_named_layers) continue;
    list += (named++ > 0 ? ", layer " : "layer ") + std::to_string(layer.layer) + " (" +
            std::to_string(layer.moved) + " of " + std::to_string(experts) + ")";
  }
  if (moving == 0) return {};
  if (moving > named) list += " and " + std::to_string(moving - named) + " more layers";
  return "experts changed places between " + from + " and " + to + ": " + list +
         "; whatever compares expert with expert across this step (router saturation and agreement, drift "
         "and load "
         "of single experts) compares different experts; /weights/expert_match tells which one is where";
}

}  // namespace moescope
