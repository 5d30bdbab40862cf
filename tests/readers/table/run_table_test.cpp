#include "readers/table/run_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <sstream>
#include <system_error>

#include "readers/errors.h"
#include "readers/schema/datasets.h"
#include "readers/schema/run_schema.h"
#include "readers/text/closest_names.h"
#include "readers/text/name_list.h"
#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;
using Texts = std::vector<std::string>;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// A run file of two checkpoints, two domains (one with a comma), layers 1 and 3, and a metric with a NaN.
class RunTableTest : public testing::Test {
 protected:
  RunTableTest() : file(RunFile::create(directory / "run.h5")) {
    file.define_dimension(raw_dataset(dataset::checkpoint), Texts{"00T", "11.2T"});
    file.define_dimension(raw_dataset(dataset::domain), Texts{"c", "prose, old"});
    file.define_dimension(raw_dataset(dataset::moe_layer), std::vector<std::int64_t>{1, 3});
    file.define_dimension("token", 3);
    DatasetSpec metric{"/metrics/max_violation",
                       ElementType::f8,
                       {"checkpoint", "domain", "moe_layer"},
                       "1",
                       "MaxVio",
                       "How uneven.",
                       "arXiv 2408.15664"};
    file.define(metric);
    file.write<double>(metric.path, std::vector<double>{0.1, 0.2, 1, nan, 5, 6, 7, 1e-300});
    file.define(raw_dataset(dataset::loss_nll));
    file.write(dataset::loss_nll, std::vector<float>{0.1f, 2.5f, static_cast<float>(nan), 0, 1, 2});
    file.define(raw_dataset(dataset::corpus_domain));
    file.define(raw_dataset(dataset::phase));
    file.write(dataset::phase, Texts{"say \"stable\"", "two\nlines\tof text"});
  }

  std::string table(const std::string& dataset, TableFormat format, const TableSelection& selection = {},
                    const std::string& wide = "") const {
    std::ostringstream out;
    write_table(file, dataset, selection, format, out, wide);
    return out.str();
  }

  /// /raw/value, in which each element is its own number.
  void write_numbers(std::int64_t rows, std::int64_t columns) {
    file.define_dimension("row", static_cast<std::uint64_t>(rows));
    file.define_dimension("column", static_cast<std::uint64_t>(columns));
    file.define(
        {"/raw/value", ElementType::i8, {"row", "column"}, "1", "Value", "Its own number.", "The test."});
    std::vector<std::int64_t> values(static_cast<std::size_t>(rows * columns));
    std::iota(values.begin(), values.end(), std::int64_t{0});
    file.write<std::int64_t>("/raw/value", values);
  }

  const TemporaryDirectory directory;
  RunFile file;
};

TEST_F(RunTableTest, CsvHasAColumnForEachDimensionAndOneForTheValue) {
  EXPECT_EQ(table("/metrics/max_violation", TableFormat::csv),
            "checkpoint,domain,moe_layer,max_violation\n"
            "00T,c,1,0.1\n"
            "00T,c,3,0.2\n"
            "00T,\"prose, old\",1,1\n"
            "00T,\"prose, old\",3,\n"
            "11.2T,c,1,5\n"
            "11.2T,c,3,6\n"
            "11.2T,\"prose, old\",1,7\n"
            "11.2T,\"prose, old\",3,1e-300\n");
}

TEST_F(RunTableTest, SinglePrecisionIsPrintedAsShortAsItReadsBack) {
  EXPECT_EQ(table(dataset::loss_nll, TableFormat::tsv, {{"checkpoint", {"00T"}}}),
            "checkpoint\ttoken\tnll\n00T\t0\t0.1\n00T\t1\t2.5\n00T\t2\t\n");
}

