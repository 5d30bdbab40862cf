#include "readers/schema/run_schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <stdexcept>

#include "readers/schema/datasets.h"
#include "readers/text/name_list.h"
#include "tests/support/documentation.h"

namespace moescope {
namespace {

using testing::ElementsAre;

std::string type_text(const DatasetRow& row) {
  constexpr const char* names[] = {"u1", "u2", "u4", "i4", "i8", "f4", "f8", "text"};
  const std::string type = names[static_cast<std::size_t>(row.type)];
  if (row.text_bytes > 0) return type + " of fixed length";
  return row.narrow ? names[static_cast<std::size_t>(*row.narrow)] + (" or " + type) : type;
}

std::set<std::string> known_dimensions() {
  std::set<std::string> names;
  for (const DatasetSpec& spec : raw_datasets()) {
    if (is_scale(spec)) names.insert(spec.dimensions.front());
  }
  for (const BareDimension& dimension : bare_dimensions()) names.emplace(dimension.name);
  return names;
}

TEST(RunSchema, EveryDatasetSaysWhatItIs) {
  for (const DatasetSpec& spec : raw_datasets()) {
    for (const std::string& text : {spec.unit, spec.long_name, spec.description, spec.source}) {
      EXPECT_FALSE(text.empty()) << spec.path;
      EXPECT_EQ(text.find("  "), std::string::npos) << spec.path << ": " << text;
    }
    EXPECT_EQ(spec.description.back(), '.') << spec.path;
    EXPECT_NE(spec.long_name.back(), '.') << spec.path;
  }
}

TEST(RunSchema, NoPathAppearsTwice) {
  std::set<std::string> paths;
  for (const DatasetSpec& spec : raw_datasets()) EXPECT_TRUE(paths.insert(spec.path).second) << spec.path;
}

TEST(RunSchema, EveryDimensionIsAScaleOrBare) {
  const std::set<std::string> known = known_dimensions();
  for (const DatasetSpec& spec : raw_datasets()) {
    for (const std::string& dimension : spec.dimensions) EXPECT_TRUE(known.contains(dimension)) << spec.path;
  }
}

TEST(RunSchema, EveryBareDimensionIsUsed) {
  for (const BareDimension& bare : bare_dimensions()) {
    EXPECT_TRUE(std::ranges::any_of(raw_datasets(), [&](const DatasetSpec& spec) {
      return std::ranges::count(spec.dimensions, bare.name) > 0;
    })) << bare.name;
  }
}

// xarray refuses a dataset with the same dimension twice, or with one of its own dimensions' names.
TEST(RunSchema, DimensionsOfADatasetDiffer) {
  for (const DatasetSpec& spec : raw_datasets()) {
    const std::set<std::string> distinct(spec.dimensions.begin(), spec.dimensions.end());
    EXPECT_EQ(distinct.size(), spec.dimensions.size()) << spec.path;
    const std::string name = spec.path.substr(spec.path.rfind('/') + 1);
    EXPECT_TRUE(is_scale(spec) || !distinct.contains(name)) << spec.path;
  }
}

TEST(RunSchema, NoGroupHasTheNameOfADimension) {
  const std::set<std::string> dimensions = known_dimensions();
  for (const DatasetSpec& spec : raw_datasets()) {
    EXPECT_FALSE(dimensions.contains(spec.path.substr(1, spec.path.find('/', 1) - 1)) && !is_scale(spec))
        << spec.path;
  }
}

// Who compares run files leaves out /io, and only /io.
TEST(RunSchema, MeasurementsStandInIoAlone) {
  for (const DatasetSpec& spec : raw_datasets()) {
    const bool measured = spec.source.starts_with("Measured in this run");
    EXPECT_TRUE(!measured || spec.path.starts_with("/io/")) << spec.path;
    EXPECT_TRUE(measured || !spec.path.ends_with("_seconds")) << spec.path;
  }
}

// The shapes of the public contract, data/run_format.md: [C,L,T,K], [C,D,L,E], [W,C-1,C-1].
TEST(RunSchema, ShapesAreThoseOfTheContract) {
  EXPECT_THAT(raw_dataset("/routing/topk_index").dimensions,
              ElementsAre("checkpoint", "moe_layer", "token", "rank"));
  EXPECT_THAT(raw_dataset("/routing/expert_count").dimensions,
              ElementsAre("checkpoint", "domain", "moe_layer", "expert"));
  EXPECT_THAT(raw_dataset("/weights/delta_inner_product").dimensions,
              ElementsAre("tensor", "checkpoint_step", "other_checkpoint_step"));
}

// UPDATE=1 writes the tables anew.
TEST(RunSchema, TheDocumentationHasTheTablesOfTheRows) {
  for (const SchemaSection& section : schema_sections()) {
    std::vector<TableRow> rows;
    for (const DatasetRow& row : section.rows) {
      rows.push_back({markdown_code(row.path), type_text(row), name_list(row.dimensions), row.unit,
                      markdown(row.description)});
    }
    const std::string level = section.title == "Dimensions" ? "## " : "### ";
    expect_table("data/run_format.md", level + section.title, "| path | type | dimensions | unit | meaning |",
                 rows);
  }
}

TEST(RunSchema, TheDocumentationHasTheDimensionsWithoutLabels) {
  std::vector<TableRow> rows;
  for (const BareDimension& bare : bare_dimensions())
    rows.push_back(
        {markdown_code(std::string(bare.name)), std::string(bare.size), std::string(bare.meaning)});
  expect_table("data/run_format.md", "## Dimensions", "| dimension | size | meaning |", rows);
}

TEST(RunSchema, WhatIsKeptOnRequestIsRecordedOnlyThen) {
  RunContents contents;
  contents.forward = contents.moe_layers = true;
  EXPECT_TRUE(is_recorded(raw_dataset(dataset::routing_entropy), contents));
  EXPECT_FALSE(is_recorded(raw_dataset(dataset::routing_router_logit), contents));
  EXPECT_FALSE(is_recorded(raw_dataset(dataset::weights_norm), contents));
  contents.router_logits = true;
  EXPECT_TRUE(is_recorded(raw_dataset(dataset::routing_router_logit), contents));
}

// A merge takes the passes that are finished.
TEST(RunSchema, WhatIsCopiedOfPassesHasACheckpoint) {
  for (const DatasetRow& row : raw_datasets()) {
    if (row.joining != Joining::of_passes && row.joining != Joining::cost_of_passes) continue;
    EXPECT_EQ(row.dimensions.front(), "checkpoint") << row.path;
  }
}

TEST(RunSchema, RejectsAPathOutsideTheRawRecord) {
  EXPECT_THROW(raw_dataset("/metrics/max_violation"), std::out_of_range);
}

// The largest number of the type is no expert: it says that none was chosen.
TEST(RunSchema, ExpertIdsTakeOneByteUpTo255Experts) {
  EXPECT_EQ(expert_index_type(255), ElementType::u1);
  EXPECT_EQ(expert_index_type(256), ElementType::u2);
}

}  // namespace
}  // namespace moescope
