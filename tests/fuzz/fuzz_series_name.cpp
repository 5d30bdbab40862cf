#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "readers/checkpoint/series_order.h"

/// Lines are names of a series.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::string> names{std::string()};
  for (const char c : std::string_view(reinterpret_cast<const char*>(data), size)) {
    if (c == '\n') {
      names.emplace_back();
    } else {
      names.back() += c;
    }
  }
  constexpr std::size_t most_names = 64;  // it is the names that matter, not how many
  if (names.size() > most_names) names.resize(most_names);
  const moescope::SeriesOrder order = moescope::order_by_names(names);
  if (order.order.size() != names.size()) __builtin_trap();
  for (const moescope::NamedProgress& progress : order.progress) {
    for (const double value : {progress.tokens, progress.step}) {
      if (std::isinf(value) || value < 0) __builtin_trap();
    }
  }
  return 0;
}
