#include "readers/model/model_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/readers/model/parsed_config.h"

namespace moescope {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(ConfigDifferences, DifferencesNameTheFieldAndBothValues) {
  const ModelConfig before = parse(set("max_position_embeddings", 8192));
  EXPECT_THAT(config_differences(before, before), IsEmpty());
  EXPECT_THAT(config_differences(before, parse()), ElementsAre("max_position_embeddings: 8192, 32768"));
  EXPECT_THAT(config_differences(parse(), parse(set("eos_token_id", nullptr))),
              ElementsAre("eos_token_id: 151643, null"));
}

}  // namespace
}  // namespace moescope
