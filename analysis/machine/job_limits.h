#pragma once
/// What this process may use of the machine: less than all of it in a batch job or a container.

#include <cstdint>
#include <filesystem>
#include <limits>

namespace moescope {

/// What the control groups (cgroups 7) of a process grant it: the least of its own group and of those above
/// it.
struct GroupLimits {
  double processors = std::numeric_limits<double>::infinity();  // processor time per time
  std::uint64_t memory = std::numeric_limits<std::uint64_t>::max();
};
/// Of this process, of either version of control groups. `root` stands for "/": a test has its own.
GroupLimits read_group_limits(const std::filesystem::path& root = "/");

/// Processors: those that the affinity allows (taskset, Slurm), as `nproc` says, and no more than control
/// groups grant time of (cpu.max): at least 1.
unsigned available_processors();
/// Bytes of memory: the machine's, or what control groups grant.
std::uint64_t available_memory();

/// More than these never help. Throws UsageError, which tells the limit.
void require_useful_threads(std::uint64_t threads);

}  // namespace moescope
