#pragma once
/// The only place that starts threads.

#include <cstddef>
#include <functional>
#include <memory>
#include <thread>

namespace moescope {

/// Threads that share the work of a loop. The caller is one of them.
class ThreadPool {
 public:
  /// `threads` = 0 means available_processors().
  explicit ThreadPool(unsigned threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  unsigned threads() const;

  /// Calls task(index, worker) once for every index below `count`, in any order, on any thread; `worker` is
  /// below threads() and no two calls with the same worker run at once. Returns when all are done. The first
  /// exception stops further indices and is rethrown here. One for_each at a time; tasks must not call it.
  void for_each(std::size_t count, const std::function<void(std::size_t index, unsigned worker)>& task);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// A thread beside the pool, e.g. for reading ahead; asked to stop and joined on destruction.
using BackgroundThread = std::jthread;

}  // namespace moescope
