#include "readers/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <string>
#include <system_error>

#include "readers/errors.h"
#include "tests/support/checkpoint_builder.h"
#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* index_file = "model.safetensors.index.json";
constexpr const char* first_shard = "model-00001-of-00002.safetensors";
constexpr const char* second_shard = "model-00002-of-00002.safetensors";

CheckpointOptions two_shards() {
  CheckpointOptions options;
  options.shards = 2;
  return options;
}

std::string refusal(const fs::path& directory) {
  try {
    Checkpoint::open(directory);
  } catch (const FormatError& error) {
    return error.what();
  }
  return {};
}

std::string system_failure(const fs::path& directory) {
  try {
    Checkpoint::open(directory);
  } catch (const std::system_error& error) {
    return error.what();
  }
  return {};
}

/// The refusal of a two-shard checkpoint after `damage`.
std::string refusal_after(const std::function<void(const fs::path&)>& damage) {
  TemporaryDirectory directory;
  write_checkpoint(directory.path(), two_shards());
  damage(directory.path());
  return refusal(directory.path());
}

std::string refusal_with_shard_name(const std::string& name) {
  return refusal_after([&](const fs::path& directory) {
    edit_json(directory / index_file, [&](auto& index) { index["weight_map"]["lm_head.weight"] = name; });
  });
}

TEST(Checkpoint, OpensASingleFile) {
  TemporaryDirectory directory;
  const BuiltCheckpoint built = build_checkpoint();
  built.write(directory.path());
  const Checkpoint checkpoint = Checkpoint::open(directory.path());
  EXPECT_EQ(checkpoint.shards().size(), 1u);
  EXPECT_EQ(checkpoint.tensors().size(), built.tensors.size());
  EXPECT_EQ(checkpoint.config().hidden_size, 16);
  EXPECT_EQ(checkpoint.directory(), directory.path());
  EXPECT_THAT(checkpoint.notes(), IsEmpty());
  EXPECT_EQ(checkpoint.find("absent"), nullptr);
  EXPECT_EQ(checkpoint.find("lm_head.weight")->info.bytes, 2u * 40 * 16);
}

TEST(Checkpoint, OpensSeveralShardsWithAnIndex) {
  TemporaryDirectory directory;
  write_checkpoint(directory.path(), two_shards());
  const Checkpoint checkpoint = Checkpoint::open(directory.path());
  EXPECT_EQ(checkpoint.shards().size(), 2u);
  EXPECT_EQ(checkpoint.find("model.embed_tokens.weight")->shard, 0u);
  EXPECT_EQ(checkpoint.find("lm_head.weight")->shard, 1u);
  EXPECT_THAT(checkpoint.notes(), IsEmpty());
}

TEST(Checkpoint, OpensSeveralShardsWithoutAnIndex) {
  TemporaryDirectory directory;
  write_checkpoint(directory.path(), two_shards());
  fs::remove(directory / index_file);
  EXPECT_EQ(Checkpoint::open(directory.path()).tensors().size(), build_checkpoint().tensors.size());
}

TEST(Checkpoint, BytesAreThoseOfTheTensors) {
  TemporaryDirectory directory;
  const BuiltCheckpoint built = build_checkpoint(two_shards());
  built.write(directory.path());
  std::uint64_t bytes = 0;
  for (const BuiltTensor& tensor : built.tensors) bytes += tensor.data.size();
  EXPECT_EQ(Checkpoint::open(directory.path()).bytes(), bytes);
}

TEST(Checkpoint, WithAnIndexOtherShardsDoNotCount) {
  TemporaryDirectory directory;
  write_checkpoint(directory.path(), two_shards());
  write_file(directory / "consolidated.safetensors", "not read");
  EXPECT_EQ(Checkpoint::open(directory.path()).shards().size(), 2u);
}

TEST(Checkpoint, ModelSafetensorsStandsAlone) {
  TemporaryDirectory directory;
  write_checkpoint(directory.path());
  write_file(directory / "adapter.safetensors", "not read");
  EXPECT_EQ(Checkpoint::open(directory.path()).shards().size(), 1u);
}

TEST(Checkpoint, OpensACacheMadeOfSymbolicLinks) {
  TemporaryDirectory directory;
  write_checkpoint(directory / "blobs", two_shards());
  fs::create_directory(directory / "snapshot");
  for (const char* name : {"config.json", index_file, first_shard, second_shard}) {
    fs::create_symlink(fs::path("../blobs") / name, directory / "snapshot" / name);
  }
  EXPECT_EQ(Checkpoint::open(directory / "snapshot").shards().size(), 2u);
}

TEST(Checkpoint, FindsTheTokenizerWhenThereIsOne) {
  TemporaryDirectory directory;
  write_checkpoint(directory.path());
  const Checkpoint checkpoint = Checkpoint::open(directory.path());
  EXPECT_EQ(checkpoint.tokenizer_path(), fs::path());
  write_file(directory / "tokenizer.json", "{}");
  EXPECT_EQ(checkpoint.tokenizer_path(), directory / "tokenizer.json");
}

