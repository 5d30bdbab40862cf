#include "readers/files/bulk_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/magic.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "readers/sanitizers.h"
#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

constexpr std::uint64_t page = BulkFile::page_bytes;

/// Bytes that differ from those a page or a few bytes further on.
std::string pattern(std::uint64_t bytes) {
  std::string text(bytes, '\0');
  for (std::uint64_t i = 0; i < bytes; ++i) text[i] = static_cast<char>((i * 131 + i / page * 7) % 251);
  return text;
}

std::string as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string read_plainly(const SourceFile& file, std::uint64_t offset, std::uint64_t bytes) {
  std::string text(bytes, '\0');
  file.read(offset, std::as_writable_bytes(std::span(text)));
  return text;
}

std::string read_in_bulk(const BulkFile& file, std::uint64_t offset, std::uint64_t bytes) {
  const PageBuffer room(BulkFile::room_for(bytes));
  std::ranges::fill(room.bytes(), std::byte{0xEE});
  return as_text(file.read(offset, bytes, room.bytes()));
}

/// Writes the file to its disk and takes it out of the page cache.
void drop_from_cache(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDWR);
  ASSERT_GE(descriptor, 0);
  ASSERT_EQ(::fsync(descriptor), 0);
  ASSERT_EQ(::posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED), 0);
  ::close(descriptor);
}

/// Why it cannot be tested here whether pages are in the page cache; empty if it can.
std::string cannot_count_pages(const std::filesystem::path& path) {
  char first = 0;
  const SourceFile file(path);
  file.read(0, std::as_writable_bytes(std::span(&first, 1)));
  const int descriptor = file.reopen(O_RDONLY);
  const std::uint64_t range[2] = {0, 1};
  std::uint64_t counts[5] = {};
  struct statfs status {};
  const bool known = ::fstatfs(descriptor, &status) == 0;
  const bool counted = ::syscall(451, descriptor, range, counts, 0) == 0 && counts[0] == 1;  // cachestat
  ::close(descriptor);
  if (!known || status.f_type == TMPFS_MAGIC) return "a file system in memory drops nothing";
  return counted ? "" : "this system does not count cached pages";
}

struct Part {
  std::uint64_t offset, bytes;
};

/// Every combination of odd and even beginnings and ends around pages, as far as the file goes.
std::vector<Part> parts_of(std::uint64_t size) {
  const std::vector<std::uint64_t> places = {0,        1,        511,      page - 1, page, page + 1,
                                             2 * page, size / 2, size - 2, size - 1, size, size - size % page,
                                             size / 3};
  std::vector<Part> parts;
  for (std::uint64_t begin : places) {
    for (std::uint64_t end : places) {
      if (begin <= end && end <= size) parts.push_back({begin, end - begin});
    }
  }
  return parts;
}

void expect_reads(const std::filesystem::path& path, const std::string& content) {
  const SourceFile file(path);
  const BulkFile bulk(file);
  for (const Part& part : parts_of(content.size())) {
    SCOPED_TRACE(path.string() + ": " + std::to_string(part.bytes) + " bytes at " +
                 std::to_string(part.offset));
    EXPECT_TRUE(read_in_bulk(bulk, part.offset, part.bytes) == content.substr(part.offset, part.bytes));
  }
}

