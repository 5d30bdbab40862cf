#include "analysis/record/recorded_sketches.h"

#include "metrics/weights/weight_sketch.h"
#include "readers/schema/datasets.h"

namespace moescope {

std::span<const float> RecordedSketches::of(std::uint64_t checkpoint, std::uint64_t tensor) const {
  return std::span(values).subspan((checkpoint * count + tensor - first) * sketch_size, sketch_size);
}

std::vector<std::span<const float>> RecordedSketches::of(std::uint64_t tensor) const {
  std::vector<std::span<const float>> versions;
  for (std::uint64_t c = 0; c < checkpoints; ++c) versions.push_back(of(c, tensor));
  return versions;
}

RecordedSketches read_sketches(const RunFile& run, std::uint64_t first, std::uint64_t count) {
  const std::uint64_t checkpoints = run.shape(dataset::checkpoint)[0];
  return {first, count, checkpoints,
          run.read(dataset::weights_sketch, {{0, first, 0}, {checkpoints, count, sketch_size}})};
}

SketchReader sketches_of(const RunFile& run) {
  if (!run.contains(dataset::weights_sketch)) return {};
  return [&run](std::uint64_t checkpoint, std::uint64_t first, std::uint64_t count) {
    return run.read(dataset::weights_sketch, {{checkpoint, first, 0}, {1, count, sketch_size}});
  };
}

}  // namespace moescope
