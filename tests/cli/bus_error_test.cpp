#include "cli/bus_error.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <string>

#include "readers/files/bulk_file.h"
#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

/// Reads a page of a mapped file that is no longer there.
void read_lost_page(const std::filesystem::path& path) {
  report_lost_files();
  const SourceFile file(path);
  const MappedBytes mapped = BulkFile(file).map(0, 1 << 20);
  std::filesystem::resize_file(path, 0);
  volatile std::byte value = mapped.bytes()[500'000];
  static_cast<void>(value);
}

TEST(LostFile, EndsTheProgramWithASentenceThatNamesIt) {
  TemporaryDirectory directory;
  write_file(directory / "a shard", std::string(1 << 20, 'x'));
  const std::string sentence =
      "^moescope: " + (directory / "a shard").string() +
      ": the file became shorter while it was being read, or can no longer be read\n$";
  EXPECT_EXIT(read_lost_page(directory / "a shard"), testing::ExitedWithCode(1), sentence);
}

TEST(LostFile, LeavesOtherBusErrorsAlone) {
  const auto raise_one = [] {
    report_lost_files();
    ::raise(SIGBUS);
  };
  EXPECT_EXIT(raise_one(), testing::KilledBySignal(SIGBUS), "^$");
}

}  // namespace
}  // namespace moescope
