#pragma once
/// The only place that starts threads.

#include <pthread.h>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace moescope {

/// A thread, joined on destruction. What it does must end by itself by then, and throw nothing. Its stack has
/// 2 MiB, whatever limit of the shell (ulimit -s) the process was given.
class BackgroundThread {
 public:
  BackgroundThread() = default;
  /// Throws std::system_error, "cannot start NAME", where the system gives no thread or no memory for one.
  BackgroundThread(const std::string& name, std::function<void()> work);
  ~BackgroundThread();
  BackgroundThread(BackgroundThread&& other) noexcept;
  BackgroundThread& operator=(BackgroundThread&& other) noexcept;

 private:
  std::optional<pthread_t> thread_;
};

/// Threads that share the work of a loop. The caller is one of them.
class ThreadPool {
 public:
  /// `threads` = 0 means available_processors(). Throws std::system_error, "cannot start thread N of M".
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

/// Calls task(row) for every row below `rows`, as for_each does, where each is little work: a thread takes
/// several at once.
template <class Task>
void for_each_row(ThreadPool& threads, std::size_t rows, const Task& task) {
  constexpr std::size_t at_once = 32;
  threads.for_each((rows + at_once - 1) / at_once, [&](std::size_t run, unsigned) {
    const std::size_t end = std::min(rows, (run + 1) * at_once);
    for (std::size_t row = run * at_once; row < end; ++row) task(row);
  });
}

}  // namespace moescope
