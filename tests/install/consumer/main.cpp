/// A program of somebody else's that uses the installed libraries: prints how evenly the rows of each router
/// are sized, and how a made-up load would be judged.

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "metrics/expert_load.h"
#include "readers/checkpoint.h"
#include "readers/errors.h"
#include "readers/tensor_roles.h"

namespace {

using moescope::Checkpoint;
using moescope::Weight;

// BF16 is the upper half of a float.
float element(const std::vector<std::byte>& bytes, std::size_t index) {
  std::uint16_t half = 0;
  std::memcpy(&half, bytes.data() + 2 * index, 2);
  const std::uint32_t bits = std::uint32_t{half} << 16;
  float value = 0;
  std::memcpy(&value, &bits, 4);
  return value;
}

double mean_row_norm(const Checkpoint& checkpoint, const Weight& router) {
  std::vector<std::byte> bytes(router.bytes());
  checkpoint.shards()[router.shard].read(router.offset, bytes);
  double sum = 0;
  for (std::size_t row = 0; row < router.rows; ++row) {
    double square = 0;
    for (std::size_t col = 0; col < router.cols; ++col)
      square += std::pow(element(bytes, row * router.cols + col), 2);
    sum += std::sqrt(square);
  }
  return sum / static_cast<double>(router.rows);
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 2) return 2;
  const Checkpoint checkpoint = Checkpoint::open(argv[1]);
  const moescope::ModelWeights weights(checkpoint);
  for (std::int64_t layer : checkpoint.config().moe_layers()) {
    const Weight& router = weights.at({moescope::Role::router, layer});
    const double norm = mean_row_norm(checkpoint, router);
    std::printf("layer %lld: mean norm of a router row %.4f\n", static_cast<long long>(layer), norm);
    if (!(norm > 0)) return 1;
  }
  const std::vector<std::int64_t> counts = {2, 1, 1, 0};
  return moescope::max_violation(counts) == 1.0 ? 0 : 1;  // max 2, mean 1
} catch (const moescope::InputError& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 3;
}
