#include "analysis/recorded_choices.h"

#include <algorithm>
#include <string>

#include "readers/errors.h"

namespace moescope {

std::vector<std::uint16_t> read_choices(const RunFile& run, std::size_t checkpoint, std::size_t layer) {
  constexpr const char* path = "/routing/topk_index";
  const std::vector<std::uint64_t> shape = run.shape(path);  // (C, L, T, K)
  const std::uint64_t experts = run.shape("/routing/expert_count")[3];
  std::vector<std::uint16_t> choices =
      run.read<std::uint16_t>(path, {{checkpoint, layer, 0, 0}, {1, 1, shape[2], shape[3]}});
  const auto stray = std::ranges::find_if(choices, [&](std::uint16_t expert) { return expert >= experts; });
  if (stray == choices.end()) return choices;
  const auto token = static_cast<std::uint64_t>(stray - choices.begin()) / shape[3];
  throw FormatError(run.path().string(), path,
                    "names an expert that is not there (expected one of " + std::to_string(experts) +
                        ", found " + std::to_string(*stray) + " for token " + std::to_string(token) + ")");
}

}  // namespace moescope
