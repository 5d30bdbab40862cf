#include "analysis/machine/job_limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <fstream>

#include "readers/errors.h"
#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

namespace fs = std::filesystem;

/// A root with the files that tell about control groups.
class JobLimits : public testing::Test {
 protected:
  void write(const fs::path& file, const std::string& text) const {
    fs::create_directories((root.path() / file).parent_path());
    std::ofstream(root.path() / file) << text << '\n';
  }
  GroupLimits limits() const { return read_group_limits(root.path()); }

  const TemporaryDirectory root;
};

constexpr double unlimited = std::numeric_limits<double>::infinity();
constexpr std::uint64_t all_memory = std::numeric_limits<std::uint64_t>::max();

TEST_F(JobLimits, WithoutControlGroupsThereAreNone) {
  EXPECT_EQ(limits().processors, unlimited);
  EXPECT_EQ(limits().memory, all_memory);
}

// Control Group v2, in the documentation of the kernel: cpu.max is "$MAX $PERIOD", memory.max bytes or "max".
TEST_F(JobLimits, OfVersion2AreTheLeastOfAGroupAndThoseAboveIt) {
  write("proc/self/mountinfo",
        "24 1 0:20 / /sys rw - sysfs sysfs rw\n"
        "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw");
  write("proc/self/cgroup", "0::/user.slice/job.scope");
  write("sys/fs/cgroup/user.slice/job.scope/cpu.max", "max 100000");
  write("sys/fs/cgroup/user.slice/job.scope/memory.max", "1073741824");
  write("sys/fs/cgroup/user.slice/cpu.max", "50000 100000");
  write("sys/fs/cgroup/user.slice/memory.max", "max");
  EXPECT_EQ(limits().processors, 0.5);
  EXPECT_EQ(limits().memory, 1u << 30);
  write("sys/fs/cgroup/user.slice/memory.high", "536870912");
  EXPECT_EQ(limits().memory, 1u << 29);
}

// In a container whose namespace hides what is above: its own group is what is mounted.
TEST_F(JobLimits, OfAContainerAreThoseOfWhatIsMounted) {
  write("proc/self/mountinfo", "30 24 0:26 / /sys/fs/cgroup ro - cgroup2 cgroup rw");
  write("proc/self/cgroup", "0::/");
  write("sys/fs/cgroup/cpu.max", "150000 100000");
  write("sys/fs/cgroup/memory.max", "2147483648");
  EXPECT_EQ(limits().processors, 1.5);
  EXPECT_EQ(limits().memory, std::uint64_t{1} << 31);
}

// Slurm on version 1: a hierarchy for each controller; quota -1 and 2^63 - 4096 bytes mean no limit.
TEST_F(JobLimits, OfVersion1AreReadFromTheHierarchyOfEachController) {
  write("proc/self/mountinfo",
        "31 25 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
        "32 25 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory");
  write("proc/self/cgroup", "5:memory:/slurm/job_1/step_0\n4:cpu,cpuacct:/slurm/job_1\n1:name=systemd:/");
  write("sys/fs/cgroup/cpu,cpuacct/slurm/job_1/cpu.cfs_quota_us", "-1");
  write("sys/fs/cgroup/cpu,cpuacct/slurm/job_1/cpu.cfs_period_us", "100000");
  write("sys/fs/cgroup/cpu,cpuacct/slurm/cpu.cfs_quota_us", "300000");
  write("sys/fs/cgroup/cpu,cpuacct/slurm/cpu.cfs_period_us", "100000");
  write("sys/fs/cgroup/memory/slurm/job_1/step_0/memory.limit_in_bytes", "9223372036854771712");
  write("sys/fs/cgroup/memory/slurm/job_1/memory.limit_in_bytes", "4294967296");
  EXPECT_EQ(limits().processors, 3);
  EXPECT_EQ(limits().memory, std::uint64_t{1} << 32);
}

// Docker on version 1: the host's path is in /proc/self/cgroup, the container's group is mounted.
TEST_F(JobLimits, APathBelowTheMountedGroupIsTakenRelativeToIt) {
  write("proc/self/mountinfo", "32 25 0:28 /docker/ab /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory");
  write("proc/self/cgroup", "5:memory:/docker/ab/sub");
  write("sys/fs/cgroup/memory/sub/memory.limit_in_bytes", "1048576");
  EXPECT_EQ(limits().memory, 1u << 20);
}

TEST_F(JobLimits, BlanksInTheNamesOfMountsAreEscaped) {
  write("proc/self/mountinfo", R"(30 24 0:26 / /my\040groups rw - cgroup2 cgroup2 rw)");
  write("proc/self/cgroup", "0::/");
  write("my groups/cpu.max", "100000 100000");
  EXPECT_EQ(limits().processors, 1);
}

TEST(AvailableProcessors, AreThoseOfTheAffinity) {
  cpu_set_t before, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  CPU_ZERO(&one);
  for (int processor = 0; processor < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++processor) {
    if (CPU_ISSET(processor, &before)) CPU_SET(processor, &one);
  }
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  EXPECT_EQ(available_processors(), 1u);
  sched_setaffinity(0, sizeof before, &before);
  EXPECT_LE(available_processors(), static_cast<unsigned>(CPU_COUNT(&before)));
}

TEST(Threads, BeyondWhatEverHelpsAreRefusedWithTheLimit) {
  require_useful_threads(4 * available_processors());
  EXPECT_THAT([] { require_useful_threads(100'000'000); },
              testing::ThrowsMessage<UsageError>(
                  testing::MatchesRegex("--threads: expected at most [0-9]+, found 100000000")));
}

}  // namespace
}  // namespace moescope
