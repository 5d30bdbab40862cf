#pragma once
/// Where the repository's own files are: `source_path("data/eval_text")`. One unit knows the place, so that
/// the others compile to the same in every clone, which a compiler cache likes.

#include <string>
#include <string_view>

namespace moescope {

std::string source_path(std::string_view below);

}  // namespace moescope
