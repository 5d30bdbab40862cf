#include "readers/files/output_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <thread>
#include <vector>

#include "readers/errors.h"
#include "readers/files/directory.h"
#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

class OutputTest : public testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(directory / name) << text;
  }
  std::string read(const std::string& name) const {
    std::ifstream file(directory / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  mode_t mode(const std::string& name) const {
    struct stat status {};
    EXPECT_EQ(::stat((directory / name).c_str(), &status), 0);
    return status.st_mode & 07777;
  }
  std::vector<std::string> names() const { return directory_names(directory.path()); }

  const TemporaryDirectory directory;
};

TEST_F(OutputTest, AFileIsThereAsAWholeOrNotAtAll) {
  write("a.txt", "old");
  {
    OutputFile file(find_output(directory / "a.txt"));
    file.stream() << "half of the new";
    file.stream().flush();
    EXPECT_EQ(read("a.txt"), "old");
  }
  EXPECT_EQ(read("a.txt"), "old");
  EXPECT_THAT(names(), ElementsAre("a.txt")) << "what was not published leaves nothing behind";
  write_output(directory / "a.txt", "new");
  EXPECT_EQ(read("a.txt"), "new");
  EXPECT_THAT(names(), ElementsAre("a.txt"));
}

TEST_F(OutputTest, SixtyWritersOfOneFileAllSucceed) {
  std::vector<std::jthread> writers;
  for (int i = 0; i < 60; ++i) {
    writers.emplace_back(
        [&, i] { write_output(directory / "a.txt", std::string(100'000, static_cast<char>('A' + i))); });
  }
  writers.clear();
  const std::string text = read("a.txt");
  EXPECT_EQ(text, std::string(100'000, text.at(0))) << "one of them wrote it, alone";
  EXPECT_THAT(names(), ElementsAre("a.txt"));
}

TEST_F(OutputTest, ANewFileHasTheModeOfTheUmaskAndAnOldOneKeepsItsOwn) {
  const mode_t before = umask(027);
  write_output(directory / "new.txt", "text");
  EXPECT_EQ(mode("new.txt"), 0640u);
  write("old.txt", "text");
  fs::permissions(directory / "old.txt", fs::perms::owner_read | fs::perms::owner_write);
  write_output(directory / "old.txt", "other text");
  EXPECT_EQ(mode("old.txt"), 0600u);
  umask(before);
}

TEST_F(OutputTest, ReplacedFilesKeepTheirOwner) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  write("a.txt", "text");
  ASSERT_EQ(::chown((directory / "a.txt").c_str(), 4711, 4712), 0);
  write_output(directory / "a.txt", "other text");
  struct stat status {};
  ASSERT_EQ(::stat((directory / "a.txt").c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 4711u);
  EXPECT_EQ(status.st_gid, 4712u);
}

TEST_F(OutputTest, LinksAreFollowedEvenToWhatIsNotThereYet) {
  fs::create_directory(directory / "disk");
  write("disk/a.txt", "old");
  fs::create_symlink("disk/a.txt", directory / "a.txt");
  fs::create_symlink("a.txt", directory / "b.txt");
  fs::create_symlink("disk/c.txt", directory / "c.txt");
  write_output(directory / "b.txt", "new");
  write_output(directory / "c.txt", "first");
  EXPECT_EQ(read("disk/a.txt"), "new");
  EXPECT_EQ(read("disk/c.txt"), "first");
  for (const char* link : {"a.txt", "b.txt", "c.txt"}) EXPECT_TRUE(fs::is_symlink(directory / link)) << link;
}

TEST_F(OutputTest, DevicesAndPipesAreWrittenThrough) {
  EXPECT_THAT([] { write_output("/dev/full", "text"); },
              ThrowsMessage<std::system_error>("/dev/full: cannot write: No space left on device"));
  EXPECT_TRUE(fs::is_character_file("/dev/full"));
  ASSERT_EQ(::mkfifo((directory / "pipe").c_str(), 0600), 0);
  std::string text;
  {
    const std::jthread reader([&] { text = read("pipe"); });
    write_output(directory / "pipe", "through");
  }
  EXPECT_EQ(text, "through");
  EXPECT_TRUE(fs::is_fifo(directory / "pipe"));
}

TEST_F(OutputTest, ADescriptorIsWrittenToWhereItStands) {
  write("log.txt", "first\n");
  const int log = ::open((directory / "log.txt").c_str(), O_WRONLY | O_APPEND);
  write_output("/dev/fd/" + std::to_string(log), "second\n");
  ::close(log);
  EXPECT_EQ(read("log.txt"), "first\nsecond\n") << "not replaced, not written over";
  EXPECT_TRUE(find_output("-").is_standard_output());
  EXPECT_TRUE(find_output("/dev/stdout").is_standard_output());
}

TEST_F(OutputTest, DirectoriesAndMissingFoldersAreRefusedInWords) {
  const std::string here = directory.path().string();
  EXPECT_THAT([&] { find_output(here); },
              ThrowsMessage<UsageError>(here + ": is a directory (expected the name of a file)"));
  EXPECT_THAT([&] { find_output(here + "/"); }, ThrowsMessage<UsageError>(HasSubstr("is a directory")));
  EXPECT_THROW(find_output(""), UsageError);
  const std::string missing = here + "/none/a.txt";
  EXPECT_THAT(
      [&] { find_output(missing); },
      ThrowsMessage<std::system_error>(missing + ": folder '" + here + "/none': No such file or directory"));
  write("file", "");
  EXPECT_THAT([&] { find_output(here + "/file/a.txt"); },
              ThrowsMessage<std::system_error>(HasSubstr("folder '" + here + "/file': Not a directory")));
}

TEST_F(OutputTest, WhatIsReadAgainMustBeAFile) {
  EXPECT_THAT([] { find_output_file("-", "a run file"); },
              ThrowsMessage<UsageError>(HasSubstr("standard output: cannot hold a run file")));
  EXPECT_THROW(find_output_file("/dev/null", "a run file"), UsageError);
  EXPECT_TRUE(find_output_file(directory / "run.h5", "a run file").is_file());
}

TEST_F(OutputTest, AnInputIsRecognisedUnderEveryName) {
  write("a.txt", "text");
  fs::create_hard_link(directory / "a.txt", directory / "hard.txt");
  fs::create_symlink("a.txt", directory / "soft.txt");
  const fs::path inputs[] = {directory / "missing.txt", directory / "a.txt"};
  for (const char* name : {"a.txt", "./a.txt", "hard.txt", "soft.txt"}) {
    EXPECT_THAT([&] { require_not_among(find_output(directory / name), inputs); },
                ThrowsMessage<UsageError>(HasSubstr("is an input of this command")))
        << name;
  }
  require_not_among(find_output(directory / "other.txt"), inputs);
}

TEST_F(OutputTest, LongNamesAreWrittenToo) {
  const std::string name(255, 'n');  // NAME_MAX
  write_output(directory / name, "text");
  EXPECT_THAT(names(), ElementsAre(name));
}

}  // namespace
}  // namespace moescope