TEST_F(RunTableTest, JsonIsAnArrayOfRecordsWithNullForNotANumber) {
  const auto records = nlohmann::json::parse(table("/metrics/max_violation", TableFormat::json));
  ASSERT_EQ(records.size(), 8u);
  EXPECT_EQ(
      records[0],
      (nlohmann::json{{"checkpoint", "00T"}, {"domain", "c"}, {"moe_layer", 1}, {"max_violation", 0.1}}));
  EXPECT_TRUE(records[3]["max_violation"].is_null());
}

TEST_F(RunTableTest, TextIsQuotedInCsvAndEscapedInTsv) {
  EXPECT_EQ(table(dataset::phase, TableFormat::csv),
            "checkpoint,phase\n00T,\"say \"\"stable\"\"\"\n11.2T,\"two\nlines\tof text\"\n");
  EXPECT_THAT(table(dataset::phase, TableFormat::tsv), EndsWith("11.2T\ttwo\\nlines\\tof text\n"));
}

TEST_F(RunTableTest, AScaleHasOneColumn) {
  EXPECT_EQ(table(dataset::moe_layer, TableFormat::csv), "moe_layer\n1\n3\n");
}

TEST_F(RunTableTest, SelectionKeepsTheLabelsAskedFor) {
  EXPECT_EQ(table("/metrics/max_violation", TableFormat::csv,
                  {{"checkpoint", {"11.2T"}}, {"domain", {"prose, old", "c"}}, {"layer", {"3"}}}),
            "checkpoint,domain,moe_layer,max_violation\n11.2T,c,3,6\n11.2T,\"prose, old\",3,1e-300\n");
  EXPECT_EQ(table(dataset::loss_nll, TableFormat::csv, {{"token", {"0", "2"}}, {"checkpoint", {"11.2T"}}}),
            "checkpoint,token,nll\n11.2T,0,0\n11.2T,2,2\n");
}

TEST_F(RunTableTest, AWideTableHasAColumnForEachLabelOfOneDimension) {
  EXPECT_EQ(table("/metrics/max_violation", TableFormat::csv, {}, "domain"),
            "checkpoint,moe_layer,c,\"prose, old\"\n"
            "00T,1,0.1,1\n"
            "00T,3,0.2,\n"
            "11.2T,1,5,7\n"
            "11.2T,3,6,1e-300\n");
  EXPECT_EQ(table("/metrics/max_violation", TableFormat::tsv, {{"domain", {"c"}}}, "checkpoint"),
            "domain\tmoe_layer\t00T\t11.2T\nc\t1\t0.1\t5\nc\t3\t0.2\t6\n");
}

TEST_F(RunTableTest, ColumnsOfNumbersCarryTheNameOfTheirDimension) {
  EXPECT_EQ(table("/metrics/max_violation", TableFormat::csv, {{"checkpoint", {"00T"}}}, "layer"),
            "checkpoint,domain,moe_layer_1,moe_layer_3\n00T,c,0.1,0.2\n00T,\"prose, old\",1,\n");
  EXPECT_EQ(table(dataset::loss_nll, TableFormat::csv, {{"token", {"0", "2"}}}, "token"),
            "checkpoint,token_0,token_2\n00T,0.1,\n11.2T,0,2\n");
}

TEST_F(RunTableTest, AWideTableOfOneDimensionIsOneRow) {
  EXPECT_EQ(nlohmann::json::parse(table(dataset::phase, TableFormat::json, {}, "checkpoint")),
            nlohmann::json::parse(R"([{"00T": "say \"stable\"", "11.2T": "two\nlines\tof text"}])"));
}

TEST_F(RunTableTest, ALabelThatIsTheNameOfAnotherColumnIsToldFromIt) {
  file.define_dimension({dataset::role, ElementType::text, {"role"}, "1", "Role", "Role.", "The test."},
                        Texts{"router", "checkpoint"});
  file.define({"/weights/moved", ElementType::i8, {"checkpoint", "role"}, "1", "Moved", "No.", "The test."});
  EXPECT_EQ(table("/weights/moved", TableFormat::csv, {}, "role"),
            "checkpoint,router,role_checkpoint\n00T,0,0\n11.2T,0,0\n");
}

