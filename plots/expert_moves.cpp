#include "plots/expert_moves.h"

#include "plots/run_values.h"

namespace moescope {

std::vector<std::string> expert_moves(const RunFile& run) {
  constexpr const char* path = "/weights/expert_match";
  std::vector<std::string> sentences;
  if (!run.contains(path) || !run.contains("/moe_layer")) return sentences;
  const RunLabels labels = read_labels(run);
  const Values match = read_values(run, path);  // (C-1, L, E)
  for (std::size_t step = 0; step < match.shape[0]; ++step) {
    std::size_t experts = 0, layers = 0;
    for (std::size_t layer = 0; layer < match.shape[1]; ++layer) {
      const std::size_t before = experts;
      for (std::size_t e = 0; e < match.shape[2]; ++e) {
        const double place = match.at(step, layer, e);
        if (place >= 0 && place != static_cast<double>(e)) ++experts;
      }
      layers += experts > before ? 1 : 0;
    }
    if (experts == 0) continue;
    sentences.push_back(
        "Experts changed places between " + labels.checkpoints[step] + " and " +
        labels.checkpoints[step + 1] + ": " + std::to_string(experts) + " in " + std::to_string(layers) +
        (layers == 1 ? " layer" : " layers") +
        ". What compares expert with expert across this step (saturation, agreement, drift of "
        "single experts) compares different experts.");
  }
  return sentences;
}

}  // namespace moescope
