#include "readers/version.h"

namespace moescope {

std::string program_version() {
  return MOESCOPE_VERSION;
}

}  // namespace moescope
