#include "analysis/machine/parallel.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <system_error>
#include <vector>

#include "readers/sanitizers.h"

namespace moescope {
namespace {

TEST(ThreadPool, VisitsEveryIndexOnce) {
  for (unsigned threads : {1u, 2u, 5u}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (std::size_t count : {0u, 1u, 2u, 1000u}) {
      std::vector<std::atomic<int>> visits(count);
      pool.for_each(count, [&](std::size_t i, unsigned worker) {
        EXPECT_LT(worker, threads);
        ++visits[i];
      });
      for (const auto& visit : visits) EXPECT_EQ(visit, 1);
    }
  }
}

TEST(ThreadPool, NoWorkerRunsTwoTasksAtOnce) {
  ThreadPool pool(4);
  std::vector<std::atomic<int>> active(4);
  pool.for_each(2000, [&](std::size_t, unsigned worker) {
    EXPECT_EQ(++active[worker], 1);
    --active[worker];
  });
}

TEST(ThreadPool, RethrowsOnTheCallerAndGoesOnWorking) {
  ThreadPool pool(3);
  EXPECT_THROW(pool.for_each(100,
                             [](std::size_t i, unsigned) {
                               if (i == 17) throw std::runtime_error("seventeen");
                             }),
               std::runtime_error);
  std::atomic<int> done{0};
  pool.for_each(10, [&](std::size_t, unsigned) { ++done; });
  EXPECT_EQ(done, 10);
}

/// Leaves the process address space for that many bytes more.
void leave_memory(std::size_t bytes) {
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  const rlimit limit{pages * 4096 + bytes, RLIM_INFINITY};
  setrlimit(RLIMIT_AS, &limit);
}

/// A stack takes 2 MiB: there is room for a few of them. Another reason, as a limit on processes, fails
/// alike.
[[noreturn]] void start_more_threads_than_there_is_room_for() {
  leave_memory(std::size_t{9} << 20);
  try {
    const ThreadPool pool(64);
  } catch (const std::system_error& error) {
    std::cerr << error.what();
    std::exit(1);
  }
  std::exit(0);
}

TEST(ThreadPool, AThreadThatCannotStartIsASystemErrorThatNamesItAndTheOthersEnd) {
#if MOESCOPE_SANITIZED
  GTEST_SKIP() << "the sanitizer needs more address space than that";
#endif
  GTEST_FLAG_SET(death_test_style,
                 "threadsafe");  // a process of its own: no stack of an earlier thread is free
  EXPECT_EXIT(start_more_threads_than_there_is_room_for(), testing::ExitedWithCode(1),
              "cannot start thread [2-9] of 64: Resource temporarily unavailable");
}

}  // namespace
}  // namespace moescope
