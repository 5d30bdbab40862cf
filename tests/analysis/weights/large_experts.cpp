#include "tests/analysis/weights/large_experts.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "readers/files/source_file.h"
#include "tests/support/family_checkpoint.h"
#include "tests/support/source_path.h"

namespace moescope {
namespace {

nlohmann::ordered_json large_experts() {
  auto config =
      nlohmann::ordered_json::parse(read_whole_file(source_path("data/families/gpt_oss/config.json")));
  config["hidden_size"] = 288;
  config["intermediate_size"] = 320;
  config["num_local_experts"] = config["num_experts_per_tok"] = 2;
  return config;
}

std::vector<float> transposed_values(const std::vector<float>& values, std::size_t rows) {
  const std::size_t columns = values.size() / rows;
  std::vector<float> result(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) result[i % columns * rows + i / columns] = values[i];
  return result;
}

}  // namespace

std::span<const Family> upright_families() {
  static const std::vector<Family> families = [] {
    std::vector<Family> all(known_families().begin(), known_families().end());
    for (Family& family : all) {
      for (FusedRule& fused : family.fused) fused.transposed = false;
    }
    return all;
  }();
  return families;
}

void write_large_experts(const std::filesystem::path& directory, std::uint64_t seed, DType dtype,
                         bool transposed) {
  BuiltCheckpoint built = build_family_checkpoint(large_experts(), known_families(), seed);
  std::vector<BuiltTensor> stored;
  for (const BuiltTensor& tensor : built.tensors) {
    std::vector<float> values(tensor.data.size() / sizeof(float));
    std::memcpy(values.data(), tensor.data.data(), tensor.data.size());
    std::vector<std::uint64_t> shape = tensor.shape;
    const bool turned = transposed && shape.size() == 2 && tensor.name.find(".experts.") != std::string::npos;
    if (turned) {
      values = transposed_values(values, shape[0]);
      std::swap(shape[0], shape[1]);
    }
    const std::string data = encode_elements(values, dtype);
    const auto first = tensor.name.find(".experts.0."), second = tensor.name.find(".experts.1.");
    if (second != std::string::npos) {  // comes after its neighbour
      const std::string fused = tensor.name.substr(0, second + 8) + tensor.name.substr(second + 10);
      std::ranges::find(stored, fused, &BuiltTensor::name)->data += data;
      continue;
    }
    if (first != std::string::npos) shape.insert(shape.begin(), 2);
    const std::string name = first == std::string::npos
                                 ? tensor.name
                                 : tensor.name.substr(0, first + 8) + tensor.name.substr(first + 10);
    stored.push_back({name, dtype, shape, data});
  }
  built.tensors = std::move(stored);
  built.write(directory);
}

}  // namespace moescope
