#include "analysis/recorded_products.h"

#include <map>

#include "readers/errors.h"
#include "readers/recorded_config.h"
#include "readers/weight_table.h"

namespace moescope {

RecordedProducts read_products(const RunFile& run, std::uint64_t first, std::uint64_t count) {
  const std::uint64_t checkpoints = run.shape("/checkpoint")[0], steps = checkpoints - 1;
  RecordedProducts products = {first, count, checkpoints * checkpoints, steps * steps, {}, {}};
  products.inner =
      run.read<double>("/weights/inner_product", {{first, 0, 0}, {count, checkpoints, checkpoints}});
  if (steps > 0)
    products.delta_inner =
        run.read<double>("/weights/delta_inner_product", {{first, 0, 0}, {count, steps, steps}});
  return products;
}

std::vector<WeightKey> recorded_keys(const RunFile& run) {
  const std::map<std::string, WeightKey> known = weight_keys(recorded_config(run));
  std::vector<WeightKey> keys;
  for (const std::string& name : run.read<std::string>("/tensor")) {
    const auto found = known.find(name);
    if (found == known.end()) {
      throw FormatError(run.path().string(), "tensor '" + name + "'",
                        "is not part of the model in /checkpoint_info");
    }
    keys.push_back(found->second);
  }
  return keys;
}

}  // namespace moescope
