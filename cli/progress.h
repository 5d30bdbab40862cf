#pragma once
/// A line on the terminal that says how far a long piece of work is, and when it will be done.

#include <chrono>
#include <mutex>
#include <string>

namespace moescope {

/// Draws on standard error, and only when that is a terminal that can go back to the start of a line;
/// otherwise it does nothing at all. Redraws a few times a second at most. Thread-safe.
class ProgressBar {
 public:
  /// `quiet`: never draw.
  explicit ProgressBar(bool quiet);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  /// `label` names what is being done now; `fraction` of all the work is done; `rate` is shown as it is, e.g.
  /// "1.2 GB/s".
  void update(const std::string& label, double fraction, const std::string& rate = {});
  /// Takes the line away, so that other text can be written. The next update draws it again.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;
  std::mutex mutex_;
  bool enabled_ = false;
  bool drawn_ = false;
  Clock::time_point start_ = Clock::now();
  Clock::time_point last_drawn_ = {};
};

/// One line of `width` columns at most, e.g. "01T forward  ━━━━━━──────  42%  1.2 GB/s  3 s left".
std::string progress_line(const std::string& label, double fraction, const std::string& rate,
                          double elapsed_seconds, unsigned width);

}  // namespace moescope
