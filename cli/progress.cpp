#include "cli/progress.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string_view>

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

}  // namespace

ProgressBar::ProgressBar(bool quiet) : enabled_(!quiet && can_draw()) {}

ProgressBar::~ProgressBar() {
  clear();
}

void ProgressBar::update(const std::string& label, double fraction, const std::string& rate) {
  if (!enabled_) return;
  const std::lock_guard lock(mutex_);
  const auto now = Clock::now();
  if (drawn_ && now - last_drawn_ < redraw_interval) return;
  const double elapsed = std::chrono::duration<double>(now - start_).count();
  const std::string line = progress_line(label, fraction, rate, elapsed, terminal_width(Stream::error));
  const std::string text = erase_line + (has_colour(Stream::error) ? "\033[36m" + line + "\033[0m" : line);
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
  drawn_ = true;
  last_drawn_ = now;
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
  // The first moments say nothing about the rest.
  if (fraction > 0.01 && fraction < 1 && elapsed_seconds > 1) {
    right += "  " + format_duration(std::ceil(elapsed_seconds * (1 - fraction) / fraction)) + " left";
  }
  const std::size_t used = display_width(label) + display_width(right) + 2;
  const std::size_t room =
      width > used + 1 ? width - used - 1 : 0;  // the last column makes some terminals wrap
  const std::string line =
      label + "  " + (room >= 5 ? bar(fraction, std::min<std::size_t>(room, 30)) : "") + right;
  return shortened(line, width > 0 ? width - 1 : 0);
}

}  // namespace moescope
