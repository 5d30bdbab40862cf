#include "analysis/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <vector>

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

}  // namespace
}  // namespace moescope
