#include "readers/run_file/run_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmath>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <system_error>

#include "readers/errors.h"
#include "tests/support/source_path.h"
#include "tests/support/temporary_directory.h"

// Of the leak sanitizer; absent without it.
extern "C" void __lsan_disable() __attribute__((weak));
extern "C" void __lsan_enable() __attribute__((weak));

namespace moescope {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Texts = std::vector<std::string>;

const DatasetSpec topk_index{
    "/routing/topk_index", ElementType::u2, {"checkpoint", "moe_layer", "token", "rank"}, "1", "Experts",
    "The experts taken.",  "The test."};
const DatasetSpec nll{"/loss/nll",          ElementType::f4, {"checkpoint", "token"}, "nat", "Loss",
                      "Of the next token.", "The test."};

DatasetSpec scale(const std::string& name) {
  return {"/" + name, ElementType::text, {}, "1", name, "Labels.", "The test."};
}

/// C = 3 checkpoints, L = 5 layers, T = 3000 tokens, K = 4.
void define_routing(RunFile& file) {
  file.define_dimension(scale("checkpoint"), Texts{"00T", "01T", "größer"});
  file.define_dimension(scale("moe_layer"), std::vector<std::int64_t>{1, 2, 3, 4, 5});
  file.define_dimension("token", 3000);
  file.define_dimension("rank", 4);
  file.define(topk_index);
  file.define(nll);
}

std::string read_bytes(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Everything there is in a run file.
void read_all(const std::filesystem::path& path) {
  const RunFile file = RunFile::open(path);
  for (const std::string& dataset : file.datasets()) {
    if (file.describe(dataset).type == ElementType::text) {
      file.read<std::string>(dataset);
    } else {
      file.read<double>(dataset);
    }
  }
}

class RunFileTest : public testing::Test {
 protected:
  /// A written and closed file, as bytes.
  std::string written() const {
    {
      RunFile file = RunFile::create(path);
      define_routing(file);
      file.write<float>(nll.path, std::vector<float>(3 * 3000, 1.5f));
    }
    return read_bytes(path);
  }

  const TemporaryDirectory directory;
  const std::filesystem::path path = directory / "run.h5";
};

TEST_F(RunFileTest, ReadsBackASlab) {
  const Slab slab{{1, 2, 0, 0}, {1, 1, 3000, 4}};
  const std::vector<std::uint16_t> experts(3000 * 4, 7);
  {
    RunFile file = RunFile::create(path);
    define_routing(file);
    file.write<std::uint16_t>(topk_index.path, slab, experts);
    file.flush();
  }
  const RunFile back = RunFile::open(path);
  EXPECT_EQ(back.read<std::uint16_t>(topk_index.path, slab), experts);
  EXPECT_EQ(back.read<std::uint16_t>(topk_index.path, {{1, 1, 0, 0}, {1, 1, 3000, 4}}),
            std::vector<std::uint16_t>(3000 * 4, 0));
}

TEST_F(RunFileTest, SlabsWrittenOneByOneMakeTheWhole) {
  RunFile file = RunFile::create(path);
  define_routing(file);
  std::vector<std::uint16_t> whole;
  for (std::uint64_t checkpoint = 0; checkpoint < 3; ++checkpoint) {
    for (std::uint64_t layer = 0; layer < 5; ++layer) {
      const std::vector<std::uint16_t> slab(3000 * 4, static_cast<std::uint16_t>(10 * checkpoint + layer));
      file.write<std::uint16_t>(topk_index.path, {{checkpoint, layer, 0, 0}, {1, 1, 3000, 4}}, slab);
      whole.insert(whole.end(), slab.begin(), slab.end());
    }
  }
  EXPECT_EQ(file.read<std::uint16_t>(topk_index.path), whole);
}

TEST_F(RunFileTest, DescribesWhatWasDefined) {
  written();
  const RunFile file = RunFile::open(path);
  const DatasetSpec spec = file.describe(topk_index.path);
  EXPECT_EQ(spec.type, ElementType::u2);
  EXPECT_EQ(spec.dimensions, topk_index.dimensions);
  EXPECT_EQ(spec.unit, "1");
  EXPECT_EQ(spec.long_name, "Experts");
  EXPECT_EQ(spec.description, "The experts taken.");
  EXPECT_EQ(spec.source, "The test.");
  EXPECT_THAT(file.shape(topk_index.path), ElementsAre(3, 5, 3000, 4));
}

DatasetSpec reserved_texts() {
  return {"/remarks", ElementType::text, {"checkpoint"}, "1", "Remarks", "Some.", "The test.", 16};
}

TEST_F(RunFileTest, TextsWithReservedSpaceAreWrittenLateWithoutChangingTheFilesStructure) {
  {
    RunFile file = RunFile::create(path);
    define_routing(file);
    file.define(reserved_texts());
    file.flush();
    const auto size = std::filesystem::file_size(path);
    const std::string late[] = {"16bytes: größe"};
    file.write<std::string>("/remarks", {{1}, {1}}, late);
    file.flush();
    EXPECT_EQ(std::filesystem::file_size(path), size);
  }
  const RunFile back = RunFile::open(path);
  EXPECT_THAT(back.read<std::string>("/remarks"), ElementsAre("", "16bytes: größe", ""));
  EXPECT_THAT(back.read<std::string>("/remarks", {{1}, {1}}), ElementsAre("16bytes: größe"));
  EXPECT_EQ(back.describe("/remarks").type, ElementType::text);
  EXPECT_EQ(back.describe("/remarks").text_bytes, 16u);
  EXPECT_EQ(back.describe("/checkpoint").text_bytes, 0u);
}

TEST_F(RunFileTest, ATextLongerThanItsSpaceIsRefused) {
  RunFile file = RunFile::create(path);
  define_routing(file);
  file.define(reserved_texts());
  EXPECT_THROW(file.write<std::string>("/remarks", Texts{"", "", "seventeen bytes.."}), std::out_of_range);
}

TEST_F(RunFileTest, ListsDatasetsAndScalesOnce) {
  RunFile file = RunFile::create(path);
  define_routing(file);
  EXPECT_THAT(file.datasets(), ElementsAre("/checkpoint", "/loss/nll", "/moe_layer", "/routing/topk_index"));
  EXPECT_THAT(file.datasets("/loss"), ElementsAre("/loss/nll"));
  EXPECT_THAT(file.datasets("/weights"), IsEmpty());
  EXPECT_TRUE(file.contains("/token"));
  EXPECT_FALSE(file.contains("/loss"));
  EXPECT_FALSE(file.contains("/loss/entropy"));
}

TEST_F(RunFileTest, LabelsOfAllTypesReadBack) {
  RunFile file = RunFile::create(path);
  file.define_dimension(scale("checkpoint"), Texts{"", "größer", "a\"b\nc"});
  file.define_dimension(scale("layer"), std::vector<std::int64_t>{-1, 1ll << 40});
  file.define_dimension(scale("quantile"), std::vector<double>{0.05, 0.5});
  EXPECT_THAT(file.read<std::string>("/checkpoint"), ElementsAre("", "größer", "a\"b\nc"));
  EXPECT_THAT(file.read<std::int64_t>("/layer"), ElementsAre(-1, 1ll << 40));
  EXPECT_THAT(file.read<double>("/quantile"), ElementsAre(0.05, 0.5));
}

// Others refuse to open a file whose text is not UTF-8.
TEST_F(RunFileTest, NoTextIsWrittenThatIsNotUtf8) {
  RunFile file = RunFile::create(path);
  file.define_dimension(scale("checkpoint"), Texts{"caf\xE9", "plain"});
  EXPECT_THAT(file.read<std::string>("/checkpoint"), ElementsAre("caf\uFFFD", "plain"));
  file.set_attribute("/", "command_line", std::string("analyze caf\xE9"));
  EXPECT_EQ(file.attribute("/", "command_line"), AttributeValue(std::string("analyze caf\uFFFD")));
}

TEST_F(RunFileTest, NothingWrittenIsNotANumberZeroOrEmpty) {
  RunFile file = RunFile::create(path);
  define_routing(file);
  DatasetSpec phase = scale("phase");
  phase.dimensions = {"checkpoint"};
  file.define(phase);
  EXPECT_TRUE(std::isnan(file.read<float>(nll.path).at(5)));
  EXPECT_EQ(file.read<std::uint16_t>(topk_index.path).at(5), 0);
  EXPECT_THAT(file.read<std::string>("/phase"), ElementsAre("", "", ""));
}

TEST_F(RunFileTest, EmptyDimensionsAreFine) {
  RunFile file = RunFile::create(path);
  file.define_dimension("checkpoint_step", 0);
  file.define_dimension(scale("domain"), Texts{});
  file.define({"/weights/update", ElementType::f8, {"checkpoint_step", "domain"}, "1", "u", "d", "s"});
  file.write<double>("/weights/update", std::vector<double>{});
  EXPECT_THAT(file.read<double>("/weights/update"), IsEmpty());
}

TEST_F(RunFileTest, NumbersConvertWhereThatIsExactOrToFloatingPoint) {
  written();
  const RunFile file = RunFile::open(path);
  EXPECT_EQ(file.read<double>(nll.path).at(0), 1.5);
  EXPECT_EQ(file.read<std::int64_t>(topk_index.path).at(0), 0);
  EXPECT_THROW(file.read<std::uint8_t>(topk_index.path), FormatError);
  EXPECT_THROW(file.read<std::int64_t>(nll.path), FormatError);
  EXPECT_THROW(file.read<std::string>(nll.path), FormatError);
}

TEST_F(RunFileTest, AttributesOfAllTypesReadBackAndMayBeReplaced) {
  RunFile file = RunFile::create(path);
  define_routing(file);
  const std::vector<AttributeValue> values = {
      std::string("a µ"),      std::string(), std::int64_t{-3}, 0.25, std::vector<std::int64_t>{1, 0},
      std::vector<double>{0.5}};
  for (const AttributeValue& value : values) {
    file.set_attribute(nll.path, "chance", value);
    EXPECT_EQ(file.attribute(nll.path, "chance"), value);
  }
  EXPECT_EQ(file.attribute(nll.path, "absent"), std::nullopt);
  EXPECT_EQ(file.attribute("/", "filetype"), AttributeValue("moescope-run"));
  EXPECT_THROW(file.attribute("/absent", "unit"), FormatError);
}

TEST_F(RunFileTest, OpenForUpdateKeepsWhatIsThereAndAdds) {
  written();
  {
    RunFile file = RunFile::open_for_update(path);
    file.define({"/metrics/loss", ElementType::f8, {"checkpoint"}, "nat", "Loss", "Mean.", "The test."});
    file.write<double>("/metrics/loss", {{1}, {1}}, std::vector<double>{2.5});
    file.flush();
  }
  const RunFile file = RunFile::open(path);
  EXPECT_THAT(file.describe("/metrics/loss").dimensions, ElementsAre("checkpoint"));
  EXPECT_EQ(file.read<double>("/metrics/loss").at(1), 2.5);
  EXPECT_EQ(file.read<float>(nll.path).at(0), 1.5f);
}

TEST_F(RunFileTest, TheSameInputsGiveTheSameBytes) {
  ::setenv("SOURCE_DATE_EPOCH", "1769860800", 1);
  const std::string first = written();
  std::filesystem::remove(path);
  EXPECT_EQ(written(), first);
  ::unsetenv("SOURCE_DATE_EPOCH");
  EXPECT_EQ(RunFile::open(path).attribute("/", "created"), AttributeValue("2026-01-31T12:00:00Z"));
}

// What makes a file safe to be read while it is written, and whenever its writer dies.
TEST_F(RunFileTest, AfterTheFirstFlushOnlyValuesChange) {
  RunFile file = RunFile::create(path);
  define_routing(file);
  file.set_attribute("/", "note", std::string("a"));
  file.flush();
  const std::string before = read_bytes(path);
  const std::vector<float> values(3 * 3000, 1.5f);
  file.write<float>(nll.path, values);
  file.write<std::uint16_t>(topk_index.path, {{1, 0, 0, 0}, {1, 5, 3000, 4}},
                            std::vector<std::uint16_t>(5 * 3000 * 4, 7));
  file.set_attribute("/", "note", std::string("a"));
  file.sync();
  std::string after = read_bytes(path);
  ASSERT_EQ(after.size(), before.size());
  // NaN has become 1.5, and 0 has become 7: undone, the file is what it was.
  std::size_t losses = 0, choices = 0;
  for (std::size_t i = 0; i < after.size(); ++i) {
    if (after[i] == before[i]) continue;
    (before[i] == 0 && after[i] == 7 ? choices : losses) += 1;
  }
  EXPECT_EQ(choices, 5u * 3000 * 4);
  EXPECT_LE(losses, values.size() * sizeof(float));
  std::string loss(sizeof(float), '\0');
  std::memcpy(loss.data(), values.data(), sizeof(float));
  EXPECT_NE(after.find(loss), std::string::npos);
}

// Output is written so that a crash leaves the old file or the new one, never half.
TEST_F(RunFileTest, ANewFileReplacesTheOldOneOnlyWhenFlushed) {
  const std::string old = written();
  {
    RunFile file = RunFile::create(path);
    file.define_dimension("token", 7);
    EXPECT_EQ(read_bytes(path), old);
    file.flush();
  }
  EXPECT_THAT(RunFile::open(path).shape("/token"), ElementsAre(7));
}

TEST_F(RunFileTest, ANewFileIsDroppedWhenAnExceptionEndsIt) {
  const std::string old = written();
  const auto fail = [&] {
    const RunFile file = RunFile::create(path);
    throw std::runtime_error("the analysis failed");
  };
  EXPECT_THROW(fail(), std::runtime_error);
  EXPECT_EQ(read_bytes(path), old);
  EXPECT_FALSE(std::filesystem::exists(path.string() + ".partial"));
}

TEST_F(RunFileTest, AFileThatCannotTakeItsNameIsASystemErrorAndLeavesWhatWasThere) {
  RunFile file = RunFile::create(path);
  define_routing(file);
  std::filesystem::create_directory(path);
  write_file(path / "something", "else");
  try {
    file.flush();
    FAIL() << "no error";
  } catch (const std::system_error& error) {
    EXPECT_THAT(error.what(), HasSubstr("run.h5"));
  }
  EXPECT_TRUE(std::filesystem::exists(path / "something"));
}

TEST_F(RunFileTest, ASymbolicLinkToTheOutputIsFollowed) {
  const std::filesystem::path target = directory / "elsewhere.h5";
  std::filesystem::create_symlink(target, path);
  written();
  EXPECT_TRUE(std::filesystem::is_symlink(path));
  EXPECT_TRUE(RunFile::open(target).contains(nll.path));
}

TEST_F(RunFileTest, WhatWasFlushedOpensAfterTheWriterWasKilled) {
  const auto write_and_die = [&] {
    RunFile file = RunFile::create(path);
    define_routing(file);
    file.write<float>(nll.path, std::vector<float>(3 * 3000, 1.5f));
    file.flush();
    file.write<float>(nll.path, {{0, 0}, {1, 3000}}, std::vector<float>(3000, 2.5f));
    std::raise(SIGKILL);
  };
  EXPECT_EXIT(write_and_die(), testing::KilledBySignal(SIGKILL), "");
  EXPECT_EQ(RunFile::open(path).read<float>(nll.path).back(), 1.5f);
  RunFile::open_for_update(path).flush();
}

/// Writes noise to new datasets until that fails, as on a full disk; ends the process as a program would.
[[noreturn]] void fill_up_and_exit(const std::filesystem::path& path) {
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{100'000, RLIM_INFINITY};
  setrlimit(RLIMIT_FSIZE, &limit);
  std::vector<float> noise(3 * 3000);
  for (std::size_t i = 0; i < noise.size(); ++i) noise[i] = std::sin(static_cast<float>(i * i));
  try {
    RunFile file = RunFile::open_for_update(path);
    for (int i = 0; i < 20; ++i) {
      DatasetSpec another = nll;
      another.path += std::to_string(i);
      file.define(another);
      file.write<float>(another.path, noise);
      file.flush();
    }
  } catch (const std::system_error& error) {
    std::cerr << error.what();
    std::exit(error.code() == std::errc::file_too_large ? 1 : 9);
  }
  std::exit(0);
}

TEST_F(RunFileTest, AFullDiskIsASystemErrorAndNoCrashAtTheEnd) {
  written();
  EXPECT_EXIT(fill_up_and_exit(path), testing::ExitedWithCode(1), "run.h5: .*cannot write: File too large");
}

TEST_F(RunFileTest, UnwritableOutputIsASystemError) {
  try {
    RunFile::create(directory / "absent" / "run.h5");
    FAIL() << "no error";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), std::errc::no_such_file_or_directory);
    EXPECT_THAT(error.what(), HasSubstr("absent/run.h5: folder '"));
  }
  EXPECT_THROW(RunFile::create(directory.path()), UsageError);
  EXPECT_THROW(RunFile::create("/dev/null"), UsageError);
}

TEST_F(RunFileTest, AMissingFileIsAMissingInput) {
  EXPECT_THROW(RunFile::open(path), MissingInput);
  EXPECT_THROW(RunFile::open_for_update(path), MissingInput);
}

void expect_format_error(const std::filesystem::path& path, const std::string& problem) {
  try {
    RunFile::open(path);
    ADD_FAILURE() << "no error; expected: " << problem;
  } catch (const FormatError& error) {
    EXPECT_THAT(error.what(), HasSubstr(problem));
  }
}

TEST_F(RunFileTest, RejectsWhatIsNotHdf5) {
  write_file(path, "step,loss\n1,2\n");
  expect_format_error(path, "is not a run file (expected HDF5)");
  write_file(path, "");
  expect_format_error(path, "is not a run file (expected HDF5)");
}

// The reference model's outputs are HDF5, written by another program.
TEST_F(RunFileTest, RejectsHdf5ThatIsNotARunFile) {
  expect_format_error(source_path("data/golden/tiny-dots1-00T.h5"), "is HDF5, but not a run file");
}

TEST_F(RunFileTest, RejectsANewerMajorVersionButNotANewerMinorOne) {
  written();
  const auto set_version = [&](std::vector<std::int64_t> version) {
    RunFile::open_for_update(path).set_attribute("/", "format_version", version);
  };
  set_version({1, 7});
  EXPECT_TRUE(RunFile::open(path).contains(nll.path));
  set_version({2, 0});
  expect_format_error(path, "was written by a newer moescope (expected major version 1, found 2)");
}

TEST_F(RunFileTest, RejectsAMalformedVersion) {
  written();
  RunFile::open_for_update(path).set_attribute("/", "format_version", std::string("1.0"));
  expect_format_error(path, "format_version: is missing or malformed");
}

// One place decides what may be taken from a file: sizes may be trusted afterwards.
TEST_F(RunFileTest, RejectsDatasetsThatAreNotAsInEveryRunFile) {
  const auto written_as = [&](std::size_t checkpoints, const DatasetSpec& spec, std::uint64_t steps) {
    RunFile file = RunFile::create(path);
    file.define_dimension(scale("checkpoint"), Texts(checkpoints, "x"));
    file.define_dimension("checkpoint_step", steps);
    file.define_dimension("token", 5);
    file.define(spec);
  };
  written_as(3, nll, 2);
  EXPECT_TRUE(RunFile::open(path).contains(nll.path));
  written_as(3, nll, 3);
  expect_format_error(path,
                      "/checkpoint_step: has another size than checkpoint demands (expected 2, found 3)");
  written_as(0, nll, 0);
  expect_format_error(path, "/checkpoint: holds no checkpoint");
  DatasetSpec other = nll;
  other.type = ElementType::f8;
  written_as(3, other, 2);
  expect_format_error(path, "/loss/nll: has another element type than in a run file (expected f4, found f8)");
  other = nll;
  other.dimensions = {"token", "checkpoint"};
  written_as(3, other, 2);
  expect_format_error(
      path,
      "/loss/nll: has other dimensions than in a run file (expected [checkpoint, token], found [token, "
      "checkpoint])");
  other.dimensions = {};
  written_as(3, other, 2);
  expect_format_error(path, "/loss/nll: has other dimensions");
}

TEST_F(RunFileTest, RejectsWhatIsNoRegularFileWithoutWaitingForIt) {
  expect_format_error(directory.path(), "is a directory, not a run file");
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  expect_format_error(path, "run.h5: is a named pipe, not a run file");
  expect_format_error("/dev/null", "is a device, not a run file");
}

// HDF5's own way of reading hands out zeros then.
TEST_F(RunFileTest, AFileThatIsCutShortWhileItIsOpenIsASystemError) {
  written();
  const RunFile file = RunFile::open(path);
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  try {
    file.read<float>(nll.path);
    FAIL() << "no error";
  } catch (const std::system_error& error) {
    EXPECT_THAT(error.what(),
                HasSubstr("/loss/nll: cannot read (the file ends early; was it changed meanwhile?)"));
  }
}

TEST_F(RunFileTest, DefinitionsThatContradictTheFileAreRejected) {
  RunFile file = RunFile::create(path);
  define_routing(file);
  EXPECT_THROW(file.define(nll), std::invalid_argument);
  EXPECT_THROW(file.define_dimension("token", 5), std::invalid_argument);
  DatasetSpec spec = nll;
  spec.path = "/loss/token";
  EXPECT_THROW(file.define(spec), std::invalid_argument);
  spec.path = "/token/loss";
  EXPECT_THROW(file.define(spec), std::invalid_argument);
  spec = nll;
  spec.path = "/loss/other";
  spec.dimensions = {"checkpoint", "absent"};
  EXPECT_THROW(file.define(spec), FormatError);
}

TEST_F(RunFileTest, SlabsOutsideTheDatasetAreRejected) {
  RunFile file = RunFile::create(path);
  define_routing(file);
  EXPECT_THROW(file.read<float>("/loss/absent"), FormatError);
  EXPECT_THROW(file.read<float>(nll.path, {{2, 1}, {1, 3000}}), FormatError);
  EXPECT_THROW(file.read<float>(nll.path, {{0, 0}, {~0ull, ~0ull}}), FormatError);
  EXPECT_THROW(file.read<float>(nll.path, {{0}, {1}}), FormatError);
  EXPECT_THROW(file.write<float>(nll.path, std::vector<float>(5)), std::out_of_range);
}

TEST_F(RunFileTest, TextWithANulCharacterIsRejected) {
  RunFile file = RunFile::create(path);
  EXPECT_THROW(file.define_dimension(scale("domain"), Texts{std::string("a\0b", 3)}), FormatError);
}

TEST_F(RunFileTest, ATruncatedFileIsAFormatError) {
  const std::string whole = written();
  for (std::size_t size = 0; size < whole.size(); size += whole.size() / 50) {
    write_file(path, whole.substr(0, size));
    EXPECT_THROW(read_all(path), FormatError) << size << " of " << whole.size() << " bytes";
  }
}

/// While it lives, leaks are not looked for: HDF5 loses memory when a damaged file stops it half-way.
struct LeaksOfHdf5 {
  LeaksOfHdf5() {
    if (__lsan_disable) __lsan_disable();
  }
  ~LeaksOfHdf5() {
    if (__lsan_enable) __lsan_enable();
  }
};

// One wrong bit anywhere: an error or other values, but no crash and no other exception.
TEST_F(RunFileTest, AWrongBitNeverDoesMoreThanRaiseAFormatError) {
  const LeaksOfHdf5 ignored;  // from here on: HDF5 keeps what it frees, and uses it again
  const std::string whole = written();
  constexpr std::size_t trials = 400;
  for (std::size_t trial = 0; trial < trials; ++trial) {
    std::string damaged = whole;
    const std::size_t position = trial * whole.size() / trials;
    damaged[position] = static_cast<char>(damaged[position] ^ (1 << trial % 8));
    write_file(path, damaged);
    try {
      read_all(path);
    } catch (const FormatError&) {
    } catch (const std::exception& error) {
      ADD_FAILURE() << "bit " << trial % 8 << " of byte " << position << ": " << error.what();
    }
  }
}

}  // namespace
}  // namespace moescope
