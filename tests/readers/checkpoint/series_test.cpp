#include "readers/checkpoint/series.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "readers/errors.h"
#include "tests/support/source_path.h"
#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

// For finding and ordering, a checkpoint is a directory with a config.json.
void make_checkpoint(const fs::path& directory) {
  write_file(directory / "config.json", "{}");
}

std::vector<std::string> names(const std::vector<SeriesEntry>& series) {
  std::vector<std::string> result;
  for (const SeriesEntry& entry : series) result.push_back(entry.name);
  return result;
}

/// Names of the series that a directory with these children is.
std::vector<std::string> order_of(const std::vector<std::string>& children) {
  TemporaryDirectory directory;
  for (const std::string& child : children) make_checkpoint(directory / child);
  return names(find_series({directory.path()}).entries);
}

std::string series_refusal(const std::vector<fs::path>& paths) {
  try {
    find_series(paths);
  } catch (const InputError& error) {
    return error.what();
  }
  return {};
}

TEST(Series, TheDemoSeriesIsOrderedByTokens) {
  const auto series = find_series({source_path("data/tiny-dots1")}).entries;
  ASSERT_EQ(series.size(), 13u);
  EXPECT_EQ(series[0].name, "tiny-dots1-00T");
  EXPECT_EQ(series[10].name, "tiny-dots1-10T");
  EXPECT_EQ(series[11].name, "tiny-dots1-11T");
  EXPECT_EQ(series[12].name, "tiny-dots1-11.2T");
  EXPECT_EQ(series[12].tokens, 11.2e12);
}

TEST(Series, ADirectoryIsOrderedByTokensWhenAllNamesTellThem) {
  EXPECT_THAT(order_of({"a-2T", "b-500BT", "c-11.2T", "d-1T"}),
              ElementsAre("b-500BT", "d-1T", "a-2T", "c-11.2T"));
}

TEST(Series, ElseBySteps) {
  EXPECT_THAT(order_of({"step1000-1T", "checkpoint-200", "iter_0000030"}),
              ElementsAre("iter_0000030", "checkpoint-200", "step1000-1T"));
}

TEST(Series, ChildrenWithoutAConfigAreIgnored) {
  TemporaryDirectory directory;
  make_checkpoint(directory / "1T");
  fs::create_directory(directory / "2T");
  write_file(directory / "3T", "a file");
  EXPECT_THAT(names(find_series({directory.path()}).entries), ElementsAre("1T"));
}

TEST(Series, ALinkToACheckpointBesideItCountsOnce) {
  TemporaryDirectory directory;
  for (const char* name : {"step1", "step2", "elsewhere/x"}) make_checkpoint(directory / name);
  fs::create_directory_symlink("step2", directory / "latest");
  fs::create_directory_symlink("elsewhere/x", directory / "final");
  const FoundSeries found = find_series({directory.path()});
  EXPECT_THAT(names(found.entries), ElementsAre("step1", "step2", "final"));
  EXPECT_THAT(found.notes,
              ElementsAre("latest: is another name of 'step2', and counts once",
                          "elsewhere: left out: it is not a checkpoint itself, but holds others: x"));
  // As a shell lists them.
  const FoundSeries given = find_series({directory / "latest", directory / "step1", directory / "step2"});
  EXPECT_THAT(names(given.entries), ElementsAre("step1", "step2"));
}

TEST(Series, NeighboursThatCannotBeExaminedAreLeftOutWithANote) {
  TemporaryDirectory directory;
  for (const char* name : {"step1", "step2"}) make_checkpoint(directory / name);
  fs::create_directory_symlink("self", directory / "self");
  const FoundSeries found = find_series({directory.path()});
  EXPECT_THAT(names(found.entries), ElementsAre("step1", "step2"));
  ASSERT_EQ(found.notes.size(), 1u);
  EXPECT_THAT(found.notes[0],
              HasSubstr("/self: cannot be examined: Too many levels of symbolic links, so that it"));
}