TEST_F(RunTableTest, WideByADimensionThatIsNotThereIsAnErrorWithTheNearest) {
  try {
    table("/metrics/max_violation", TableFormat::csv, {}, "domian");
    FAIL() << "no error";
  } catch (const UsageError& error) {
    EXPECT_STREQ(error.what(), "/metrics/max_violation has no dimension 'domian'");
    EXPECT_EQ(error.hint(), "did you mean domain? it has checkpoint, domain, moe_layer");
  }
  EXPECT_THROW(table(dataset::checkpoint, TableFormat::csv, {}, "checkpoint"), UsageError);
}

TEST_F(RunTableTest, UnknownLabelIsAnErrorThatListsTheKnownOnes) {
  try {
    table("/metrics/max_violation", TableFormat::csv, {{"layer", {"2"}}});
    FAIL() << "no error";
  } catch (const UsageError& error) {
    EXPECT_STREQ(error.what(), "no moe_layer is called '2'");
    EXPECT_EQ(error.hint(), "the file has 1, 3");
  }
  EXPECT_THROW(table(dataset::loss_nll, TableFormat::csv, {{"token", {"3"}}}), UsageError);
  EXPECT_THROW(table(dataset::loss_nll, TableFormat::csv, {{"token", {"-1"}}}), UsageError);
}

TEST_F(RunTableTest, SelectingInADimensionThatIsNotThereIsAnError) {
  EXPECT_THROW(table(dataset::loss_nll, TableFormat::csv, {{"expert", {"0"}}}), UsageError);
  EXPECT_THROW(table(dataset::loss_nll, TableFormat::csv, {{"layer", {"1"}}}), UsageError);
}

TEST_F(RunTableTest, AFailingStreamIsAnError) {
  std::ostringstream out;
  out.setstate(std::ios::badbit);
  EXPECT_THROW(write_table(file, dataset::phase, {}, TableFormat::csv, out), std::system_error);
}

TEST_F(RunTableTest, FindsDatasetsByPathMetricOrLastPart) {
  for (const char* name : {"max_violation", "metrics/max_violation", "/metrics/max_violation"}) {
    EXPECT_EQ(find_dataset(file, name), "/metrics/max_violation");
  }
  EXPECT_EQ(find_dataset(file, "nll"), dataset::loss_nll);
  EXPECT_EQ(find_dataset(file, "domain"), dataset::domain);
}

TEST_F(RunTableTest, AMisspeltNameIsAnErrorWithTheClosestName) {
  try {
    find_dataset(file, "max_voilation");
    FAIL() << "no error";
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), EndsWith(".h5 has no dataset or metric 'max_voilation'"));
    EXPECT_EQ(error.hint(), "did you mean max_violation?");
  }
}

// Blocks of reading must not show: T x 400 elements are more than one block, in both orders of magnitude.
TEST_F(RunTableTest, LargeDatasetsComeOutWholeAndInOrder) {
  constexpr std::int64_t rows = 300, columns = 2000;
  write_numbers(rows, columns);
  std::istringstream lines(table("/raw/value", TableFormat::csv));
  std::string line;
  std::getline(lines, line);
  for (std::int64_t i = 0; i < rows * columns; ++i) {
    std::getline(lines, line);
    ASSERT_EQ(line,
              std::to_string(i / columns) + "," + std::to_string(i % columns) + "," + std::to_string(i));
  }
  EXPECT_FALSE(std::getline(lines, line));
}

// The rows of the wide table are columns of the dataset, 300 of 2,000, read in blocks of 873.
TEST_F(RunTableTest, LargeWideTablesComeOutWholeAndInOrder) {
  constexpr std::int64_t rows = 300, columns = 2000;
  write_numbers(rows, columns);
  std::istringstream lines(table("/raw/value", TableFormat::csv, {}, "row"));
  std::string line;
  std::getline(lines, line);
  for (std::int64_t column = 0; column < columns; ++column) {
    std::string expected = std::to_string(column);
    for (std::int64_t row = 0; row < rows; ++row) expected += "," + std::to_string(row * columns + column);
    std::getline(lines, line);
    ASSERT_EQ(line, expected);
  }
  EXPECT_FALSE(std::getline(lines, line));
}