TEST(Checkpoint, WhatIsNoCheckpointIsOneClearSentence) {
  TemporaryDirectory directory;
  EXPECT_THAT(refusal(directory / "absent"), HasSubstr("/absent: does not exist"));
  EXPECT_THAT(refusal(directory.path()), HasSubstr(": config.json: is missing, so this is not a checkpoint"));
  write_file(directory / "file", "");
  EXPECT_THAT(refusal(directory / "file"), HasSubstr("/file: is not a checkpoint directory"));
  fs::create_directory_symlink("loop", directory / "loop");
  EXPECT_THAT(system_failure(directory / "loop"), HasSubstr("Too many levels of symbolic links"));
}

TEST(Checkpoint, WithoutShardsIsRefused) {
  TemporaryDirectory directory;
  write_checkpoint(directory.path());
  fs::remove(directory / "model.safetensors");
  EXPECT_THAT(refusal(directory.path()), HasSubstr("holds no *.safetensors file"));
}

TEST(Checkpoint, ADirectoryInPlaceOfAFileIsAnError) {
  for (const char* name : {"config.json", "model.safetensors"}) {
    TemporaryDirectory directory;
    write_checkpoint(directory.path());
    fs::remove(directory / name);
    fs::create_directory(directory / name);
    EXPECT_THAT(system_failure(directory.path()), HasSubstr(std::string(name) + ": is not a regular file"));
  }
}

TEST(Checkpoint, AMissingShardIsNamed) {
  EXPECT_THAT(
      refusal_after([](const fs::path& directory) { fs::remove(directory / second_shard); }),
      HasSubstr("/model.safetensors.index.json: shard 'model-00002-of-00002.safetensors': is missing"));
}

TEST(Checkpoint, AShardLinkedToNothingIsNamed) {
  EXPECT_THAT(
      refusal_after([](const fs::path& directory) {
        fs::remove(directory / second_shard);
        fs::create_symlink("../../blobs/absent", directory / second_shard);
      }),
      HasSubstr(
          "shard 'model-00002-of-00002.safetensors': is a symbolic link to a file that does not exist"));
}

TEST(Checkpoint, NamesOfFilesNeedNotBeText) {
  TemporaryDirectory directory;
  write_checkpoint(directory.path());
  fs::rename(directory / "model.safetensors", directory / "a.safetensors");
  fs::create_symlink("absent", directory / "b\xFF.safetensors");
  EXPECT_THAT(refusal(directory.path()),
              HasSubstr("shard 'b\uFFFD.safetensors': is a symbolic link to a file"));
}

TEST(Checkpoint, ATruncatedShardIsNamed) {
  EXPECT_THAT(refusal_after([](const fs::path& directory) {
                fs::resize_file(directory / second_shard, fs::file_size(directory / second_shard) - 1);
              }),
              HasSubstr("/model-00002-of-00002.safetensors: is truncated"));
}

TEST(Checkpoint, ATensorInTheIndexButNotInItsShardIsNamed) {
  EXPECT_THAT(
      refusal_after([](const fs::path& directory) {
        edit_json(directory / index_file, [](auto& index) { index["weight_map"]["extra"] = first_shard; });
      }),
      HasSubstr("tensor 'extra': is not in its shard (expected it in 'model-00001-of-00002.safetensors', "
                "found it nowhere)"));
  EXPECT_THAT(refusal_with_shard_name(first_shard),
              HasSubstr("found it in 'model-00002-of-00002.safetensors')"));
}

TEST(Checkpoint, ATensorInTwoShardsIsNamed) {
  EXPECT_THAT(
      refusal_after([](const fs::path& directory) {
        BuiltCheckpoint built = build_checkpoint(two_shards());
        built.tensors.push_back(built.tensor("model.embed_tokens.weight"));
        built.write(directory);
      }),
      HasSubstr("/model-00001-of-00002.safetensors: tensor 'model.embed_tokens.weight': is also stored in "
                "'model-00002-of-00002.safetensors'"));
}

TEST(Checkpoint, ATensorOutsideTheIndexIsANote) {
  TemporaryDirectory directory;
  write_checkpoint(directory.path(), two_shards());
  edit_json(directory / index_file, [](auto& index) { index["weight_map"].erase("lm_head.weight"); });
  const Checkpoint checkpoint = Checkpoint::open(directory.path());
  EXPECT_THAT(checkpoint.notes(),
              ElementsAre(HasSubstr("does not list 1 of the stored tensors, first 'lm_head.weight'")));
  EXPECT_NE(checkpoint.find("lm_head.weight"), nullptr);
}

