#include "readers/schema/datasets.h"

#include <gtest/gtest.h>

#include "readers/schema/run_schema.h"

namespace moescope {
namespace {

static_assert(reads_as<float, double>() && reads_as<std::int64_t, double>() && reads_as<float, float>());
static_assert(reads_as<std::uint8_t, std::uint16_t>() && reads_as<std::uint8_t, std::int32_t>());
static_assert(!reads_as<std::uint16_t, std::uint8_t>() && !reads_as<std::int32_t, std::uint64_t>());
static_assert(!reads_as<double, std::int64_t>() && !reads_as<std::string, double>());

TEST(Datasets, StandForTheirPaths) {
  const std::string path = dataset::loss_nll;
  EXPECT_EQ(path, "/loss/nll");
  EXPECT_EQ(&raw_dataset(dataset::loss_nll), &raw_dataset("/loss/nll"));
}

TEST(Datasets, HaveTheTypesOfTheirRows) {
  EXPECT_EQ(raw_dataset(dataset::corpus_token_id).type, ElementType::u4);
  EXPECT_EQ(raw_dataset(dataset::weights_expert_match).type, ElementType::i4);
  EXPECT_EQ(raw_dataset(dataset::checkpoint).type, ElementType::text);
}

}  // namespace
}  // namespace moescope