TEST_F(RunTableTest, ADimensionLongerThanABlockIsReadInRuns) {
  constexpr std::uint64_t size = 600'000;
  file.define_dimension("long", size);
  file.define({"/raw/long_value", ElementType::u1, {"long"}, "1", "Value", "Zero.", "The test."});
  const std::string text = table("/raw/long_value", TableFormat::tsv);
  EXPECT_EQ(std::ranges::count(text, '\n'), size + 1);
  EXPECT_THAT(text, EndsWith("\n599999\t0\n"));
}

TEST_F(RunTableTest, AnEmptyDimensionGivesNoRows) {
  file.define_dimension("checkpoint_step", 0);
  file.define({"/weights/update", ElementType::f8, {"checkpoint_step"}, "1", "Update", "None.", "The test."});
  EXPECT_EQ(table("/weights/update", TableFormat::csv), "checkpoint_step,update\n");
  EXPECT_EQ(nlohmann::json::parse(table("/weights/update", TableFormat::json)).size(), 0u);
}

TEST(TableCell, InfinitiesReadBackFromJson) {
  EXPECT_EQ(table_cell(std::numeric_limits<double>::infinity(), TableFormat::csv), "inf");
  EXPECT_EQ(table_cell(-std::numeric_limits<float>::infinity(), TableFormat::json), "-1e999");
}

TEST(TableCell, JsonTextIsEscapedAndValidUtf8) {
  EXPECT_EQ(table_cell(std::string_view("a\"b\\\n"), TableFormat::json), R"("a\"b\\\n")");
  EXPECT_EQ(table_cell(std::string_view("\xff"), TableFormat::json), "\"\xEF\xBF\xBD\"");
}

TEST(ClosestNames, SwappedLettersAreOneStep) {
  EXPECT_EQ(edit_distance("voilation", "violation"), 1u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);  // Levenshtein's textbook pair
  EXPECT_EQ(edit_distance("", "abc"), 3u);
}

TEST(ClosestNames, NearestComeFirstAndFarOnesNotAtAll) {
  const Texts names = {"load_cv", "load_gini", "loss", "load_cv_chance"};
  EXPECT_THAT(closest_names("laod_cv", names), ElementsAre("load_cv"));
  EXPECT_THAT(closest_names("load_c", names), ElementsAre("load_cv", "load_cv_chance"));
  EXPECT_THAT(closest_names("zzzzzz", names), IsEmpty());
  EXPECT_THAT(closest_names("LoadCV", names), ElementsAre("load_cv", "load_cv_chance"))
      << "case and separators do not count";
}

TEST(NameList, VeryManyNamesAreCut) {
  const Texts names(1000, "x");
  EXPECT_THAT(name_list(names), StartsWith("x, x, "));
  EXPECT_THAT(name_list(names), HasSubstr("(1000 in all)"));
  EXPECT_EQ(name_list(Texts{"a", "b"}), "a, b");
}

TEST(FindName, TakesANameOrTheEndThatTellsItApart) {
  const std::vector<std::string> names = {"tiny-05T", "tiny-11T", "tiny-11.2T", "other/05T-long"};
  EXPECT_EQ(find_name(names, "tiny-11T"), 1u);
  EXPECT_EQ(find_name(names, "05T"), 0u);
  EXPECT_EQ(find_name(names, "11.2T"), 2u);
  EXPECT_EQ(find_name(names, "05T-long"), 3u);
  for (const char* wrong : {"", "T", "2T", "1T", "tiny", "5T", "12T"})
    EXPECT_EQ(find_name(names, wrong), std::nullopt) << wrong;
  EXPECT_THROW(find_name(std::vector<std::string>{"a/05T", "b/05T"}, "05T"), UsageError);
}

}  // namespace
}  // namespace moescope
