#include "cli/rates.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>

namespace moescope {
namespace {

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](unsigned char c) { return std::tolower(c); });
  return result;
}

/// Takes `ending` off the end of `text` if it is there.
bool take_ending(std::string& text, const std::string& ending) {
  if (!text.ends_with(ending)) return false;
  text.erase(text.size() - ending.size());
  return true;
}

/// 1e9 for "g", 2^30 for "gi", 1 for nothing.
std::optional<double> prefix_factor(const std::string& prefix) {
  if (prefix.empty()) return 1;
  const auto power = std::string("kmgtp").find(prefix.front());
  if (power == std::string::npos || (prefix.size() > 1 && prefix.substr(1) != "i")) return {};
  return std::pow(prefix.size() > 1 ? 1024.0 : 1000.0, static_cast<double>(power + 1));
}

/// Takes bits off the end of a unit: "Gbit/s", "Gbps", and "Gb/s", whose b is small beside a large prefix.
/// Returns the bytes of one of what was there, 1/8 or 1.
double take_bits(std::string& unit) {
  for (const char* ending : {"bits/s", "bit/s", "bits", "bit", "bps", "b/s", "b"}) {
    const bool bare = ending[1] == '\0' || ending[1] == '/';
    const bool large_prefix = !unit.empty() && std::isupper(static_cast<unsigned char>(unit.front())) != 0;
    if (bare && !large_prefix) continue;
    if (take_ending(unit, ending)) return 1.0 / 8;
  }
  return 1;
}

}  // namespace

std::optional<double> parse_rate(const std::string& text, std::string_view unit) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return {};
  std::string rest(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (rest.starts_with(' ')) rest.erase(0, 1);
  const double share = unit == "B" ? take_bits(rest) : 1;
  rest = lower(rest);
  const std::string plain = lower(unit);
  if (take_ending(rest, "/s") || !take_ending(rest, plain + "s")) take_ending(rest, plain);
  const std::optional<double> factor = prefix_factor(rest);
  if (!factor) return {};
  const double rate = number * *factor * share;
  if (!(rate > 0) || !std::isfinite(rate)) return {};
  return rate;
}

}  // namespace moescope
