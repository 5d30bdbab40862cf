#include "readers/recorded/recorded_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "readers/errors.h"
#include "readers/files/source_file.h"
#include "readers/model/model_config.h"
#include "readers/model/weight_table.h"
#include "readers/schema/datasets.h"
#include "readers/schema/run_schema.h"
#include "tests/support/source_path.h"
#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

using testing::HasSubstr;

/// A run file that holds what tells tensors apart, and nothing else.
class RecordedKeys : public testing::Test {
 protected:
  RecordedKeys() {
    const std::string file = source_path("data/tiny-dots1/tiny-dots1-05T/config.json");
    json_ = read_whole_file(file);
    config_ = parse_model_config(json_, file);
    for (const auto& [name, key] : weight_keys(config_)) {
      names_.push_back(name);
      keys_.push_back(key);
    }
  }

  /// As earlier versions wrote it.
  RunFile run_of_names() const {
    RunFile run = RunFile::create(directory_ / "run.h5");
    run.define_dimension(raw_dataset(dataset::checkpoint), std::vector<std::string>{"05T"});
    run.define(raw_dataset(dataset::checkpoint_info_config_json));
    run.write(dataset::checkpoint_info_config_json, std::vector<std::string>{json_});
    run.define_dimension(raw_dataset(dataset::layer), counted(config_.num_hidden_layers));
    run.define_dimension(raw_dataset(dataset::expert), counted(config_.n_routed_experts));
    run.define_dimension(raw_dataset(dataset::moe_layer), config_.moe_layers());
    run.define_dimension(raw_dataset(dataset::tensor), names_);
    return run;
  }

  RunFile run_of_keys(const std::vector<WeightKey>& keys) const {
    RunFile run = run_of_names();
    run.define(raw_dataset(dataset::tensor_role));
    run.define(raw_dataset(dataset::tensor_layer));
    run.define(raw_dataset(dataset::tensor_expert));
    write_keys(run, keys);
    return run;
  }

  static std::vector<std::int64_t> counted(std::int64_t count) {
    std::vector<std::int64_t> numbers(static_cast<std::size_t>(count));
    std::iota(numbers.begin(), numbers.end(), std::int64_t{0});
    return numbers;
  }

  std::string refusal(WeightKey wrong) const {
    std::vector<WeightKey> keys = keys_;
    keys.back() = wrong;
    try {
      recorded_keys(run_of_keys(keys));
    } catch (const FormatError& error) {
      return error.what();
    }
    return "nothing";
  }

  TemporaryDirectory directory_;
  std::string json_;
  ModelConfig config_;
  std::vector<std::string> names_;
  std::vector<WeightKey> keys_;
};

TEST_F(RecordedKeys, AreReadAsTheyWereWritten) {
  EXPECT_EQ(recorded_keys(run_of_keys(keys_)), keys_);
}

TEST_F(RecordedKeys, OfAnEarlierFileFollowFromTheNames) {
  EXPECT_EQ(recorded_keys(run_of_names()), keys_);
}

TEST_F(RecordedKeys, NoLongerNeedANameThatIsKnown) {
  const std::vector<WeightKey> keys = keys_;
  for (std::string& name : names_) name = "a." + name;
  EXPECT_EQ(recorded_keys(run_of_keys(keys)), keys);
  EXPECT_THROW(recorded_keys(run_of_names()), FormatError);
}

// They become indices.
TEST_F(RecordedKeys, OfALayerOrAnExpertThatIsNotThereAreRefused) {
  EXPECT_THAT(refusal({Role::input_norm, config_.num_hidden_layers, -1}), HasSubstr("/tensor_layer"));
  EXPECT_THAT(refusal({Role::expert_up, 0, 0}), HasSubstr("/tensor_layer"));  // a dense layer
  EXPECT_THAT(refusal({Role::expert_up, 1, config_.n_routed_experts}), HasSubstr("/tensor_expert"));
  EXPECT_THAT(refusal({Role::expert_up, 1, -2}), HasSubstr("/tensor_expert"));
}

}  // namespace
}  // namespace moescope
