// Checkpoints in GGUF: what of them differs from safetensors. That of a whole model is
// tests/python/gguf_test.py.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "readers/checkpoint/checkpoint.h"
#include "readers/checkpoint/model_weights.h"
#include "readers/checkpoint/series.h"
#include "readers/checkpoint/weight_files.h"
#include "readers/errors.h"
#include "tests/support/gguf_builder.h"
#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string gguf_checkpoint_refusal(const fs::path& path) {
  try {
    ModelWeights(Checkpoint::open(path));
  } catch (const InputError& error) {
    return error.what();
  }
  return {};
}

std::string weight_bytes(const Checkpoint& checkpoint, const Weight& weight) {
  std::string bytes(weight.bytes(), '\0');
  checkpoint.shards()[weight.shard].read(weight.offset, std::as_writable_bytes(std::span(bytes)));
  return bytes;
}

TEST(GgufCheckpoint, HoldsTheWeightsOfTheModel) {
  TemporaryDirectory directory;
  const BuiltCheckpoint built = build_checkpoint({});
  built.write(directory / "stored");
  write_file(directory / "model.gguf", gguf_of(built).bytes());
  const Checkpoint stored = Checkpoint::open(directory / "stored"),
                   found = Checkpoint::open(directory / "model.gguf");
  const ModelWeights expected(stored), weights(found);
  EXPECT_THAT(config_differences(stored.config(), found.config()), IsEmpty());
  EXPECT_THAT(weights.notes(), IsEmpty());
  EXPECT_THAT(found.notes(), IsEmpty());
  ASSERT_FALSE(first_difference(expected.all(), weights.all()));
  for (std::size_t i = 0; i < weights.all().size(); ++i) {
    EXPECT_EQ(weights.all()[i].dtype, expected.all()[i].dtype);
    EXPECT_EQ(weight_bytes(found, weights.all()[i]), weight_bytes(stored, expected.all()[i]))
        << weights.all()[i].name;
  }
}

TEST(GgufCheckpoint, IsADirectoryOrAFile) {
  TemporaryDirectory directory;
  const BuiltCheckpoint built = build_checkpoint({});
  write_file(directory / "one/dots-Q8_0.gguf", gguf_of(built).bytes());
  write_file(directory / "one/mmproj-dots.gguf", "");
  const Checkpoint by_directory = Checkpoint::open(directory / "one"),
                   by_file = Checkpoint::open(directory / "one/dots-Q8_0.gguf");
  EXPECT_EQ(by_directory.fingerprint(), by_file.fingerprint());
  EXPECT_EQ(by_file.path(), directory / "one/dots-Q8_0.gguf");
  EXPECT_EQ(by_file.directory(), directory / "one");
  EXPECT_THAT(by_directory.notes(), ElementsAre("mmproj-dots.gguf: weights that are not read"));
  EXPECT_THAT(by_file.notes(), IsEmpty());
  EXPECT_EQ(find_series({directory / "one"}).entries.at(0).name, "one");
  EXPECT_EQ(find_series({directory / "one/dots-Q8_0.gguf"}).entries.at(0).name, "dots-Q8_0");
  EXPECT_EQ(find_series({directory.path()}).entries.at(0).name, "one");
}

TEST(GgufCheckpoint, AConfigurationBesideItIsNotAsked) {
  TemporaryDirectory directory;
  BuiltCheckpoint built = build_checkpoint({});
  write_file(directory / "model.gguf", gguf_of(built).bytes());
  write_file(directory / "config.json", "{}");
  EXPECT_EQ(gguf_checkpoint_refusal(directory.path()), "");
}

TEST(GgufCheckpoint, OfSeveralModelsNoneIsTaken) {
  TemporaryDirectory directory;
  const std::string bytes = gguf_of(build_checkpoint({})).bytes();
  write_file(directory / "dots-F16.gguf", bytes);
  write_file(directory / "dots-Q8_0.gguf", bytes);
  EXPECT_THAT(gguf_checkpoint_refusal(directory.path()),
              HasSubstr("holds several GGUF models: dots-F16.gguf, dots-Q8_0.gguf"));
  EXPECT_EQ(gguf_checkpoint_refusal(directory / "dots-F16.gguf"), "");
}

