#include "readers/run_file/run_lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <system_error>

#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

using testing::HasSubstr;

/// A process that holds the lock until it is killed.
class Holder {
 public:
  explicit Holder(const std::filesystem::path& run) {
    int ready[2];
    if (::pipe(ready) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
    process_ = ::fork();
    if (process_ == 0) {
      const RunLock lock(run);
      (void)!::write(ready[1], "x", 1);
      for (;;) ::pause();
    }
    char byte = 0;
    (void)!::read(ready[0], &byte, 1);
    ::close(ready[0]);
    ::close(ready[1]);
  }
  ~Holder() { kill(); }
  void kill() {
    if (process_ <= 0) return;
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
    process_ = 0;
  }
  pid_t process() const { return process_; }

 private:
  pid_t process_ = 0;
};

class RunLockTest : public testing::Test {
 protected:
  TemporaryDirectory directory_;
  std::filesystem::path run_ = directory_ / "run.h5", lock_ = directory_ / "run.h5.lock";
};

TEST_F(RunLockTest, KeepsASecondWriterOutAndNamesTheFirst) {
  const Holder holder(run_);
  try {
    const RunLock lock(run_);
    FAIL() << "no error";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), std::errc::device_or_resource_busy);
    EXPECT_THAT(error.what(), HasSubstr("run.h5: another moescope is writing it"));
    EXPECT_THAT(error.what(), HasSubstr("process " + std::to_string(holder.process()) + " on "));
  }
}

TEST_F(RunLockTest, AKilledWriterKeepsNobodyOut) {
  Holder holder(run_);
  holder.kill();
  EXPECT_TRUE(std::filesystem::exists(lock_));
  EXPECT_NO_THROW(RunLock{run_});
}

TEST_F(RunLockTest, LeavesNothingBehind) {
  {
    const RunLock lock(run_);
    EXPECT_TRUE(std::filesystem::exists(lock_));
  }
  EXPECT_FALSE(std::filesystem::exists(lock_));
  EXPECT_NO_THROW(RunLock{run_});
}

TEST_F(RunLockTest, AnOutputThatCannotBeWrittenIsASystemError) {
  EXPECT_THROW(RunLock(directory_ / "absent" / "run.h5"), std::system_error);
}

}  // namespace
}  // namespace moescope
