#include "readers/checkpoint/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <set>
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

std::string checkpoint_refusal(const fs::path& directory) {
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
  return checkpoint_refusal(directory.path());
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
  const Checkpoint checkpoint = Checkpoint::open(directory.path());
  EXPECT_EQ(checkpoint.shards().size(), 2u);
  EXPECT_THAT(checkpoint.notes(), ElementsAre("consolidated.safetensors: not read, for "
                                              "model.safetensors.index.json does not name it"));
}

TEST(Checkpoint, ModelSafetensorsStandsAlone) {
  TemporaryDirectory directory;
  write_checkpoint(directory.path());
  write_file(directory / "a.safetensors", "not read");
  write_file(directory / "b.safetensors", "not read");
  const Checkpoint checkpoint = Checkpoint::open(directory.path());
  EXPECT_EQ(checkpoint.shards().size(), 1u);
  EXPECT_THAT(checkpoint.notes(),
              ElementsAre("a.safetensors, b.safetensors: not read, for model.safetensors is the model"));
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
  EXPECT_THAT(checkpoint_refusal(directory / "absent"), HasSubstr("/absent: does not exist"));
  EXPECT_THROW(Checkpoint::open(directory / "absent"), MissingInput);
  EXPECT_THAT(checkpoint_refusal(directory.path()),
              HasSubstr(": is not a checkpoint directory: it has no config.json"));
  write_file(directory / "file", "");
  EXPECT_THAT(checkpoint_refusal(directory / "file"), HasSubstr("/file: is not a checkpoint directory"));
  fs::create_directory_symlink("loop", directory / "loop");
  EXPECT_THAT(system_failure(directory / "loop"), HasSubstr("Too many levels of symbolic links"));
}

TEST(Checkpoint, WithoutShardsIsRefused) {
  TemporaryDirectory directory;
  write_checkpoint(directory.path());
  fs::remove(directory / "model.safetensors");
  EXPECT_THAT(checkpoint_refusal(directory.path()),
              HasSubstr("holds neither *.safetensors nor pytorch_model*.bin nor *.gguf files"));
}

