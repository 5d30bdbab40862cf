#include "analysis/runs/opened_series.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "readers/errors.h"
#include "tests/support/checkpoint_builder.h"
#include "tests/support/source_path.h"
#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

SeriesEntry entry(const std::string& name, const std::filesystem::path& path) {
  SeriesEntry result;
  result.name = name;
  result.path = path;
  return result;
}

TEST(OpenSeries, HoldsTheDemonstrationSeries) {
  const auto entries = find_series({source_path("data/tiny-dots1")}).entries;
  const OpenedSeries series = open_series(entries);
  EXPECT_EQ(series.size(), 13u);
  EXPECT_EQ(series.config().hidden_size, 64);
  EXPECT_TRUE(series.notes.empty());
  EXPECT_GT(series.bytes(), 13u * 2 * 819'200);  // parameters in BF16, correction biases in F32
}

TEST(OpenSeries, RefusesAnotherModelNamingTensorAndBothCheckpoints) {
  TemporaryDirectory directory;
  CheckpointOptions options;
  write_checkpoint(directory / "a", options);
  options.moe_intermediate_size = 16;
  write_checkpoint(directory / "b", options);
  try {
    open_series({entry("first", directory / "a"), entry("second", directory / "b")});
    FAIL();
  } catch (const FormatError& error) {
    EXPECT_THAT(error.what(),
                testing::HasSubstr("tensor 'model.layers.1.mlp.experts.0.gate_proj.weight': not the model of "
                                   "checkpoint 'first' (expected "));
    EXPECT_THAT(error.what(), testing::HasSubstr("[8, 16], found "));
  }
}

TEST(OpenSeries, RefusesAnotherNumberOfExpertsPerToken) {
  TemporaryDirectory directory;
  CheckpointOptions options;
  write_checkpoint(directory / "a", options);
  options.num_experts_per_tok = 3;
  write_checkpoint(directory / "b", options);
  EXPECT_THROW(open_series({entry("a", directory / "a"), entry("b", directory / "b")}), FormatError);
}

TEST(OpenSeries, NotesOtherDifferencesOfTheConfigurations) {
  TemporaryDirectory directory;
  write_checkpoint(directory / "a");
  write_checkpoint(directory / "b");
  edit_json(directory / "b" / "config.json", [](auto& config) { config["rope_theta"] = 20000; });
  const OpenedSeries series = open_series({entry("a", directory / "a"), entry("b", directory / "b")});
  ASSERT_EQ(series.notes.size(), 1u);
  EXPECT_THAT(series.notes[0], testing::HasSubstr("b: config.json differs from that of a: rope_theta"));
}

TEST(OpenSeries, RefusesAnotherVocabularyUnlessThatInCommonIsWanted) {
  TemporaryDirectory directory;
  CheckpointOptions options;
  write_checkpoint(directory / "a", options);
  const std::int64_t rows = options.vocab_size;
  options.vocab_size += 3;
  write_checkpoint(directory / "b", options);
  const std::vector<SeriesEntry> entries{entry("b", directory / "b"), entry("a", directory / "a")};
  EXPECT_THROW(open_series(entries), FormatError);
  const OpenedSeries series = open_series(entries, {}, Vocabularies::in_common);
  EXPECT_THAT(series.notes, testing::IsEmpty());
  EXPECT_EQ(series.vocabulary(), rows);
  for (std::size_t c = 0; c < series.size(); ++c) {
    for (const Role role : {Role::embedding, Role::head}) {
      EXPECT_EQ(series.weights[c].at({role}).rows, static_cast<std::uint64_t>(rows));
      EXPECT_EQ(series.model(c).at({role}).rows, static_cast<std::uint64_t>(c == 0 ? rows + 3 : rows));
    }
  }
}

TEST(OpenSeries, LeavesEqualVocabulariesWhole) {
  TemporaryDirectory directory;
  for (const char* name : {"a", "b"}) write_checkpoint(directory / name);
  const OpenedSeries series =
      open_series({entry("a", directory / "a"), entry("b", directory / "b")}, {}, Vocabularies::in_common);
  EXPECT_TRUE(series.whole.empty());
  EXPECT_EQ(&series.model(1), &series.weights[1]);
}

TEST(OpenSeries, NotesEveryChangeOfADTypeAlongTheSeries) {
  TemporaryDirectory directory;
  std::vector<SeriesEntry> entries;
  for (const char* name : {"a", "b", "c"}) {
    CheckpointOptions options;
    options.bias_dtype = name == std::string("b") ? DType::bf16 : DType::f32;
    write_checkpoint(directory / name, options);
    entries.push_back(entry(name, directory / name));
  }
  EXPECT_THAT(open_series(entries).notes,
              testing::ElementsAre("b: 2 weights are stored as BF16, in a as F32: first "
                                   "model.layers.1.mlp.gate.e_score_correction_bias",
                                   "c: 2 weights are stored as F32, in b as BF16: first "
                                   "model.layers.1.mlp.gate.e_score_correction_bias"));
}

TEST(OpenSeries, NotesNameACheckpointOnce) {
  TemporaryDirectory directory;
  write_checkpoint(directory / "one");
  write_file(directory / "one/pytorch_model.bin", "");
  EXPECT_THAT(
      open_series({entry("one", directory / "one")}, {"on the series"}).notes,
      testing::ElementsAre("on the series",
                           "one: pytorch_model.bin: not read, for the model is there as safetensors, too"));
}

}  // namespace
}  // namespace moescope
