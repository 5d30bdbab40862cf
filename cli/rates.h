#pragma once
/// Rates as they are typed.

#include <optional>
#include <string>
#include <string_view>

namespace moescope {

/// A second's worth of `unit`, e.g. of "B" or "FLOP": "2GB/s", "1.5 GiB/s", "2e9"; "400GFLOP/s", "0.4TFLOPS",
/// "4e11". Prefixes k, M, G, T and P are decimal, binary before an i; unit and "/s" may be left out. Empty
/// when it is no such rate, or not above 0.
std::optional<double> parse_rate(const std::string& text, std::string_view unit);

}  // namespace moescope
