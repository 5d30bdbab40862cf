#include "readers/model/family.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "readers/errors.h"
#include "tests/support/scheme_family.h"

namespace moescope {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

using Json = nlohmann::ordered_json;

ModelConfig read(const Json& config, std::span<const Family> families = scheme_families()) {
  return parse_model_config(config.dump(), "config.json", families);
}

TEST(Family, OfAConfigurationIsTheOneThatReadIt) {
  EXPECT_EQ(family_of(read(scheme_config())).model_type, "scheme");
  EXPECT_THROW(family_of(ModelConfig()), std::logic_error);
}

TEST(Family, MayCallASizeOtherwise) {
  Json config = scheme_config();
  EXPECT_EQ(read(config).n_routed_experts, 8);
  config.erase("experts");
  config["n_routed_experts"] = 8;
  EXPECT_THAT([&] { read(config); }, ThrowsMessage<FormatError>("config.json: 'experts': is missing"));
}

TEST(Family, MayLeaveOutASize) {
  std::vector<Family> families(scheme_families().begin(), scheme_families().end());
  families[0].size_keys.push_back({"vocab_size", "words", 77});
  Json config = scheme_config();
  EXPECT_EQ(read(config, families).vocab_size, 77);
  config["words"] = 78;
  EXPECT_EQ(read(config, families).vocab_size, 78);
  config["words"] = 0;
  EXPECT_THAT([&] { read(config, families); }, ThrowsMessage<FormatError>(HasSubstr("'words': expected")));
}

TEST(Family, IsToldByTheArchitectureWhereOthersHaveItsModelType) {
  std::vector<Family> twins(2, scheme_families().front());
  twins[0].architectures = {"OlderForCausalLM"};
  twins[1].architectures = {"NewerForCausalLM"};
  Json config = scheme_config();
  config["architectures"] = {"NewerForCausalLM"};
  EXPECT_EQ(&family_of(read(config, twins)), &twins[1]);
  config["architectures"] = {"OtherForCausalLM"};
  EXPECT_THAT([&] { read(config, twins); }, ThrowsMessage<UnsupportedModel>(HasSubstr("'architectures'")));
}

TEST(Family, ThatIsNotKnownIsRefusedWithThoseThatAre) {
  Json config = scheme_config();
  config["model_type"] = "llama";
  EXPECT_THAT([&] { read(config); },
              ThrowsMessage<UnsupportedModel>(HasSubstr(
                  "(expected \"scheme\", \"scheme_without_output_bias\", \"scheme_without_selection_bias\", "
                  "found \"llama\")")));
}

}  // namespace
}  // namespace moescope