TEST(Checkpoint, AWrongTotalSizeIsANote) {
  TemporaryDirectory directory;
  write_checkpoint(directory.path(), two_shards());
  edit_json(directory / index_file, [](auto& index) { index["metadata"]["total_size"] = 1; });
  EXPECT_THAT(Checkpoint::open(directory.path()).notes(),
              ElementsAre(HasSubstr("'metadata.total_size': differs")));
}

TEST(Checkpoint, TheIndexNeedsNoMetadata) {
  TemporaryDirectory directory;
  write_checkpoint(directory.path(), two_shards());
  edit_json(directory / index_file, [](auto& index) { index.erase("metadata"); });
  EXPECT_THAT(Checkpoint::open(directory.path()).notes(), IsEmpty());
}

TEST(Checkpoint, MetadataOfAnotherFormCountsAsAbsent) {
  TemporaryDirectory directory;
  write_checkpoint(directory.path(), two_shards());
  for (const char* metadata :
       {"null", "7", "[1]", R"({"total_size":"1"})", R"({"inner":{"total_size":1}})"}) {
    edit_json(directory / index_file, [&](auto& index) {
      index["metadata"] = nlohmann::ordered_json::parse(metadata);
      index["total_size"] = 1;
    });
    EXPECT_THAT(Checkpoint::open(directory.path()).notes(), IsEmpty()) << metadata;
  }
}

TEST(Checkpoint, ShardNamesStayInsideTheDirectory) {
  for (const char* name :
       {"../x.safetensors", "/etc/passwd", "a/b", "a\\b", "..", "", "x..safetensors", "a\nb"}) {
    EXPECT_THAT(refusal_with_shard_name(name), HasSubstr("is not the plain name of a file beside the index"))
        << name;
  }
  EXPECT_THAT(refusal_with_shard_name(std::string("a\0b", 3)), HasSubstr("is not the plain name of a file"));
}

TEST(Checkpoint, AnIndexOfAnotherFormIsRefused) {
  const auto with = [](const std::string& text) {
    return refusal_after([&](const fs::path& directory) { write_file(directory / index_file, text); });
  };
  EXPECT_THAT(with("[]"), HasSubstr("index.json: expected a JSON object, found an array"));
  EXPECT_THAT(with("{}"), HasSubstr("'weight_map': is missing"));
  EXPECT_THAT(with(R"({"weight_map":[]})"),
              HasSubstr("'weight_map': expected a JSON object, found an array"));
  EXPECT_THAT(with(R"({"weight_map":{}})"), HasSubstr("'weight_map': names no tensor"));
  EXPECT_THAT(with(R"({"weight_map":{"a":1}})"), HasSubstr("'weight_map': expected names of files, found 1"));
  EXPECT_THAT(with(R"({"weight_map":{"a":"x","a":"y"}})"), HasSubstr("key 'a': stands twice"));
  EXPECT_THAT(with(R"({"weight_map":{"a":"x"},"weight_map":{"b":"y"}})"),
              HasSubstr("key 'weight_map': stands twice"));
  EXPECT_THAT(with(R"({"weight_map":null})"), HasSubstr("'weight_map': is null, but a value is needed"));
  EXPECT_THAT(with(R"({"weight_map":"x"})"), HasSubstr("'weight_map': expected a JSON object, found \"x\""));
  for (const char* value : {"null", "true", "-1", "1.5", "[\"x\"]", "{\"b\":\"x\"}"}) {
    EXPECT_THAT(with(R"({"weight_map":{"a":)" + std::string(value) + "}}"),
                HasSubstr("'weight_map': expected names of files, found "))
        << value;
  }
  EXPECT_THAT(with(R"({"weight_map":{"a":"x"})"), HasSubstr("is not valid JSON"));
}

TEST(Checkpoint, FingerprintChangesWithTheCheckpointAndNotWithItsPlace) {
  const auto fingerprint = [](const std::function<void(BuiltCheckpoint&)>& change) {
    TemporaryDirectory directory;
    BuiltCheckpoint built = build_checkpoint(two_shards());
    change(built);
    built.write(directory.path());
    return Checkpoint::open(directory.path()).fingerprint();
  };
  const std::string original = fingerprint([](BuiltCheckpoint&) {});
  EXPECT_EQ(original.size(), 64u);
  EXPECT_EQ(original, fingerprint([](BuiltCheckpoint&) {}));
  EXPECT_NE(original, fingerprint([](BuiltCheckpoint& built) { built.config["rope_theta"] = 1e4; }));
  EXPECT_NE(original, fingerprint([](BuiltCheckpoint& built) { built.shards = 3; }));
  EXPECT_NE(original, fingerprint([](BuiltCheckpoint& built) { built.drop("lm_head.weight"); }));
  EXPECT_NE(original,
            fingerprint([](BuiltCheckpoint& built) { built.tensor("lm_head.weight").data[0] ^= 1; }));
}

}  // namespace
}  // namespace moescope
