#pragma once
/// How far a long piece of work is, and when it will be done.

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "analysis/machine/parallel.h"

namespace moescope {

/// Drawn on standard error, a few times a second at most, where that is a terminal that can go back to the
/// start of a line. Elsewhere (a batch job's log) it writes a line of its own after every `interval`.
/// Thread-safe.
class ProgressBar {
 public:
  static constexpr std::chrono::milliseconds log_interval{60'000};
  /// `quiet`: never write anything.
  explicit ProgressBar(bool quiet, std::chrono::milliseconds interval = log_interval);
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
  enum class Style { none, bar, lines };
  void draw_bar(Clock::time_point now);
  void write_line_if_due(Clock::time_point now);
  void start_lines();

  std::mutex mutex_;
  Style style_ = Style::none;
  std::chrono::milliseconds interval_;
  std::string label_, rate_;
  double fraction_ = 0;
  bool drawn_ = false;
  Clock::time_point start_ = Clock::now();
  Clock::time_point last_drawn_ = {};
  std::condition_variable_any stopped_;
  std::stop_source end_;
  std::optional<BackgroundThread> lines_;  // for lines that are due while nothing is reported
};

/// One line of `width` columns at most, e.g. "01T forward  ━━━━━━──────  42%  1.2 GB/s  3 s left".
std::string progress_line(const std::string& label, double fraction, const std::string& rate,
                          double elapsed_seconds, unsigned width);

/// For a log: "progress: 12 min 0 s, 34% done, 23 min 10 s left (01T: forward pass, 1.2 GB/s)".
std::string log_line(const std::string& label, double fraction, const std::string& rate,
                     double elapsed_seconds);

}  // namespace moescope
