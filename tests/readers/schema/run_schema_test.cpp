#include "readers/schema/run_schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <stdexcept>

#include "readers/files/source_file.h"
#include "readers/text/name_list.h"
#include "tests/support/source_path.h"

namespace moescope {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// As a cell of a table in Markdown.
std::string markdown(const std::string& text) {
  std::string escaped;
  for (const char character : text) {
    if (character == '|' || character == '<') escaped += '\\';
    escaped += character;
  }
  return escaped;
}

std::string type_text(const DatasetSpec& spec) {
  constexpr const char* names[] = {"u1", "u2", "u4", "i4", "i8", "f4", "f8", "text"};
  if (spec.path == "/routing/topk_index") return "u1 or u2";
  if (spec.path == "/notes") return "text of fixed length";
  return names[static_cast<std::size_t>(spec.type)];
}

bool is_scale(const DatasetSpec& spec) {
  return spec.dimensions.size() == 1 && spec.path == "/" + spec.dimensions.front();
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

TEST(RunSchema, TheDocumentationStatesEveryDataset) {
  const std::string documentation = read_whole_file(source_path("data/run_format.md"));
  for (const DatasetSpec& spec : raw_datasets()) {
    EXPECT_THAT(documentation, HasSubstr("\n| `" + spec.path + "` | " + type_text(spec) + " | " +
                                         name_list(spec.dimensions) + " | " + spec.unit + " | " +
                                         markdown(spec.description) + " |\n"));
  }
  for (const BareDimension& bare : bare_dimensions()) {
    EXPECT_THAT(documentation, HasSubstr("\n| `" + std::string(bare.name) + "` | " + std::string(bare.size) +
                                         " | " + std::string(bare.meaning) + " |\n"));
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
