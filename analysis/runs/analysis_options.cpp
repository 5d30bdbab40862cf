#include "analysis/runs/analysis_options.h"

namespace moescope {

std::string AnalysisPart::name() const {
  return std::to_string(index + 1) + "/" + std::to_string(count);
}

}  // namespace moescope
