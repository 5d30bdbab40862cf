// Writes sample reports for the browser test: write_sample_report DIRECTORY makes small/, large/, hostile/
// and weights/.

#include <cmath>
#include <cstdio>
#include <exception>

#include "plots/report/html_report.h"
#include "readers/run_file/run_file.h"
#include "tests/plots/sample_run.h"

int main(int argc, char** argv) {
  using namespace moescope;
  if (argc != 2) return 2;
  const std::filesystem::path root = argv[1];
  SampleRun weights_only;
  weights_only.forward = false;
  const std::pair<const char*, SampleRun> samples[] = {
      {"small", {}}, {"large", large_sample()}, {"hostile", hostile_sample()}, {"weights", weights_only}};
  try {
    for (const auto& [name, sample] : samples) {
      std::filesystem::create_directories(root / name);
      write_sample_run(root / name / "run.h5", sample);
      write_report(RunFile::open(root / name / "run.h5"), root / name / "report.html");
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
