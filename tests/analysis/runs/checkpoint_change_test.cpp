#include "analysis/runs/checkpoint_change.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>

#include "tests/support/checkpoint_builder.h"
#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

namespace fs = std::filesystem;

RunCheckpoint opened(const fs::path& path) {
  SeriesEntry entry;
  entry.path = path;
  return run_checkpoint(entry, Checkpoint::open(path));
}

class CheckpointChange : public testing::Test {
 protected:
  CheckpointChange() {
    write_checkpoint(directory_ / "a");
    recorded_ = opened(directory_ / "a");
  }
  fs::path shard() const { return directory_ / "a/model.safetensors"; }
  std::string change(const char* name = "a") const {
    return checkpoint_change(recorded_, opened(directory_ / name));
  }

  TemporaryDirectory directory_;
  RunCheckpoint recorded_;
};

TEST_F(CheckpointChange, AnUntouchedCheckpointIsTheSame) {
  EXPECT_EQ(change(), "");
}

TEST_F(CheckpointChange, ACopyIsTheSameWhateverItsTime) {
  fs::copy(directory_ / "a", directory_ / "b");
  fs::last_write_time(directory_ / "b/model.safetensors",
                      fs::file_time_type::clock::now() + std::chrono::hours(1));
  EXPECT_EQ(change("b"), "");
}

TEST_F(CheckpointChange, OtherContentsAreAChange) {
  edit_bytes(shard(), [](std::string& bytes) { bytes[bytes.size() - 5] ^= 1; });
  EXPECT_EQ(change(), "has changed since");
}

TEST_F(CheckpointChange, AFileThatWasWrittenToMayHaveChangedWhereNobodyLooked) {
  fs::last_write_time(shard(), fs::file_time_type::clock::now() + std::chrono::hours(1));
  EXPECT_THAT(change(), testing::ContainsRegex(
                            "may have changed since: 'model.safetensors' has been written to, though no "
                            "sample of it differs .*touch -d @[0-9]+[.][0-9]+ gives it back"));
}

TEST_F(CheckpointChange, RunFilesOfEarlierVersionsCannotTell) {
  recorded_.fingerprint = "of another kind";
  recorded_.file_stamps.clear();
  EXPECT_THAT(change(), testing::HasSubstr("cannot be compared: the run file is of an earlier moescope"));
}

}  // namespace
}  // namespace moescope
