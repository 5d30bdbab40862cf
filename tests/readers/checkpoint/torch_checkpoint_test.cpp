// Checkpoints of PyTorch's .bin files: what of them differs from safetensors.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "readers/checkpoint/checkpoint.h"
#include "readers/checkpoint/model_weights.h"
#include "readers/checkpoint/series.h"
#include "readers/errors.h"
#include "tests/support/checkpoint_builder.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/torch_bin_builder.h"

namespace moescope {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* torch_index = "pytorch_model.bin.index.json";
constexpr const char* torch_first = "pytorch_model-00001-of-00002.bin";
constexpr const char* torch_second = "pytorch_model-00002-of-00002.bin";

BuiltCheckpoint write_torch_checkpoint(const fs::path& directory, std::size_t shards = 1) {
  CheckpointOptions options;
  options.shards = shards;
  BuiltCheckpoint built = build_checkpoint(options);
  built.write(directory);
  write_as_torch_bin(directory, built);
  return built;
}

std::string torch_refusal(const fs::path& directory) {
  try {
    ModelWeights(Checkpoint::open(directory));
  } catch (const FormatError& error) {
    return error.what();
  }
  return {};
}

std::string bytes_of(const Checkpoint& checkpoint, const std::string& name) {
  const StoredTensor& stored = *checkpoint.find(name);
  std::string bytes(stored.info.bytes, '\0');
  checkpoint.shards()[stored.shard].read(stored.info.offset, std::as_writable_bytes(std::span(bytes)));
  return bytes;
}

TEST(TorchCheckpoint, HoldsWhatWasSaved) {
  for (const std::size_t shards : {1u, 2u}) {
    TemporaryDirectory directory;
    const BuiltCheckpoint built = write_torch_checkpoint(directory.path(), shards);
    const Checkpoint checkpoint = Checkpoint::open(directory.path());
    EXPECT_EQ(checkpoint.shards().size(), shards);
    EXPECT_THAT(checkpoint.notes(), IsEmpty());
    ASSERT_EQ(checkpoint.tensors().size(), built.tensors.size());
    std::uint64_t all = 0;
    for (const BuiltTensor& tensor : built.tensors) {
      EXPECT_EQ(checkpoint.find(tensor.name)->info.shape, tensor.shape);
      EXPECT_EQ(bytes_of(checkpoint, tensor.name), tensor.data);
      all += tensor.data.size();
    }
    EXPECT_EQ(checkpoint.bytes(), all);
    EXPECT_NO_THROW(ModelWeights{checkpoint});
  }
}

TEST(TorchCheckpoint, IsReadWhereThereAreNoSafetensors) {
  TemporaryDirectory directory;
  const BuiltCheckpoint built = write_torch_checkpoint(directory.path(), 2);
  built.write(directory.path());
  const Checkpoint checkpoint = Checkpoint::open(directory.path());
  EXPECT_THAT(checkpoint.shards().front().name(), HasSubstr("model-00001-of-00002.safetensors"));
  EXPECT_THAT(checkpoint.notes(),
              ElementsAre("pytorch_model-00001-of-00002.bin, pytorch_model-00002-of-00002.bin: not "
                          "read, for the model is there as safetensors, too"));
  fs::remove(directory / "model-00002-of-00002.safetensors");
  EXPECT_THAT(torch_refusal(directory.path()),
              HasSubstr("shard 'model-00002-of-00002.safetensors': is missing"));
}

TEST(TorchCheckpoint, ItsIndexDecides) {
  TemporaryDirectory directory;
  const BuiltCheckpoint built = write_torch_checkpoint(directory.path(), 2);
  write_file(directory / "pytorch_model.bin", "not read");
  EXPECT_THAT(Checkpoint::open(directory.path()).notes(),
              ElementsAre("pytorch_model.bin: not read, for pytorch_model.bin.index.json does not name it"));
  fs::remove(directory / torch_second);
  EXPECT_THAT(torch_refusal(directory.path()), HasSubstr("is of another sharding than the files"));
  fs::remove(directory / "pytorch_model.bin");
  EXPECT_THAT(torch_refusal(directory.path()), HasSubstr("/pytorch_model.bin.index.json: shard '" +
                                                         std::string(torch_second) + "': is missing"));
}

TEST(TorchCheckpoint, WithoutAnIndexAllNumberedShardsAreRead) {
  TemporaryDirectory directory;
  write_torch_checkpoint(directory.path(), 2);
  fs::remove(directory / torch_index);
  EXPECT_EQ(Checkpoint::open(directory.path()).shards().size(), 2u);
  write_file(directory / "pytorch_model-00001-of-00003.bin", "");
  EXPECT_THAT(torch_refusal(directory.path()), HasSubstr("holds two sets of weights"));
  fs::remove(directory / "pytorch_model-00001-of-00003.bin");
  fs::remove(directory / torch_first);
  EXPECT_THAT(torch_refusal(directory.path()),
              HasSubstr("shard '" + std::string(torch_first) + "': is missing"));
}

TEST(TorchCheckpoint, OtherFilesThatAreCalledSoAreNoShards) {
  TemporaryDirectory directory;
  write_torch_checkpoint(directory.path());
  for (const char* name :
       {"training_args.bin", "optimizer.bin", "adapter_model.bin", "model.bin", "pytorch_model_fsdp.bin"})
    write_file(directory / name, "");
  EXPECT_THAT(Checkpoint::open(directory.path()).notes(),
              ElementsAre("adapter_model.bin, model.bin, pytorch_model_fsdp.bin: weights that are not read"));
}

TEST(TorchCheckpoint, EveryChangeOfABitChangesTheFingerprint) {
  TemporaryDirectory directory;
  write_torch_checkpoint(directory.path());
  const Checkpoint before = Checkpoint::open(directory.path());
  for (const char* name : {"model.norm.weight", "lm_head.weight"}) {
    const std::uint64_t place = before.find(name)->info.offset;
    edit_bytes(directory / "pytorch_model.bin", [&](std::string& bytes) { bytes[place] ^= 1; });
    EXPECT_NE(Checkpoint::open(directory.path()).fingerprint(), before.fingerprint()) << name;
    edit_bytes(directory / "pytorch_model.bin", [&](std::string& bytes) { bytes[place] ^= 1; });
  }
  EXPECT_EQ(Checkpoint::open(directory.path()).fingerprint(), before.fingerprint());
}

// As a tied model is saved: one storage, under both names.
TEST(TorchCheckpoint, TiedWeightsShareTheirStorage) {
  CheckpointOptions options;
  TemporaryDirectory directory;
  BuiltCheckpoint built = build_checkpoint(options);
  built.config["tie_word_embeddings"] = true;
  const BuiltTensor embedding = built.tensor("model.embed_tokens.weight");
  built.drop("lm_head.weight");
  built.write(directory.path());
  write_as_torch_bin(directory.path(), built);
  const std::uint64_t bytes = Checkpoint::open(directory.path()).bytes();

  std::vector<pickled::Entry> entries;
  std::vector<std::string> storages;
  for (const BuiltTensor& tensor : built.tensors) {
    const std::string key = std::to_string(storages.size());
    const auto elements = static_cast<std::int64_t>(dtype_elements(tensor.dtype, tensor.data.size()));
    const std::string kept =
        pickled::storage(tensor.dtype == DType::f32 ? "FloatStorage" : "BFloat16Storage", key, elements);
    const std::vector<std::int64_t> shape(tensor.shape.begin(), tensor.shape.end());
    const std::vector<std::int64_t> strides =
        shape.size() == 1 ? std::vector<std::int64_t>{1} : std::vector{shape[1], std::int64_t{1}};
    entries.push_back({tensor.name, pickled::tensor(kept, 0, shape, strides)});
    if (tensor.name == embedding.name)
      entries.push_back({"lm_head.weight", pickled::tensor(kept, 0, shape, strides)});
    storages.push_back(tensor.data);
  }
  write_file(directory / "pytorch_model.bin",
             torch_bin_bytes(pickled::whole(pickled::dictionary(entries)), storages));
  const Checkpoint checkpoint = Checkpoint::open(directory.path());
  EXPECT_EQ(checkpoint.tensors().size(), built.tensors.size() + 1);
  EXPECT_EQ(checkpoint.bytes(), bytes);  // counted once
  EXPECT_TRUE(checkpoint.config().tie_word_embeddings);
  EXPECT_EQ(bytes_of(checkpoint, "lm_head.weight"), embedding.data);
}

TEST(TorchCheckpoint, AMissingTensorIsNamedWithItsDirectory) {
  TemporaryDirectory directory;
  BuiltCheckpoint built = build_checkpoint({});
  built.tensor("model.norm.weight").name = "module.model.norm.weight";
  built.write(directory.path());
  write_as_torch_bin(directory.path(), built);
  EXPECT_THAT(
      torch_refusal(directory.path()),
      HasSubstr(
          "tensor 'model.norm.weight': is missing (expected shape [16]); it is stored as 'module.model.norm"));
}

TEST(TorchCheckpoint, FilesThatLieAloneAreNamed) {
  TemporaryDirectory directory;
  write_torch_checkpoint(directory / "half");
  fs::remove(directory / "half/config.json");
  EXPECT_THAT(torch_refusal(directory / "half"),
              HasSubstr("is not a checkpoint: it has weights, but no config.json"));
  try {
    find_series({directory / "half/pytorch_model.bin"});
    FAIL();
  } catch (const FormatError& error) {
    EXPECT_THAT(error.what(), HasSubstr("it is a ZIP archive, as torch.save writes one"));
    EXPECT_EQ(error.hint(), "give the directory in which it lies, with its config.json");
  }
}

}  // namespace
}  // namespace moescope