TEST(BulkFile, ReadsWhatIsCachedAndWhatIsNot) {
  TemporaryDirectory directory;
  for (std::uint64_t size : {2ull, 511ull, 4095ull, 4096ull, 4097ull, 12288ull, 300'007ull}) {
    const std::filesystem::path path = directory / std::to_string(size);
    write_file(path, pattern(size));
    expect_reads(path, pattern(size));
    drop_from_cache(path);
    expect_reads(path, pattern(size));
  }
}

// Where O_DIRECT is refused, depending on the kernel; it must work either way.
TEST(BulkFile, ReadsFromAFileSystemInMemory) {
  const std::filesystem::path path = "/dev/shm/moescope-test-" + std::to_string(::getpid());
  try {
    write_file(path, pattern(100'003));
  } catch (const std::system_error&) {
    GTEST_SKIP() << "there is no /dev/shm to write to";
  }
  expect_reads(path, pattern(100'003));
  std::filesystem::remove(path);
}

TEST(BulkFile, HolesReadAsZeros) {
  TemporaryDirectory directory;
  const std::string begin = pattern(page + 5);
  write_file(directory / "f", begin);
  std::filesystem::resize_file(directory / "f", 300'007);
  expect_reads(directory / "f", begin + std::string(300'007 - begin.size(), '\0'));
}

TEST(BulkFile, AnEmptyFileIsNoSpecialCase) {
  TemporaryDirectory directory;
  write_file(directory / "f", "");
  const SourceFile file(directory / "f");
  const BulkFile bulk(file);
  EXPECT_FALSE(bulk.is_cached(0, 0));
  EXPECT_EQ(read_in_bulk(bulk, 0, 0), "");
}

TEST(BulkFile, KnowsWhatThePageCacheHolds) {
  TemporaryDirectory directory;
  const std::uint64_t size = 5'000'001;
  write_file(directory / "f", pattern(size));
  if (const std::string reason = cannot_count_pages(directory / "f"); !reason.empty()) GTEST_SKIP() << reason;
  const SourceFile file(directory / "f");
  const BulkFile bulk(file);
  EXPECT_TRUE(bulk.is_cached(0, size)) << "just written";

  drop_from_cache(directory / "f");
  EXPECT_FALSE(bulk.is_cached(0, size)) << "just dropped";
  read_plainly(file, 0, size);
  EXPECT_TRUE(bulk.is_cached(0, size)) << "just read";
  EXPECT_TRUE(bulk.is_cached(size - 1, 1));
  EXPECT_TRUE(bulk.is_cached(4097, 10));
}

TEST(BulkFile, NothingOutsideTheFileIsCached) {
  TemporaryDirectory directory;
  write_file(directory / "f", pattern(page));
  const SourceFile file(directory / "f");
  const BulkFile bulk(file);
  EXPECT_FALSE(bulk.is_cached(0, 0));
  EXPECT_FALSE(bulk.is_cached(0, page + 1));
  EXPECT_FALSE(bulk.is_cached(UINT64_MAX, 2));
}

// A question that has pages read would be answered differently the next time.
TEST(BulkFile, AskingAndReadingPastTheCacheLeavesNothingInIt) {
  TemporaryDirectory directory;
  const std::uint64_t size = 5'000'001;
  write_file(directory / "f", pattern(size));
  if (const std::string reason = cannot_count_pages(directory / "f"); !reason.empty()) GTEST_SKIP() << reason;
  const SourceFile file(directory / "f");
  const BulkFile bulk(file);
  drop_from_cache(directory / "f");
  for (int pass = 0; pass < 20; ++pass) {
    EXPECT_FALSE(bulk.is_cached(0, page)) << pass;
    EXPECT_FALSE(bulk.is_cached(0, size)) << pass;
    read_in_bulk(bulk, 0, size);
  }
}

TEST(BulkFile, ReadingBeyondTheEndIsAnError) {
  TemporaryDirectory directory;
  write_file(directory / "f", pattern(page + 1));
  const SourceFile file(directory / "f");
  const BulkFile bulk(file);
  EXPECT_THAT([&] { read_in_bulk(bulk, 1, page + 1); },
              ThrowsMessage<std::system_error>(HasSubstr(
                  "/f: the file ends early (expected to read to byte 4098, found the end at byte 4097)")));
  EXPECT_THAT([&] { read_in_bulk(bulk, UINT64_MAX, 3); },
              ThrowsMessage<std::system_error>(HasSubstr("the file ends early")));
}

TEST(BulkFile, AFileThatShrinksIsAnErrorAndNeitherACrashNorZeros) {
  TemporaryDirectory directory;
  const std::uint64_t size = 1 << 20;
  for (std::uint64_t left : {std::uint64_t{0}, page, 100 * page + 17, size - page, size - 1}) {
    SCOPED_TRACE(left);
    write_file(directory / "f", pattern(size));
    const SourceFile file(directory / "f");
    const BulkFile bulk(file);
    std::filesystem::resize_file(directory / "f", left);
    const std::string sentence =
        "/f: the file ends early (expected to read to byte 1048576, found the end at byte " +
        std::to_string(left) + ")";
    EXPECT_THAT([&] { read_in_bulk(bulk, 0, size); }, ThrowsMessage<std::system_error>(HasSubstr(sentence)));
    EXPECT_THAT([&] { read_in_bulk(bulk, size - 5, 5); },
                ThrowsMessage<std::system_error>(HasSubstr("the file ends early")));
  }
}

TEST(BulkFile, ReadsTheFileThatWasOpenedWhateverTakesItsName) {
  TemporaryDirectory directory;
  const std::string content = pattern(100'003);
  write_file(directory / "f", content);
  const SourceFile file(directory / "f");
  write_file(directory / "new", std::string(100'003, 'n'));
  std::filesystem::rename(directory / "new", directory / "f");
  const BulkFile replaced(file);
  EXPECT_TRUE(read_in_bulk(replaced, 0, content.size()) == content);

  std::filesystem::remove(directory / "f");
  const BulkFile removed(file);
  EXPECT_TRUE(read_in_bulk(removed, 1, 100'000) == content.substr(1, 100'000));
}

TEST(PageBuffer, LiesOnAPageBoundary) {
  for (std::uint64_t bytes : {0ull, 1ull, 4096ull, 4097ull, (2ull << 20) - 1, (2ull << 20) + 8192}) {
    const PageBuffer buffer(bytes);
    EXPECT_EQ(buffer.bytes().size(), bytes);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.bytes().data()) % page, 0u);
  }
#if !MOESCOPE_SANITIZED  // these end the program instead
  EXPECT_THROW(PageBuffer(std::uint64_t{1} << 60), std::bad_alloc);
#endif
}

TEST(PageBuffer, IsEmptyOnceItsMemoryHasMoved) {
  PageBuffer buffer(10);
  const PageBuffer other(std::move(buffer));
  EXPECT_TRUE(buffer.bytes().empty());
  EXPECT_EQ(other.bytes().size(), 10u);
}

}  // namespace
}  // namespace moescope
