#include "tests/analysis/runs/tiny_series.h"

#include "readers/checkpoint/series.h"
#include "tests/support/checkpoint_builder.h"

namespace moescope {
namespace {

template <class T>
std::string bytes_of(const RunFile& run, const std::string& path) {
  const std::vector<T> values = run.read<T>(path);
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

bool is_measured(const std::string& path) {
  return path.starts_with("/io/");
}

}  // namespace

TinySeriesTest::TinySeriesTest() {
  for (std::uint64_t seed : {1, 2, 3}) {
    CheckpointOptions checkpoint;
    checkpoint.seed = seed;
    write_checkpoint(directory_ / "series" / (std::to_string(seed) + "T"), checkpoint);
  }
  write_ids("even", {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  write_ids("odd", {39, 38, 37, 36, 35, 34, 33});
  options_.inputs.series = find_series({directory_ / "series"}).entries;
  options_.inputs.corpus = {{"", directory_ / "even.npy"}, {"", directory_ / "odd.npy"}};
  options_.inputs.corpus_options.sequence_length = 5;
  options_.output.file = directory_ / "run.h5";
  options_.scope.version = "test";
  options_.resources.threads = 2;
}

void TinySeriesTest::write_ids(const std::string& name, const std::vector<std::int32_t>& ids) {
  std::string header =
      "{'descr': '<i4', 'fortran_order': False, 'shape': (" + std::to_string(ids.size()) + ",), }";
  header.resize(117, ' ');
  std::string bytes("\x93NUMPY\x01\x00\x76\x00", 10);
  bytes += header + "\n";
  bytes.append(reinterpret_cast<const char*>(ids.data()), ids.size() * sizeof(std::int32_t));
  write_file(directory_ / (name + ".npy"), bytes);
}

AnalysisSummary TinySeriesTest::analyze() {
  AnalysisListener silent;
  return analyze_series(options_, silent);
}

std::filesystem::path TinySeriesTest::analyze(const std::string& file, AnalysisOptions options) {
  options.output.file = directory_ / file;
  AnalysisListener silent;
  EXPECT_TRUE(analyze_series(options, silent).complete);
  return options.output.file;
}

std::string dataset_bytes(const RunFile& run, const std::string& path) {
  switch (run.describe(path).type) {
    case ElementType::u1:
      return bytes_of<std::uint8_t>(run, path);
    case ElementType::u2:
      return bytes_of<std::uint16_t>(run, path);
    case ElementType::u4:
      return bytes_of<std::uint32_t>(run, path);
    case ElementType::i4:
      return bytes_of<std::int32_t>(run, path);
    case ElementType::i8:
      return bytes_of<std::int64_t>(run, path);
    case ElementType::f4:
      return bytes_of<float>(run, path);
    case ElementType::f8:
      return bytes_of<double>(run, path);
    case ElementType::text:
      break;
  }
  std::string joined;
  for (const std::string& text : run.read<std::string>(path)) joined += text + '\0';
  return joined;
}

void expect_same_datasets(const std::filesystem::path& a, const std::filesystem::path& b) {
  const RunFile x = RunFile::open(a), y = RunFile::open(b);
  ASSERT_EQ(x.datasets(), y.datasets());
  for (const std::string& path : x.datasets()) {
    if (!is_measured(path)) {
      EXPECT_EQ(dataset_bytes(x, path), dataset_bytes(y, path)) << path;
    }
  }
}

}  // namespace moescope
