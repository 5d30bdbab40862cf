#include "readers/files/source_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <functional>
#include <system_error>
#include <utility>

#include "readers/errors.h"
#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

using testing::HasSubstr;

std::string read_text(const SourceFile& file, std::uint64_t offset, std::size_t bytes) {
  std::string text(bytes, '\0');
  file.read(offset, std::as_writable_bytes(std::span(text)));
  return text;
}

std::string failure_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const std::exception& error) {
    return error.what();
  }
  return {};
}

TEST(SourceFile, ReadsAnyPart) {
  TemporaryDirectory directory;
  write_file(directory / "f", "0123456789");
  const SourceFile file(directory / "f");
  EXPECT_EQ(file.size(), 10u);
  EXPECT_EQ(file.name(), (directory / "f").string());
  EXPECT_EQ(read_text(file, 3, 4), "3456");
  EXPECT_EQ(read_text(file, 10, 0), "");
  EXPECT_EQ(read_whole_file(directory / "f"), "0123456789");
}

TEST(SourceFile, FollowsSymbolicLinks) {
  TemporaryDirectory directory;
  write_file(directory / "f", "abc");
  std::filesystem::create_symlink("f", directory / "link");
  EXPECT_EQ(read_text(SourceFile(directory / "link"), 0, 3), "abc");
}

TEST(SourceFile, MovesItsDescriptor) {
  TemporaryDirectory directory;
  write_file(directory / "f", "abc");
  write_file(directory / "g", "de");
  SourceFile file(directory / "f"), other(directory / "g");
  other = std::move(file);
  EXPECT_EQ(read_text(other, 0, 3), "abc");
  const SourceFile third(std::move(other));
  EXPECT_EQ(read_text(third, 1, 2), "bc");
  EXPECT_EQ(third.size(), 3u);
}

TEST(SourceFile, ReadingBeyondTheEndIsAnError) {
  TemporaryDirectory directory;
  write_file(directory / "f", "abc");
  const SourceFile file(directory / "f");
  EXPECT_THAT(failure_of([&] { read_text(file, 1, 3); }),
              HasSubstr("expected to read to byte 4, found the end at byte 3"));
  EXPECT_THROW(read_text(file, UINT64_MAX, 3), std::system_error);
}

TEST(SourceFile, AFileThatShrinksIsAnErrorAndNoCrash) {
  TemporaryDirectory directory;
  write_file(directory / "f", std::string(1 << 20, 'x'));
  const SourceFile file(directory / "f");
  std::filesystem::resize_file(directory / "f", 4096);
  EXPECT_THAT(failure_of([&] { read_text(file, 0, 1 << 20); }), HasSubstr("/f: the file ends early"));
}

TEST(SourceFile, PrefetchingNeverFails) {
  TemporaryDirectory directory;
  write_file(directory / "f", "abc");
  const SourceFile file(directory / "f");
  file.prefetch(0, 3);
  file.prefetch(UINT64_MAX, UINT64_MAX);
  EXPECT_EQ(read_text(file, 0, 3), "abc");
}

TEST(SourceFile, ForgettingNeverFails) {
  TemporaryDirectory directory;
  write_file(directory / "f", "abc");
  const SourceFile file(directory / "f");
  file.forget(0, 3);
  file.forget(UINT64_MAX, UINT64_MAX);
  EXPECT_EQ(read_text(file, 0, 3), "abc");
}

TEST(SourceFile, EveryOtherThingInItsPlaceIsOneClearSentence) {
  TemporaryDirectory directory;
  std::filesystem::create_symlink("loop", directory / "loop");
  std::filesystem::create_symlink("nothing", directory / "dangling");
  ASSERT_EQ(::mkfifo((directory / "pipe").c_str(), 0600), 0);
  const auto open = [&](const char* name) { return failure_of([&] { SourceFile file(directory / name); }); };
  EXPECT_THAT(open("absent"), HasSubstr("/absent: does not exist"));
  EXPECT_THROW(SourceFile(directory / "absent"), MissingInput);
  EXPECT_THAT(open("dangling"), HasSubstr("/dangling: is a symbolic link to what does not exist"));
  EXPECT_THAT(open("loop"), HasSubstr("/loop: cannot be opened: Too many levels of symbolic links"));
  EXPECT_THAT(open("."), HasSubstr("is a directory (expected a file)"));
  EXPECT_THAT(open("pipe"), HasSubstr("/pipe: is not a regular file"));  // and does not wait for a writer
}

// The superuser may read everything, so that it becomes somebody else for a moment.
TEST(SourceFile, AnUnreadableFileIsAnError) {
  constexpr uid_t nobody = 65534;
  TemporaryDirectory directory;
  write_file(directory / "f", "abc");
  std::filesystem::permissions(directory.path(), std::filesystem::perms::all);
  std::filesystem::permissions(directory / "f", std::filesystem::perms::none);
  const uid_t myself = ::geteuid();
  ASSERT_EQ(::seteuid(myself == 0 ? nobody : myself), 0);
  const std::string failure = failure_of([&] { SourceFile file(directory / "f"); });
  ASSERT_EQ(::seteuid(myself), 0);
  EXPECT_THAT(failure, HasSubstr("/f: cannot be opened: Permission denied"));
}

TEST(SourceFile, AWholeFileMayNotExceedItsLimit) {
  TemporaryDirectory directory;
  write_file(directory / "f", "abc");
  EXPECT_EQ(read_whole_file(directory / "f", 3), "abc");
  EXPECT_THROW(read_whole_file(directory / "f", 2), FormatError);
}

}  // namespace
}  // namespace moescope
