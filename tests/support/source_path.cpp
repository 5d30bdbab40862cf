#include "tests/support/source_path.h"

namespace moescope {

std::string source_path(std::string_view below) {
  return std::string(MOESCOPE_SOURCE_DIR "/").append(below);
}

}  // namespace moescope
