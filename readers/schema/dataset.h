#pragma once
/// A dataset whose element type is known when the program is compiled.

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "readers/schema/dataset_spec.h"

namespace moescope {

/// T is one of uint8_t, uint16_t, uint32_t, int32_t, int64_t, float, double, std::string.
template <class T>
constexpr ElementType element_type_of() {
  if constexpr (std::is_same_v<T, std::uint8_t>)
    return ElementType::u1;
  else if constexpr (std::is_same_v<T, std::uint16_t>)
    return ElementType::u2;
  else if constexpr (std::is_same_v<T, std::uint32_t>)
    return ElementType::u4;
  else if constexpr (std::is_same_v<T, std::int32_t>)
    return ElementType::i4;
  else if constexpr (std::is_same_v<T, std::int64_t>)
    return ElementType::i8;
  else if constexpr (std::is_same_v<T, float>)
    return ElementType::f4;
  else if constexpr (std::is_same_v<T, double>)
    return ElementType::f8;
  else
    return ElementType::text;
}

/// Where elements of type T are stored. Stands for its path wherever a path is asked for.
template <class T>
struct Dataset {
  std::string_view path;  // absolute, e.g. "/loss/nll"

  operator std::string() const { return std::string(path); }
  constexpr operator std::string_view() const { return path; }
  friend constexpr bool operator==(std::string_view other, Dataset dataset) { return other == dataset.path; }
};

/// Whether every T can be had as To: exactly, or rounded to floating point.
template <class T, class To>
constexpr bool reads_as() {
  if constexpr (std::is_same_v<T, To>) return true;
  if constexpr (!std::is_arithmetic_v<T> || !std::is_arithmetic_v<To>) return false;
  if constexpr (std::is_floating_point_v<To>) return true;
  return std::is_integral_v<T> && sizeof(T) < sizeof(To) && (std::is_unsigned_v<T> || std::is_signed_v<To>);
}

}  // namespace moescope
