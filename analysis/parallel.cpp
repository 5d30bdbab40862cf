#include "analysis/parallel.h"

#include <hwy/cache_control.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <vector>

#include "analysis/clock.h"
#include "analysis/job_limits.h"

namespace moescope {
namespace {

/// How long a thread stays awake for what it waits for. Parts of a pass follow each other faster than that,
/// and to wake a sleeping processor takes up to a millisecond on a virtual machine: as long as a small
/// product.
constexpr std::chrono::milliseconds patience{4};

/// Returns when `happened` is true, or after `patience`.
template <class Condition>
void stay_awake(Condition happened) {
  const auto end = Clock::now() + patience;
  do {
    for (int i = 0; i < 32; ++i) {
      if (happened()) return;
      hwy::Pause();
    }
    std::this_thread::yield();  // to the thread that reads, above all
  } while (Clock::now() < end);
}

}  // namespace

struct ThreadPool::State {
  std::mutex mutex;
  std::condition_variable work_arrived, work_finished;
  // These three are changed under the lock.
  std::atomic<std::uint64_t> round{0};  // of for_each calls; even between them
  std::atomic<std::size_t> busy{0};     // workers in the current round; who wakes too late is not waited for
  std::atomic<bool> stopping{false};
  const std::function<void(std::size_t, unsigned)>* task = nullptr;
  std::size_t count = 0;
  std::atomic<std::size_t> next{0};
  std::exception_ptr failure;
  std::vector<std::jthread> workers;

  void take_indices(unsigned worker) {
    try {
      for (std::size_t i = next++; i < count; i = next++) (*task)(i, worker);
    } catch (...) {
      next = count;
      const std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
    }
  }

  void work(unsigned worker) {
    std::uint64_t seen = 0;
    const auto called = [&] { return stopping || (round % 2 == 1 && round != seen); };
    for (;;) {
      stay_awake(called);
      {
        std::unique_lock lock(mutex);
        work_arrived.wait(lock, called);
        if (stopping) return;
        seen = round;
        ++busy;
      }
      take_indices(worker);
      const std::lock_guard lock(mutex);
      if (--busy == 0) work_finished.notify_one();
    }
  }
};

ThreadPool::ThreadPool(unsigned threads) : state_(std::make_unique<State>()) {
  if (threads == 0) threads = available_processors();
  for (unsigned worker = 1; worker < threads; ++worker) {
    state_->workers.emplace_back([state = state_.get(), worker] { state->work(worker); });
  }
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->work_arrived.notify_all();
}

unsigned ThreadPool::threads() const {
  return static_cast<unsigned>(state_->workers.size()) + 1;
}

void ThreadPool::for_each(std::size_t count, const std::function<void(std::size_t, unsigned)>& task) {
  State& state = *state_;
  {
    const std::lock_guard lock(state.mutex);
    state.task = &task;
    state.count = count;
    state.next = 0;
    state.failure = nullptr;
    ++state.round;
  }
  if (count > 1) state.work_arrived.notify_all();
  state.take_indices(0);
  {
    const std::lock_guard lock(state.mutex);
    ++state.round;
  }
  const auto finished = [&] { return state.busy == 0; };
  stay_awake(finished);
  std::unique_lock lock(state.mutex);
  state.work_finished.wait(lock, finished);
  if (state.failure) std::rethrow_exception(state.failure);
}

}  // namespace moescope
