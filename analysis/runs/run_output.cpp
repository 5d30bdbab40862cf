#include "analysis/runs/run_output.h"

#include <string>
#include <system_error>

#include "readers/errors.h"
#include "readers/files/output_file.h"
#include "readers/run_file/run_file.h"

namespace moescope {
namespace {

namespace fs = std::filesystem;

bool is_run_file(const fs::path& path) {
  try {
    RunFile::open(path);
    return true;
  } catch (const InputError&) {
    return false;
  }
}

}  // namespace

void require_run_output(const fs::path& output, std::span<const fs::path> inputs) {
  require_not_among(find_output_file(output, "a run file"), inputs);
  for (const char* ending : {".lock", ".partial", ".resume", ".append"}) {
    const fs::path companion = output.string() + ending;
    std::error_code ignored;
    if (fs::exists(companion, ignored)) require_not_among(find_output_file(companion, "a run file"), inputs);
  }
}

void require_replaceable(const fs::path& output) {
  std::error_code ignored;
  if (!fs::exists(output, ignored) || fs::is_empty(output, ignored) || is_run_file(output)) return;
  throw UsageError(output.string() + ": exists and is no readable run file; nothing else is overwritten",
                   "give another -o, or remove that file first");
}

}  // namespace moescope