TEST(Series, AnOrderThatNoNameTellsIsANoteThatPointsToTheSeriesFile) {
  TemporaryDirectory directory;
  for (const char* name : {"beta", "alpha"}) make_checkpoint(directory / name);
  EXPECT_THAT(find_series({directory.path()}).notes,
              ElementsAre(directory.path().string() +
                          ": nothing in the names tells the order of 'alpha' and 'beta'; a series file "
                          "(.json) says better"));
  // Who gives an order is not told that it is unknown.
  EXPECT_THAT(find_series({directory / "beta", directory / "alpha"}).notes, testing::IsEmpty());
}

TEST(Series, AnOrderGivenAgainstTheNamesIsKeptWithANote) {
  TemporaryDirectory directory;
  for (const char* name : {"step1000", "step10000", "step2000"}) make_checkpoint(directory / name);
  const FoundSeries found = find_series(
      {directory / "step1000", directory / "step10000", directory / "step2000"});  // as shells sort
  EXPECT_THAT(names(found.entries), ElementsAre("step1000", "step10000", "step2000"));
  EXPECT_THAT(found.notes,
              ElementsAre("the order given is not the one that the names tell: 'step2000' is given after "
                          "'step10000'"));
}

TEST(Series, NamesAreUtf8WhateverBytesTheirPathsAreMadeOf) {
  TemporaryDirectory directory;
  for (const char* name : {"caf\xE9", "caf\xE8"}) make_checkpoint(directory / name);
  const auto series = find_series({directory.path()}).entries;
  EXPECT_THAT(names(series), ElementsAre("caf\uFFFD", "caf\uFFFD#2"));
  EXPECT_TRUE(fs::exists(series[0].path / "config.json"));
}

TEST(Series, WhatIsLeftOutOfADirectoryIsNoted) {
  TemporaryDirectory directory;
  make_checkpoint(directory / "1T");
  write_file(directory / "2T-lora/adapter_config.json",
             R"({"peft_type":"LORA","base_model_name_or_path":"1T"})");
  write_file(directory / "3T/model.safetensors", "");
  make_checkpoint(directory / "output/checkpoint-10");
  for (const char* name : {"logs/a.txt", "plots/b.svg", ".git/HEAD"}) write_file(directory / name, "");
  write_file(directory / "stray.safetensors", "");
  write_file(directory / "README.md", "");
  EXPECT_THAT(find_series({directory.path()}).notes,
              ElementsAre("2T-lora: left out: it is a LoRA adapter of 1T, not a checkpoint",
                          "3T: left out: it is not a checkpoint: it has weights, but no config.json",
                          "output: left out: it is not a checkpoint itself, but holds others: checkpoint-10",
                          "logs, plots: left out: no config.json there",
                          "stray.safetensors: left out: not in the directory of a checkpoint"));
}

TEST(Series, WhatIsNoCheckpointIsNamedForWhatItIs) {
  TemporaryDirectory directory;
  make_checkpoint(directory / "1T");
  write_file(directory / "lora/adapter_config.json", R"({"peft_type":"IA3"})");
  write_file(directory / "model.ckpt", "GGUF");
  write_file(directory / "model.safetensors", "");
  EXPECT_THAT(series_refusal({directory / "lora"}),
              HasSubstr("/lora: is an adapter (IA3), not a checkpoint"));
  EXPECT_THAT(series_refusal({directory / "1T", directory / "lora"}),
              HasSubstr("/lora: is an adapter (IA3)"));
  EXPECT_THAT(series_refusal({directory / "model.ckpt"}), HasSubstr("; it is a GGUF file"));
}

TEST(Series, OneCheckpointIsASeriesOfOne) {
  TemporaryDirectory directory;
  make_checkpoint(directory / "step7");
  for (const char* spelling : {"step7", "step7/", "step7/.", "./step7"}) {
    const auto series = find_series({directory / spelling}).entries;
    ASSERT_EQ(series.size(), 1u);
    EXPECT_EQ(series[0].name, "step7") << spelling;
    EXPECT_EQ(series[0].step, 7);
  }
}

