#include "analysis/parallel.h"

#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <vector>

namespace moescope {

struct ThreadPool::State {
  std::mutex mutex;
  std::condition_variable work_arrived, work_finished;
  std::uint64_t round = 0;  // of for_each calls; a worker takes part in each once
  std::size_t busy = 0;     // workers still in the current round
  bool stopping = false;
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
    for (std::unique_lock lock(mutex);;) {
      work_arrived.wait(lock, [&] { return stopping || round != seen; });
      if (stopping) return;
      seen = round;
      lock.unlock();
      take_indices(worker);
      lock.lock();
      if (--busy == 0) work_finished.notify_one();
    }
  }
};

ThreadPool::ThreadPool(unsigned threads) : state_(std::make_unique<State>()) {
  if (threads == 0) threads = std::max(1u, std::thread::hardware_concurrency());
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
  const bool shared = count > 1 && !state.workers.empty();
  {
    const std::lock_guard lock(state.mutex);
    state.task = &task;
    state.count = count;
    state.next = 0;
    state.failure = nullptr;
    state.busy = shared ? state.workers.size() : 0;
    if (shared) ++state.round;
  }
  if (shared) state.work_arrived.notify_all();
  state.take_indices(0);
  std::unique_lock lock(state.mutex);
  state.work_finished.wait(lock, [&] { return state.busy == 0; });
  if (state.failure) std::rethrow_exception(state.failure);
}

}  // namespace moescope
