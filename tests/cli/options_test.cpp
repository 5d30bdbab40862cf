#include "cli/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "readers/errors.h"

namespace moescope {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Parsed {
  bool json = false;
  std::string output, precision = "f32";
  std::vector<std::string> corpus, limits, paths;
  std::uint64_t threads = 0, memory = 0;

  bool parse(const std::vector<std::string>& arguments) {
    CommandLine line({"try", "PATH...", "Tries options.", "moescope try x"});
    line.flag("json", &json, "print JSON");
    line.text("output,o", "FILE", &output, "where to");
    line.choice("precision", {"f32", "bf16"}, &precision, "arithmetic");
    line.list("corpus", "FILE...", &corpus, "texts");
    line.repeated("limit", "NAME=N", &limits, "limits");
    line.number("threads", "N", &threads, 1, "threads");
    line.size("memory", &memory, "budget");
    line.positional("PATH", &paths, 1, 2);
    return line.parse(arguments);
  }
};

std::string problem_of(const std::vector<std::string>& arguments) {
  try {
    Parsed().parse(arguments);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "none";
}

TEST(Options, AreTakenInEveryUsualSpelling) {
  Parsed parsed;
  ASSERT_TRUE(parsed.parse({"a", "-o", "x.h5", "--corpus", "p", "q", "--corpus=r", "--threads=3", "--json",
                            "--memory", "2GiB", "--precision", "bf16"}));
  EXPECT_THAT(parsed.paths, ElementsAre("a"));
  EXPECT_THAT(parsed.corpus, ElementsAre("p", "q", "r"));
  EXPECT_EQ(parsed.output, "x.h5");
  EXPECT_EQ(parsed.threads, 3u);
  EXPECT_EQ(parsed.memory, 2147483648u);
  EXPECT_EQ(parsed.precision, "bf16");
  EXPECT_TRUE(parsed.json);
}

TEST(Options, WhatMayBeRepeatedTakesOneValueAtATime) {
  Parsed parsed;
  ASSERT_TRUE(parsed.parse({"--limit", "x=1", "a", "--limit=y=2", "b"}));
  EXPECT_THAT(parsed.limits, ElementsAre("x=1", "y=2"));
  EXPECT_THAT(parsed.paths, ElementsAre("a", "b"));
}

TEST(Options, TwoDashesEndTheOptions) {
  Parsed parsed;
  ASSERT_TRUE(parsed.parse({"--json", "--", "--strange"}));
  EXPECT_THAT(parsed.paths, ElementsAre("--strange"));
}

TEST(Options, MistakesAreNamed) {
  EXPECT_EQ(problem_of({"a", "--jsn"}), "unknown option '--jsn'");
  EXPECT_EQ(problem_of({}), "the argument PATH is missing");
  EXPECT_EQ(problem_of({"a", "b", "c"}), "too many arguments (expected PATH, found 3)");
  EXPECT_EQ(problem_of({"a", "--output"}), "--output: a value is missing");
  EXPECT_EQ(problem_of({"a", "-o", "x", "-o", "y"}), "--output: given more than once");
  EXPECT_EQ(problem_of({"a", "--json=1"}), "--json: takes no value");
  EXPECT_EQ(problem_of({"a", "--threads", "0"}),
            "--threads: expected a whole number of at least 1, found '0'");
  EXPECT_EQ(problem_of({"a", "--threads", "-2"}),
            "--threads: expected a whole number of at least 1, found '-2'");
  EXPECT_EQ(problem_of({"a", "--memory", "lots"}), "--memory: expected a size, found 'lots'");
  EXPECT_EQ(problem_of({"a", "--precision", "f16"}), "--precision: expected f32 or bf16, found 'f16'");
}

TEST(Options, AbbreviationsAreRefused) {  // a script must not break when an option is added
  EXPECT_EQ(problem_of({"a", "--prec", "bf16"}), "unknown option '--prec'");
}

TEST(Options, SizesAreBinaryUnlessTheySayMB) {
  EXPECT_EQ(parse_size("4GiB"), 4294967296u);
  EXPECT_EQ(parse_size("512MB"), 512000000u);
  EXPECT_EQ(parse_size("3g"), 3221225472u);
  EXPECT_EQ(parse_size("1.5 KiB"), 1536u);
  EXPECT_EQ(parse_size("1000000"), 1000000u);
  for (const char* wrong : {"", "GiB", "-1", "1x", "4GiBs", "0", "1e3", "nan", "99999999999T"}) {
    EXPECT_EQ(parse_size(wrong), std::nullopt) << wrong;
  }
}

TEST(Options, SuggestsOnlyWhatIsNear) {
  EXPECT_EQ(did_you_mean("inspekt", {"analyze", "inspect"}), "did you mean 'inspect'?");
  EXPECT_EQ(did_you_mean("--memroy", {"--memory", "--threads"}), "did you mean '--memory'?");
  EXPECT_EQ(did_you_mean("frobnicate", {"analyze", "inspect"}), "");
}

}  // namespace
}  // namespace moescope
