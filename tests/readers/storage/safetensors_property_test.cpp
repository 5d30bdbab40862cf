#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "readers/errors.h"
#include "readers/files/source_file.h"
#include "readers/storage/safetensors.h"
#include "tests/support/checkpoint_builder.h"
#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

using Random = std::mt19937_64;

std::string random_name(Random& random, std::size_t number) {
  static const std::vector<std::string> pieces = {"a", ".", "层", "\"", "\\", "\n", " ", "weight", "/", "é"};
  std::string name = std::to_string(number);  // makes it unique
  for (std::uint64_t i = random() % 6; i > 0; --i) name += pieces[random() % pieces.size()];
  return name;
}

BuiltTensor random_tensor(Random& random, std::size_t number) {
  static const DType dtypes[] = {DType::u8, DType::bf16, DType::f32, DType::i64, DType::f8_e4m3};
  BuiltTensor tensor{random_name(random, number), dtypes[random() % std::size(dtypes)], {}, {}};
  std::uint64_t bytes = dtype_bytes(tensor.dtype, 1);
  for (std::uint64_t i = random() % 4; i > 0; --i) {
    tensor.shape.push_back(random() % 5);
    bytes *= tensor.shape.back();
  }
  tensor.data.assign(bytes, '\0');
  return tensor;
}

TEST(SafetensorsProperty, RandomHeadersComeBackAsTheyWere) {
  Random random(20250606);
  for (int repetition = 0; repetition < 500; ++repetition) {
    std::vector<BuiltTensor> tensors(random() % 12);
    for (std::size_t i = 0; i < tensors.size(); ++i) tensors[i] = random_tensor(random, i);
    const std::string bytes = safetensors_bytes(tensors);
    const std::uint64_t length =
        static_cast<unsigned char>(bytes[0]) + 256u * static_cast<unsigned char>(bytes[1]);
    const SafetensorsHeader header =
        parse_safetensors_header(bytes.substr(8, length), bytes.size() - 8 - length, "random");
    ASSERT_EQ(header.tensors.size(), tensors.size());
    for (const BuiltTensor& expected : tensors) {
      const auto found = std::find_if(header.tensors.begin(), header.tensors.end(),
                                      [&](const TensorInfo& info) { return info.name == expected.name; });
      ASSERT_NE(found, header.tensors.end()) << expected.name;
      EXPECT_EQ(found->dtype, expected.dtype);
      EXPECT_EQ(found->shape, expected.shape);
      EXPECT_EQ(found->bytes, expected.data.size());
    }
  }
}

/// What any accepted header promises.
void expect_guarantees(const SafetensorsHeader& header, std::uint64_t file_bytes) {
  std::uint64_t end = header.header_bytes;
  for (const TensorInfo& info : header.tensors) {
    EXPECT_EQ(info.offset, end);
    const std::uint64_t count =
        std::accumulate(info.shape.begin(), info.shape.end(), std::uint64_t{1}, std::multiplies<>());
    EXPECT_EQ(dtype_bytes(info.dtype, count), info.bytes);
    end = info.offset + info.bytes;
  }
  EXPECT_EQ(end, file_bytes);
}

std::vector<BuiltTensor> smallest_model() {
  CheckpointOptions options;
  options.num_hidden_layers = 1;
  options.n_routed_experts = options.num_experts_per_tok = 2;
  options.first_k_dense_replace = 0;
  return build_checkpoint(options).tensors;
}

TEST(SafetensorsProperty, DamagedHeadersParseOrAreRefused) {
  Random random(11);
  const std::string bytes = safetensors_bytes(smallest_model());
  const std::uint64_t length =
      static_cast<unsigned char>(bytes[0]) + 256u * static_cast<unsigned char>(bytes[1]);
  const std::string header = bytes.substr(8, length);
  std::size_t refused = 0, accepted = 0;
  for (int repetition = 0; repetition < 20000; ++repetition) {
    std::string damaged = header;
    for (std::uint64_t flips = 1 + random() % 3; flips > 0; --flips) {
      damaged[random() % damaged.size()] = static_cast<char>(random());
    }
    try {
      expect_guarantees(parse_safetensors_header(damaged, bytes.size() - 8 - length, "damaged"),
                        bytes.size());
      ++accepted;  // the damage hit a name, an unknown key or white space
    } catch (const FormatError&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 10000u);
  EXPECT_GT(accepted, 100u);
}

// Anywhere in the file: the length, the header, the data; bytes changed, cut off or added.
TEST(SafetensorsProperty, DamagedFilesOpenOrAreRefused) {
  Random random(12);
  TemporaryDirectory directory;
  const std::string bytes = safetensors_bytes(smallest_model());
  std::size_t refused = 0;
  for (int repetition = 0; repetition < 500; ++repetition) {
    std::string damaged = bytes;
    damaged[random() % (repetition % 2 == 0 ? 8 : damaged.size())] = static_cast<char>(random());
    if (repetition % 5 == 0) damaged.resize(random() % (damaged.size() + 64));
    write_file(directory / "s.safetensors", damaged);
    try {
      expect_guarantees(read_safetensors_header(SourceFile(directory / "s.safetensors")), damaged.size());
    } catch (const FormatError&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 200u);
}

}  // namespace
}  // namespace moescope
