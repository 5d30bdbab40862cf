#include "analysis/machine/parallel.h"

#include <hwy/cache_control.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "analysis/machine/clock.h"
#include "analysis/machine/job_limits.h"

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

constexpr std::size_t stack_bytes = std::size_t{2} << 20;

/// What a new thread is given to do; it owns it.
void* run_work(void* work) {
  const std::unique_ptr<std::function<void()>> owned(static_cast<std::function<void()>*>(work));
  (*owned)();
  return nullptr;
}

struct ThreadAttributes {
  pthread_attr_t values{};
  ThreadAttributes() {
    pthread_attr_init(&values);
    pthread_attr_setstacksize(&values, stack_bytes);
  }
  ~ThreadAttributes() { pthread_attr_destroy(&values); }
  ThreadAttributes(const ThreadAttributes&) = delete;
  ThreadAttributes& operator=(const ThreadAttributes&) = delete;
};

}  // namespace

BackgroundThread::BackgroundThread(const std::string& name, std::function<void()> work) {
  auto owned = std::make_unique<std::function<void()>>(std::move(work));
  const ThreadAttributes attributes;
  pthread_t thread{};
  const int failure = pthread_create(&thread, &attributes.values, run_work, owned.get());
  if (failure != 0) throw std::system_error(failure, std::generic_category(), "cannot start " + name);
  static_cast<void>(owned.release());
  thread_ = thread;
}

BackgroundThread::~BackgroundThread() {
  if (thread_) pthread_join(*thread_, nullptr);
}

BackgroundThread::BackgroundThread(BackgroundThread&& other) noexcept
    : thread_(std::exchange(other.thread_, std::nullopt)) {}

BackgroundThread& BackgroundThread::operator=(BackgroundThread&& other) noexcept {
  std::swap(thread_, other.thread_);
  return *this;
}

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
  std::vector<BackgroundThread> workers;

  /// Those that have been started end, also where the next one could not be.
  ~State() {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
    }
    work_arrived.notify_all();
  }

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
  state_->workers.reserve(threads - 1);
  for (unsigned worker = 1; worker < threads; ++worker) {
    state_->workers.emplace_back("thread " + std::to_string(worker + 1) + " of " + std::to_string(threads),
                                 [state = state_.get(), worker] { state->work(worker); });
  }
}

ThreadPool::~ThreadPool() = default;

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
