#pragma once
/// Which characters the reference library takes for letters, numbers, white space and so on: its Oniguruma
/// 6.9.10 knows Unicode 16.0, PCRE2 10.42 knows 14.0.

#include <string>
#include <string_view>

namespace moescope {

/// The characters of a general category ("Lu"), of a group of them ("L"), or white space ("s"), as PCRE2
/// writes them between brackets.
std::string class_members(std::string_view name);

}  // namespace moescope