TEST(Series, SeveralCheckpointsKeepTheOrderGiven) {
  TemporaryDirectory directory;
  for (const char* name : {"1T", "2T", "3T"}) make_checkpoint(directory / name);
  const auto series = find_series({directory / "3T", directory / "1T", directory / "2T"}).entries;
  EXPECT_THAT(names(series), ElementsAre("3T", "1T", "2T"));
  EXPECT_EQ(series[0].tokens, 3e12);
  EXPECT_EQ(series[0].path, directory / "3T");
}

TEST(Series, EqualNamesAreMadeUnique) {
  TemporaryDirectory directory;
  for (const char* name : {"a/1T", "b/1T", "b/2T"}) make_checkpoint(directory / name);
  const auto series = find_series({directory / "a/1T", directory / "b/1T", directory / "b/2T"}).entries;
  EXPECT_THAT(names(series), ElementsAre("a/1T", "b/1T", "2T"));
  EXPECT_EQ(series[1].tokens, 1e12);
}

TEST(Series, TheSameCheckpointTwiceCountsOnce) {
  TemporaryDirectory directory;
  make_checkpoint(directory / "1T");
  const FoundSeries found = find_series({directory / "1T", directory / "./1T"});
  EXPECT_THAT(names(found.entries), ElementsAre("1T"));
  EXPECT_THAT(found.notes, ElementsAre("1T: is given twice, and counts once"));
}

TEST(Series, ReadsACacheRepository) {
  TemporaryDirectory directory;
  const fs::path repository = directory / "models--org--name";
  for (const char* hash : {"aaa1", "bbb2", "ccc3"}) make_checkpoint(repository / "snapshots" / hash);
  write_file(repository / "refs/step2000-tokens8B", "aaa1");
  write_file(repository / "refs/step1000-tokens4B", "bbb2\n");
  write_file(repository / "refs/refs/pr/1", "ccc3");
  write_file(repository / "blobs/123", "");
  const FoundSeries found = find_series({repository});
  EXPECT_THAT(names(found.entries), ElementsAre("step1000-tokens4B", "step2000-tokens8B", "refs/pr/1"));
  EXPECT_EQ(found.entries[0].path, repository / "snapshots/bbb2");
  EXPECT_THAT(found.notes, ElementsAre(HasSubstr("'refs/pr/1' has no place that its name tells")));
}

TEST(Series, RefsToOneCommitAreOneCheckpoint) {
  TemporaryDirectory directory;
  for (const char* hash : {"aaa1", "bbb2", "ccc3"}) make_checkpoint(directory / "snapshots" / hash);
  write_file(directory / "refs/main", "bbb2");
  write_file(directory / "refs/step2000", "bbb2");
  write_file(directory / "refs/step1000", "aaa1");
  const FoundSeries found = find_series({directory.path()});
  EXPECT_THAT(names(found.entries), ElementsAre("step1000", "step2000"));
  EXPECT_THAT(found.notes, testing::UnorderedElementsAre(
                               "main: is another name of 'step2000', and counts once",
                               HasSubstr("/snapshots: no ref names 'ccc3', which are left out")));
}

TEST(Series, ACacheRepositoryWithoutRefsIsItsSnapshots) {
  TemporaryDirectory directory;
  make_checkpoint(directory / "snapshots/abc");
  EXPECT_THAT(names(find_series({directory.path()}).entries), ElementsAre("abc"));
  fs::create_directory(directory / "refs");
  EXPECT_THAT(names(find_series({directory.path()}).entries), ElementsAre("abc"));
}

TEST(Series, ARefToNothingIsNamed) {
  TemporaryDirectory directory;
  make_checkpoint(directory / "snapshots/abc");
  write_file(directory / "refs/main", "abd");
  EXPECT_THAT(series_refusal({directory.path()}),
              HasSubstr("/refs/main: snapshot abd: is not a downloaded checkpoint"));
  for (const char* content : {"", "../abc", "main", "\n"}) {
    write_file(directory / "refs/main", content);
    EXPECT_THAT(series_refusal({directory.path()}), HasSubstr("/refs/main: expected the hash of a commit"))
        << content;
  }
}