TEST(Checkpoint, ADirectoryInPlaceOfAFileIsAnError) {
  for (const char* name : {"config.json", "model.safetensors"}) {
    TemporaryDirectory directory;
    write_checkpoint(directory.path());
    fs::remove(directory / name);
    fs::create_directory(directory / name);
    EXPECT_THAT(checkpoint_refusal(directory.path()),
                HasSubstr(std::string(name) + ": is a directory (expected a file)"));
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
  EXPECT_THAT(checkpoint_refusal(directory.path()),
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
        fs::remove(directory / index_file);
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

// What lies in a shard that the index does not name for it is never read, whatever it is.
TEST(Checkpoint, TheIndexDecidesBetweenCopiesOfATensor) {
  TemporaryDirectory directory;
  write_checkpoint(directory.path(), two_shards());
  const std::uint64_t bytes = Checkpoint::open(directory.path()).bytes();
  constexpr const char* name = "model.layers.1.mlp.gate.weight";
  BuiltTensor other = build_checkpoint(two_shards()).tensor(name);
  other.data = encode_elements(std::vector<float>(8 * 16, 1.0f), DType::f32);
  other.dtype = DType::f32;
  write_file(directory / "overlay.safetensors", safetensors_bytes({other}));
  edit_json(directory / index_file, [&](auto& index) { index["weight_map"][name] = "overlay.safetensors"; });
  const Checkpoint overlaid = Checkpoint::open(directory.path());
  EXPECT_EQ(overlaid.find(name)->info.dtype, DType::f32);
  EXPECT_EQ(overlaid.shards()[overlaid.find(name)->shard].name(),
            (directory / "overlay.safetensors").string());
  EXPECT_EQ(overlaid.bytes(), bytes + 2 * 8 * 16);
  EXPECT_THAT(overlaid.notes(),
              testing::Contains(HasSubstr("1 stored copy of tensors superseded, for the index names other "
                                          "shards: first '" +
                                          std::string(name) + "' in model-00001-of-00002")));
}

TEST(Checkpoint, ShardsThatAreOneFileAreReadAsTheIndexSays) {
  TemporaryDirectory directory;
  write_checkpoint(directory.path());
  fs::rename(directory / "model.safetensors", directory / first_shard);
  fs::create_hard_link(directory / first_shard, directory / second_shard);
  nlohmann::ordered_json index;
  for (const BuiltTensor& tensor : build_checkpoint().tensors)
    index["weight_map"][tensor.name] = tensor.name < "model.layers.1" ? first_shard : second_shard;
  write_file(directory / index_file, index.dump());
  const Checkpoint checkpoint = Checkpoint::open(directory.path());
  EXPECT_EQ(checkpoint.find("lm_head.weight")->shard, 0u);
  EXPECT_EQ(checkpoint.find("model.norm.weight")->shard, 1u);
  EXPECT_EQ(checkpoint.tensors().size(), build_checkpoint().tensors.size());
}

TEST(Checkpoint, TwoCopiesThatTheIndexDoesNotNameAreRefused) {
  EXPECT_THAT(refusal_after([](const fs::path& directory) {
                BuiltCheckpoint built = build_checkpoint(two_shards());
                built.tensors.push_back(built.tensor("model.embed_tokens.weight"));
                built.write(directory);
                edit_json(directory / index_file,
                          [](auto& index) { index["weight_map"].erase("model.embed_tokens.weight"); });
              }),
              HasSubstr("and the index does not name it"));
}

TEST(Checkpoint, AnIndexOfAnotherShardingIsNamedWithTheFilesThatAreThere) {
  CheckpointOptions four;
  four.shards = 4;
  TemporaryDirectory directory;
  write_checkpoint(directory.path(), two_shards());
  write_checkpoint(directory / "four", four);
  fs::copy_file(directory / "four" / index_file, directory / index_file,
                fs::copy_options::overwrite_existing);
  EXPECT_THAT(
      checkpoint_refusal(directory.path()),
      HasSubstr(
          "index.json: is of another sharding than the files: of the shards that it names, these are not "
          "there: model-00001-of-00004.safetensors, model-00002-of-00004.safetensors, "
          "model-00003-of-00004.safetensors, model-00004-of-00004.safetensors; and these are there, which it "
          "does not name: model-00001-of-00002.safetensors, model-00002-of-00002.safetensors"));
}

TEST(Checkpoint, AnIndexOfOtherShardsOfTheSameNamesIsToldByHowMuchItMisplaces) {
  TemporaryDirectory directory;
  write_checkpoint(directory.path(), two_shards());
  edit_json(directory / index_file, [](auto& index) {
    for (auto& [tensor, shard] : index["weight_map"].items())
      shard = shard == first_shard ? second_shard : first_shard;
  });
  try {
    Checkpoint::open(directory.path());
    FAIL();
  } catch (const FormatError& error) {
    EXPECT_THAT(error.hint(), HasSubstr("it may belong to another set of shards"));
  }
}

TEST(Checkpoint, SeveralMissingShardsAreOneSentence) {
  EXPECT_THAT(refusal_after([](const fs::path& directory) {
                fs::remove(directory / first_shard);
                fs::remove(directory / second_shard);
              }),
              HasSubstr("shard 'model-00001-of-00002.safetensors': is missing; of 2 shards, 2 are not there: "
                        "model-00001-of-00002.safetensors, model-00002-of-00002.safetensors"));
}

TEST(Checkpoint, OneOfTwoShardsWithoutAnIndexIsNotAModel) {
  EXPECT_THAT(refusal_after([](const fs::path& directory) {
                fs::remove(directory / index_file);
                fs::remove(directory / second_shard);
              }),
              HasSubstr("shard 'model-00002-of-00002.safetensors': is missing"));
}

TEST(Checkpoint, TwoSetsOfShardsWithoutAnIndexAreRefused) {
  CheckpointOptions three;
  three.shards = 3;
  TemporaryDirectory directory;
  write_checkpoint(directory.path(), two_shards());
  write_checkpoint(directory.path(), three);
  fs::remove(directory / index_file);
  EXPECT_THAT(checkpoint_refusal(directory.path()),
              HasSubstr("holds two sets of weights (model-00001-of-00002"));
}

TEST(Checkpoint, HiddenFilesAreNoShards) {
  TemporaryDirectory directory;
  write_checkpoint(directory.path());
  fs::rename(directory / "model.safetensors", directory / "a.safetensors");
  write_file(directory / "._a.safetensors", "AppleDouble");
  write_file(directory / ".cache/huggingface/download/a.safetensors.lock", "");
  const Checkpoint checkpoint = Checkpoint::open(directory.path());
  EXPECT_EQ(checkpoint.shards().size(), 1u);
  EXPECT_THAT(checkpoint.notes(), IsEmpty());
}

TEST(Checkpoint, EveryWeightFileThatIsNotReadIsNoted) {
  TemporaryDirectory directory;
  write_checkpoint(directory.path());
  for (const char* name :
       {"model.bin", "model.gguf", "consolidated.00.pth", "adapter_model.safetensors",
        "x.safetensors.incomplete", "original/consolidated.00.pth", "checkpoint-100/config.json"}) {
    write_file(directory / name, "");
  }
  for (const char* name : {"optimizer.pt", "scheduler.pt", "rng_state_0.pth", "training_args.bin",
                           "optimizer.bin", "logs/events.out", "tokenizer.json", "merges.txt"}) {
    write_file(directory / name, "");  // no weights of the model
  }
  EXPECT_THAT(
      Checkpoint::open(directory.path()).notes(),
      ElementsAre(
          "adapter_model.safetensors, consolidated.00.pth, model.bin, model.gguf: weights that are not read",
          "x.safetensors.incomplete: unfinished downloads, not read",
          "checkpoint-100: checkpoints inside this one, not read",
          "original: directories with weights that are not read"));
}

TEST(Checkpoint, WhatLiesThereInsteadOfWeightsIsNamed) {
  const auto with = [](std::initializer_list<const char*> names) {
    return refusal_after([&](const fs::path& directory) {
      for (const char* name : {index_file, first_shard, second_shard}) fs::remove(directory / name);
      for (const char* name : names) write_file(directory / name, "");
    });
  };
  EXPECT_THAT(
      with({"model.onnx"}),
      HasSubstr(
          "holds neither *.safetensors nor pytorch_model*.bin nor *.gguf files, but weights in a format that is not read: model.onnx"));
  EXPECT_THAT(with({"adapter_model.safetensors"}), HasSubstr("but an adapter's (adapter_model.safetensors)"));
  EXPECT_THAT(with({"model.safetensors.incomplete"}),
              HasSubstr("but an unfinished download: model.safetensors.inc"));
}

TEST(Checkpoint, AnUnfinishedDownloadOfAShardIsNamed) {
  EXPECT_THAT(refusal_after([](const fs::path& directory) {
                fs::rename(directory / second_shard, directory / (std::string(second_shard) + ".part"));
              }),
              HasSubstr("is missing; model-00002-of-00002.safetensors.part is an unfinished download of it"));
  EXPECT_THAT(
      refusal_after([](const fs::path& directory) {  // aria2 reserves the whole file before it fills it
        write_file(directory / (std::string(second_shard) + ".aria2"), "");
      }),
      HasSubstr("/model-00002-of-00002.safetensors: is an unfinished download"));
}

TEST(Checkpoint, WithoutAConfigurationItSaysWhatIsThere) {
  TemporaryDirectory directory;
  write_file(directory / "adapter/adapter_config.json",
             R"({"peft_type": "LORA", "base_model_name_or_path": "llama"})");
  write_checkpoint(directory / "half");
  fs::remove(directory / "half/config.json");
  write_file(directory / "onnx/model.onnx", "ONNX");
  write_file(directory / "trainer/checkpoint-10/config.json", "{}");
  fs::create_directory(directory / "linked");
  fs::create_symlink("absent", directory / "linked/config.json");
  EXPECT_THAT(checkpoint_refusal(directory / "adapter"),
              HasSubstr("/adapter: is a LoRA adapter of llama, not a checkpoint"));
  EXPECT_THAT(checkpoint_refusal(directory / "half"),
              HasSubstr("/half: is not a checkpoint: it has weights, but no config.json"));
  EXPECT_THAT(checkpoint_refusal(directory / "onnx"),
              HasSubstr("weights in a format that is not read: model.onnx"));
  EXPECT_THAT(checkpoint_refusal(directory / "trainer"),
              HasSubstr("not a checkpoint itself, but holds others: checkpoint-10"));
  EXPECT_THAT(checkpoint_refusal(directory / "linked"),
              HasSubstr("config.json is a symbolic link to a file that does not exist"));
}

TEST(Checkpoint, AStoredHeadThatDiffersFromTheEmbeddingIsTheHead) {
  BuiltCheckpoint built = build_checkpoint(two_shards());
  built.config["tie_word_embeddings"] = true;
  TemporaryDirectory directory;
  built.write(directory / "differs");
  const Checkpoint differs = Checkpoint::open(directory / "differs");
  EXPECT_FALSE(differs.config().tie_word_embeddings);
  EXPECT_THAT(differs.notes(),
              ElementsAre(HasSubstr(
                  "config.json: 'tie_word_embeddings' is true, but the stored 'lm_head.weight' differs from "
                  "'model.embed_tokens.weight': the stored one is used")));
  built.tensor("lm_head.weight").data = built.tensor("model.embed_tokens.weight").data;
  built.write(directory / "equal");
  EXPECT_TRUE(Checkpoint::open(directory / "equal").config().tie_word_embeddings);
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

// Up to 64 KiB a tensor is sampled whole.
TEST(Checkpoint, FingerprintChangesWithEveryByteOfSmallTensors) {
  TemporaryDirectory directory;
  write_checkpoint(directory.path());
  const Checkpoint checkpoint = Checkpoint::open(directory.path());
  std::set<std::string> fingerprints{checkpoint.fingerprint()};
  for (const char* name : {"model.layers.1.mlp.gate.weight", "model.norm.weight", "lm_head.weight"}) {
    const TensorInfo& info = checkpoint.find(name)->info;
    for (const std::uint64_t place :
         {info.offset, info.offset + info.bytes / 3, info.offset + info.bytes - 1}) {
      edit_bytes(directory / "model.safetensors", [&](std::string& bytes) { bytes[place] ^= 1; });
      EXPECT_TRUE(fingerprints.insert(Checkpoint::open(directory.path()).fingerprint()).second)
          << name << place;
    }
  }
}

TEST(Checkpoint, FingerprintSamplesLargeTensorsInTheMiddle) {
  CheckpointOptions options;
  options.vocab_size = 4096;  // 128 KiB of embedding
  TemporaryDirectory directory;
  write_checkpoint(directory.path(), options);
  const Checkpoint checkpoint = Checkpoint::open(directory.path());
  const TensorInfo& info = checkpoint.find("model.embed_tokens.weight")->info;
  std::set<std::string> fingerprints{checkpoint.fingerprint()};
  for (const std::uint64_t place : {info.offset + info.bytes / 2 - 128, info.offset + info.bytes / 2 + 127}) {
    edit_bytes(directory / "model.safetensors", [&](std::string& bytes) { bytes[place] ^= 1; });
    EXPECT_TRUE(fingerprints.insert(Checkpoint::open(directory.path()).fingerprint()).second) << place;
  }
}

TEST(Checkpoint, FileStampsChangeWithTheTimeAndFingerprintsDoNot) {
  TemporaryDirectory directory;
  write_checkpoint(directory.path(), two_shards());
  const Checkpoint before = Checkpoint::open(directory.path());
  EXPECT_EQ(before.file_stamps(), Checkpoint::open(directory.path()).file_stamps());
  fs::last_write_time(directory / first_shard, fs::file_time_type::clock::now() - std::chrono::hours(1));
  const Checkpoint after = Checkpoint::open(directory.path());
  EXPECT_NE(before.file_stamps(), after.file_stamps());
  EXPECT_EQ(before.fingerprint(), after.fingerprint());
  EXPECT_THAT(after.file_stamps(), testing::EndsWith(" '" + std::string(second_shard) + "'\n"));
}

}  // namespace
}  // namespace moescope