TEST(GgufCheckpoint, PartsAreOneModel) {
  TemporaryDirectory directory;
  const BuiltGguf whole = gguf_of(build_checkpoint({}));
  BuiltGguf first = whole, second;
  first.tensors.clear();
  const auto as_part = [](BuiltGguf& part, std::uint16_t number) {
    part.metadata.push_back({"split.no", gguf_value::u16(number)});
    part.metadata.push_back({"split.count", gguf_value::u16(2)});
  };
  as_part(first, 0);
  as_part(second, 1);
  for (std::size_t i = 0; i < whole.tensors.size(); ++i) {
    std::vector<std::uint64_t> shape = whole.tensors[i].extents;
    std::ranges::reverse(shape);
    const DType dtype = whole.tensors[i].type == 0 ? DType::f32 : DType::bf16;
    (i % 2 == 0 ? first : second).add({"", dtype, shape, whole.tensors[i].data}, whole.tensors[i].name);
  }
  const fs::path one = directory / "dots-00001-of-00002.gguf", two = directory / "dots-00002-of-00002.gguf";
  write_file(one, first.bytes());
  EXPECT_THAT(gguf_checkpoint_refusal(one), HasSubstr("shard 'dots-00002-of-00002.gguf': is missing"));
  write_file(two, second.bytes());
  for (const fs::path& place : {one, two, directory.path()})
    EXPECT_EQ(gguf_checkpoint_refusal(place), "") << place;
  EXPECT_EQ(find_series({two}).entries.at(0).name, "dots");
  write_file(two, first.bytes());
  EXPECT_THAT(gguf_checkpoint_refusal(one), HasSubstr("is also stored in"));
  second.metadata.front() = {"split.no", gguf_value::u16(2)};
  write_file(two, second.bytes());
  EXPECT_THAT(gguf_checkpoint_refusal(one),
              HasSubstr("tells that it is part 3 of 2 of a model (expected part 2 of 2, by its name)"));
  fs::rename(one, directory / "renamed.gguf");
  EXPECT_THAT(gguf_checkpoint_refusal(directory / "renamed.gguf"),
              HasSubstr("tells that it is part 1 of 2 of a model"));
}

TEST(GgufCheckpoint, WithoutAHeadTheEmbeddingIsTied) {
  TemporaryDirectory directory;
  BuiltGguf built = gguf_of(build_checkpoint({}));
  std::erase_if(built.tensors, [](const BuiltGgufTensor& tensor) { return tensor.name == "output.weight"; });
  write_file(directory / "tied.gguf", built.bytes());
  const Checkpoint checkpoint = Checkpoint::open(directory / "tied.gguf");
  EXPECT_TRUE(checkpoint.config().tie_word_embeddings);
  EXPECT_EQ(ModelWeights(checkpoint).find({Role::head}), nullptr);
}

TEST(GgufCheckpoint, TensorsWithoutARoleAreNoted) {
  TemporaryDirectory directory;
  BuiltGguf built = gguf_of(build_checkpoint({}));
  built.add({"", DType::f32, {4}, std::string(16, '\0')}, "extra.weight");
  built.add({"", DType::f32, {4}, std::string(16, '\0')}, "blk.77.nextn.enorm.weight");
  write_file(directory / "model.gguf", built.bytes());
  const std::vector<std::string> notes = ModelWeights(Checkpoint::open(directory / "model.gguf")).notes();
  ASSERT_EQ(notes.size(), 2u);
  EXPECT_EQ(notes[0], "model.gguf: tensor 'extra.weight': has no role in this model and is skipped");
  EXPECT_THAT(notes[1], HasSubstr("1 tensors of layers from"));
}

TEST(GgufCheckpoint, EveryChangeOfABitChangesTheFingerprint) {
  TemporaryDirectory directory;
  const fs::path file = directory / "model.gguf";
  write_file(file, gguf_of(build_checkpoint({})).bytes());
  const Checkpoint before = Checkpoint::open(file);
  for (const std::uint64_t place : {before.find("output_norm.weight")->info.offset,
                                    before.find("blk.1.ffn_up_exps.weight")->info.offset}) {
    edit_bytes(file, [&](std::string& bytes) { bytes[place] ^= 1; });
    EXPECT_NE(Checkpoint::open(file).fingerprint(), before.fingerprint());
    edit_bytes(file, [&](std::string& bytes) { bytes[place] ^= 1; });
  }
  EXPECT_EQ(Checkpoint::open(file).fingerprint(), before.fingerprint());
}

}  // namespace
}  // namespace moescope