TEST(Series, ReadsASeriesFile) {
  TemporaryDirectory directory;
  for (const char* name : {"x/late", "early"}) make_checkpoint(directory / name);
  write_file(directory / "x/series.json",
             R"([{"name": "01T", "path": "../early", "tokens": 1e12, "step": 14901, "phase": "stable"},
                 {"path": "late"}, {"name": "step7", "path": ")" +
                 (directory / "early").string() + R"(", "tokens": null}])");
  const auto series = find_series({directory / "x/series.json"}).entries;
  ASSERT_THAT(names(series), ElementsAre("01T", "late", "step7"));  // the file's order
  EXPECT_TRUE(fs::equivalent(series[0].path, directory / "early"));
  EXPECT_EQ(series[0].tokens, 1e12);
  EXPECT_EQ(series[0].step, 14901);
  EXPECT_EQ(series[0].phase, "stable");
  EXPECT_TRUE(std::isnan(series[1].tokens));
  EXPECT_EQ(series[2].step, 7);  // from the name where the file is silent
  EXPECT_EQ(series[2].path, directory / "early");
}

TEST(Series, ASeriesFileOfAnotherFormIsRefused) {
  TemporaryDirectory directory;
  make_checkpoint(directory / "a");
  const auto with = [&](const std::string& text) {
    write_file(directory / "s.json", text);
    return series_refusal({directory / "s.json"});
  };
  EXPECT_THAT(with("{}"), HasSubstr("s.json: expected an array of checkpoints, found {}"));
  EXPECT_THAT(with("[]"), HasSubstr("s.json: holds no checkpoint"));
  EXPECT_THAT(with("[1]"), HasSubstr("'[0]': expected a JSON object, found 1"));
  EXPECT_THAT(with(R"([{"name":"a"}])"), HasSubstr("'[0].path': is missing"));
  EXPECT_THAT(with(R"([{"path":"b"}])"), HasSubstr("'[0].path': is not a checkpoint"));
  EXPECT_THAT(with(R"([{"path":"a","tokens":"1T"}])"),
              HasSubstr("'[0].tokens': expected a number that is not negative"));
  EXPECT_THAT(with(R"([{"path":"a","step":-1}])"),
              HasSubstr("'[0].step': expected a number that is not negative"));
  EXPECT_THAT(with(R"([{"path":"a","phase":1}])"), HasSubstr("'[0].phase': expected a string"));
  EXPECT_THAT(with(R"([{"path":"a"},{"path":"a"}])"),
              HasSubstr("'[1].name': stands twice in the series: 'a'"));
  EXPECT_THAT(with(R"([{"path":"a","path":"a"}])"), HasSubstr("key 'path': stands twice"));
  EXPECT_THAT(with("[{"), HasSubstr("is not valid JSON"));
}

TEST(Series, WhatIsNoSeriesIsOneClearSentence) {
  TemporaryDirectory directory;
  write_file(directory / "f.txt", "");
  fs::create_directory(directory / "empty");
  make_checkpoint(directory / "c");
  EXPECT_EQ(series_refusal({}), "no checkpoint is given");
  EXPECT_THAT(series_refusal({directory / "absent"}), HasSubstr("/absent: does not exist"));
  EXPECT_THAT(series_refusal({directory / "empty"}), HasSubstr("/empty: holds no checkpoint"));
  EXPECT_THAT(series_refusal({directory / "f.txt"}),
              HasSubstr("/f.txt: is neither a checkpoint directory nor a series file"));
  EXPECT_THAT(series_refusal({directory / "c", directory / "empty"}),
              HasSubstr("/empty: is not a checkpoint directory"));
  EXPECT_THAT(series_refusal({directory / "c", directory / "absent"}), HasSubstr("/absent: does not exist"));
  EXPECT_THAT(series_refusal({directory / "c", directory / "f.txt"}),
              HasSubstr("/f.txt: is not a checkpoint directory"));
}

TEST(Series, ALoopOfLinksIsAnErrorThatNamesIt) {
  TemporaryDirectory directory;
  fs::create_directory_symlink("loop", directory / "loop");
  try {
    find_series({directory / "loop"});
    FAIL();
  } catch (const std::system_error& error) {
    EXPECT_THAT(error.what(), HasSubstr("/loop: cannot be examined: Too many levels of symbolic links"));
  }
}

}  // namespace
}  // namespace moescope
