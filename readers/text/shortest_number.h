#pragma once
/// Numbers in as few digits as tell them apart from all others of their type.

#include <charconv>
#include <string>

namespace moescope {

template <class Number>
std::string shortest(Number value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

}  // namespace moescope
