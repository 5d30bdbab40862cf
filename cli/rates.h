#pragma once
/// Rates as they are typed.

#include <optional>
#include <string>
#include <string_view>

namespace moescope {

/// A second's worth of `unit`, e.g. of "B" or "FLOP": "2GB/s", "1.5 GiB/s", "2e9"; "400GFLOP/s", "0.4TFLOPS",
/// "4e11". Prefixes k, M, G, T and P are decimal, binary before an i; unit and "/s" may be left out. Of
/// bytes, "16Gb/s", "16Gbit/s" and "16Gbps" are 16e9 bits, 2e9 bytes. Empty when it is no such rate, or not
/// above 0.
std::optional<double> parse_rate(const std::string& text, std::string_view unit);

}  // namespace moescope
