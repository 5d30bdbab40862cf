#include "analysis/forward/weight_stream.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>

#include "analysis/kernels/element_convert.h"
#include "readers/checkpoint/model_weights.h"
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

  /// The values of all weights, as a stream brings them.
  std::vector<std::vector<float>> streamed(WeightStreamOptions options) const {
    WeightStream stream(*checkpoint_, order_, std::move(options));
    std::vector<std::vector<float>> values;
    for (const Weight* weight : order_) values.push_back(stream.take_values(*weight));
    return values;
  }

  /// Takes every shard out of the page cache, where the file system has one.
  void drop_from_cache() const {
    for (const SourceFile& shard : checkpoint_->shards()) {
      const int descriptor = ::open(shard.name().c_str(), O_RDWR);
      ASSERT_EQ(::fsync(descriptor), 0);
      ::close(descriptor);
      shard.forget(0, shard.size());
    }
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
  for (std::size_t i = 0; i < first_rows.size(); ++i)
    EXPECT_EQ(first_rows[i], i * (100 / row_block * row_block));
}

TEST_F(WeightStreamTest, BringsTheSameBytesFromThePageCacheAndFromTheDisk) {
  std::vector<std::vector<float>> expected;
  for (const Weight* weight : order_) expected.push_back(stored(*weight));
  EXPECT_EQ(streamed({}), expected) << "read before";
  for (bool past_page_cache : {false, true}) {
    drop_from_cache();
    WeightStreamOptions options;
    options.past_page_cache = past_page_cache;
    EXPECT_EQ(streamed(options), expected) << "past the page cache: " << past_page_cache;
  }
}

TEST_F(WeightStreamTest, AShardCutShortUnderWayIsOneClearError) {
  const std::string last = checkpoint_->shards().back().name();
  const std::uintmax_t size = std::filesystem::file_size(last);
  WeightStream stream(*checkpoint_, order_, {});
  std::string failure;
  try {
    for (const Weight* weight : order_) {
      stream.take(*weight, [&](const WeightTile&) { std::filesystem::resize_file(last, size - 1); });
    }
  } catch (const std::system_error& error) {
    failure = error.what();
  }
  EXPECT_THAT(failure, testing::StartsWith(last + ": the file ends early (expected to read to byte " +
                                           std::to_string(size) + ", found the end at byte " +
                                           std::to_string(size - 1)));
}

TEST_F(WeightStreamTest, AShardThatLostItsWeightsBeforeIsOneClearError) {
  const std::string first = checkpoint_->shards().front().name();
  std::filesystem::resize_file(first, 100);
  EXPECT_THAT([&] { streamed({}); },
              testing::ThrowsMessage<std::system_error>(testing::HasSubstr(first + ": the file ends early")));
}

// The shapes of both are equal: only the order tells them apart.
TEST_F(WeightStreamTest, AnotherWeightThanTheNextIsRefusedByBothNames) {
  const Weight &key = weights_->at({Role::key, 1}), &value = weights_->at({Role::value, 1});
  ASSERT_EQ(key.bytes(), value.bytes());
  WeightStream stream(*checkpoint_, {&key, &value}, {});
  EXPECT_THAT(
      [&] { stream.take_values(value); },
      testing::ThrowsMessage<std::logic_error>(
          "weights are taken in another order than they arrive: 'model.layers.1.self_attn.v_proj.weight' "
          "is wanted, but 'model.layers.1.self_attn.k_proj.weight' is next"));
  EXPECT_EQ(stream.take_values(key), stored(key));
  stream.skip(value);
  EXPECT_THAT([&] { stream.take_values(value); },
              testing::ThrowsMessage<std::logic_error>(testing::HasSubstr("but none is left")));
}

TEST_F(WeightStreamTest, MayBeLeftBeforeTheEnd) {
  WeightStream stream(*checkpoint_, order_, {4000, nullptr, {}});
  stream.skip(*order_.front());
}

}  // namespace
}  // namespace moescope
