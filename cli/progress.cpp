#include "cli/progress.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <system_error>

#include "cli/terminal.h"

namespace moescope {
namespace {

constexpr auto redraw_interval = std::chrono::milliseconds(100);
constexpr char erase_line[] = "\r\033[K";

bool can_draw() {
  const char* terminal = std::getenv("TERM");
  return is_terminal(Stream::error) && terminal && std::string_view(terminal) != "dumb";
}

std::string bar(double fraction, std::size_t width) {
  const auto filled = static_cast<std::size_t>(std::lround(fraction * static_cast<double>(width)));
  std::string text;
  for (std::size_t i = 0; i < width; ++i) text += i < filled ? "━" : "─";
  return text;
}

// Cuts at a character boundary.
std::string shortened(const std::string& text, std::size_t width) {
  if (display_width(text) <= width) return text;
  std::string result;
  for (std::size_t i = 0; i < text.size() && (display_width(result) < width || (text[i] & 0xC0) == 0x80);
       ++i) {
    result += text[i];
  }
  return result;
}

double seconds_between(std::chrono::steady_clock::time_point begin,
                       std::chrono::steady_clock::time_point end) {
  return std::chrono::duration<double>(end - begin).count();
}

/// In one piece, whatever other threads write.
void write(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

/// "23 min 10 s left"; empty where nothing tells: the first moments say nothing about the rest.
std::string time_left(double fraction, double elapsed_seconds) {
  if (!(fraction > 0.01 && fraction < 1 && elapsed_seconds > 1)) return "";
  return format_duration(std::ceil(elapsed_seconds * (1 - fraction) / fraction)) + " left";
}

}  // namespace

ProgressBar::ProgressBar(bool quiet, std::chrono::milliseconds interval) : interval_(interval) {
  if (!quiet) style_ = can_draw() ? Style::bar : Style::lines;
  last_drawn_ = start_;
}

ProgressBar::~ProgressBar() {
  lines_.reset();
  clear();
}

void ProgressBar::update(const std::string& label, double fraction, const std::string& rate) {
  if (style_ == Style::none) return;
  const std::lock_guard lock(mutex_);
  label_ = label, rate_ = rate, fraction_ = fraction;
  if (style_ == Style::bar) return draw_bar(Clock::now());
  write_line_if_due(Clock::now());
  if (!lines_) start_lines();
}

void ProgressBar::draw_bar(Clock::time_point now) {
  if (drawn_ && now - last_drawn_ < redraw_interval) return;
  const std::string line =
      progress_line(label_, fraction_, rate_, seconds_between(start_, now), terminal_width(Stream::error));
  write(erase_line + (has_colour(Stream::error) ? "\033[36m" + line + "\033[0m" : line));
  drawn_ = true;
  last_drawn_ = now;
}

void ProgressBar::write_line_if_due(Clock::time_point now) {
  if (now - last_drawn_ < interval_) return;
  write(log_line(label_, fraction_, rate_, seconds_between(start_, now)) + "\n");
  last_drawn_ = now;
}

/// Where no thread can be started, lines come with the next report after they are due.
void ProgressBar::start_lines() {
  const auto write_lines = [this](const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
      stopped_.wait_until(lock, stop, last_drawn_ + interval_, [] { return false; });
      if (!stop.stop_requested()) write_line_if_due(Clock::now());
    }
  };
  try {
    lines_.emplace(write_lines);
  } catch (const std::system_error&) {
    lines_.emplace();
  }
}

void ProgressBar::clear() {
  const std::lock_guard lock(mutex_);
  if (!drawn_) return;
  std::fputs(erase_line, stderr);
  std::fflush(stderr);
  drawn_ = false;
}

std::string progress_line(const std::string& label, double fraction, const std::string& rate,
                          double elapsed_seconds, unsigned width) {
  fraction = std::clamp(fraction, 0.0, 1.0);
  std::string right = " " + std::to_string(static_cast<int>(fraction * 100)) + "%";
  if (!rate.empty()) right += "  " + rate;
  if (const std::string left = time_left(fraction, elapsed_seconds); !left.empty()) right += "  " + left;
  const std::size_t used = display_width(label) + display_width(right) + 2;
  const std::size_t room =
      width > used + 1 ? width - used - 1 : 0;  // the last column makes some terminals wrap
  const std::string line =
      label + "  " + (room >= 5 ? bar(fraction, std::min<std::size_t>(room, 30)) : "") + right;
  return shortened(line, width > 0 ? width - 1 : 0);
}

std::string log_line(const std::string& label, double fraction, const std::string& rate,
                     double elapsed_seconds) {
  fraction = std::clamp(fraction, 0.0, 1.0);
  const std::string left = time_left(fraction, elapsed_seconds);
  return "progress: " + format_duration(elapsed_seconds) + ", " +
         std::to_string(static_cast<int>(fraction * 100)) + "% done" + (left.empty() ? "" : ", " + left) +
         " (" + label + (rate.empty() ? "" : ", " + rate) + ")";
}

}  // namespace moescope
