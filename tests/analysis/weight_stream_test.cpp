#include "analysis/weight_stream.h"

#include <gtest/gtest.h>

#include "analysis/element_convert.h"
#include "tests/support/checkpoint_builder.h"
#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

class WeightStreamTest : public testing::Test {
 protected:
  WeightStreamTest() {
    CheckpointOptions options;
    options.vocab_size = 1000;  // several tiles of 48 rows
    options.shards = 3;
    write_checkpoint(directory_ / "model", options);
    checkpoint_ = std::make_unique<Checkpoint>(Checkpoint::open(directory_ / "model"));
    weights_ = std::make_unique<ModelWeights>(*checkpoint_);
    for (const Weight& weight : weights_->all()) order_.push_back(&weight);
  }

  std::vector<float> stored(const Weight& weight) const {
    std::vector<std::byte> bytes(weight.bytes());
    checkpoint_->shards()[weight.shard].read(weight.offset, bytes);
    std::vector<float> values(weight.size());
    convert_to_float(weight.dtype, bytes, values);
    return values;
  }

  TemporaryDirectory directory_;
  std::unique_ptr<Checkpoint> checkpoint_;
  std::unique_ptr<ModelWeights> weights_;
  std::vector<const Weight*> order_;
};

TEST_F(WeightStreamTest, BringsEveryWeightUnchangedWithinAnyBudget) {
  for (std::uint64_t memory : {1ull, 4000ull, 1ull << 30}) {
    WeightStream stream(*checkpoint_, order_, {memory, nullptr, {}});
    std::uint64_t bytes = 0;
    for (const Weight* weight : order_) {
      EXPECT_EQ(stream.take_values(*weight), stored(*weight)) << weight->name;
      bytes += weight->bytes();
    }
    EXPECT_EQ(stream.times().bytes, bytes);
  }
}

TEST_F(WeightStreamTest, TilesAreWholeBlocksOfRows) {
  const Weight& head = weights_->at({Role::head});
  WeightStream stream(*checkpoint_, {&head}, {2 * 100 * head.row_bytes(), nullptr, {}});
  std::vector<std::size_t> first_rows;
  stream.take(head, [&](const WeightTile& tile) { first_rows.push_back(tile.first_row); });
  ASSERT_GT(first_rows.size(), 1u);
  for (std::size_t i = 0; i < first_rows.size(); ++i) EXPECT_EQ(first_rows[i], i * 2 * row_block);
}

TEST_F(WeightStreamTest, MayBeLeftBeforeTheEnd) {
  WeightStream stream(*checkpoint_, order_, {4000, nullptr, {}});
  stream.skip(*order_.front());
}

}  // namespace
}  // namespace moescope
