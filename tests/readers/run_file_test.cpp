#include "readers/run_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>

namespace moescope {
namespace {

using testing::ElementsAre;

class RunFileTest : public testing::Test {
 protected:
  RunFileTest() { std::filesystem::create_directories(directory); }
  ~RunFileTest() override { std::filesystem::remove_all(directory); }

  const std::filesystem::path directory =
      std::filesystem::temp_directory_path() / ("moescope_run_file_test_" + std::to_string(getpid()));
  const std::filesystem::path path = directory / "run.h5";
};

/// C = 3 checkpoints, L = 5 layers, T = 3000 tokens, K = 4.
void define_routing(RunFile& file) {
  file.define_dimension({"/checkpoint", ElementType::text, {}, "1", "Checkpoint", "Its name.", "Given."},
                        std::vector<std::string>{"00T", "01T", "é"});
  file.define_dimension({"/moe_layer", ElementType::i8, {}, "1", "Layer", "Its index.", "config.json"},
                        std::vector<std::int64_t>{1, 2, 3, 4, 5});
  file.define_dimension("token", 3000);
  file.define_dimension("rank", 4);
  file.define({"/routing/topk_index",
               ElementType::u2,
               {"checkpoint", "moe_layer", "token", "rank"},
               "1",
               "Experts",
               "The experts taken.",
               "model.md"});
  file.define({"/loss/nll",
               ElementType::f4,
               {"checkpoint", "token"},
               "nat",
               "Loss",
               "Of the next token.",
               "model.md"});
}

TEST_F(RunFileTest, ReadsBackASlab) {
  const Slab slab{{1, 2, 0, 0}, {1, 1, 3000, 4}};
  const std::vector<std::uint16_t> experts(3000 * 4, 7);
  RunFile file = RunFile::create(path);
  define_routing(file);
  file.write<std::uint16_t>("/routing/topk_index", slab, experts);
  file.flush();
  EXPECT_EQ(RunFile::open(path).read<std::uint16_t>("/routing/topk_index", slab), experts);
}

TEST_F(RunFileTest, DescribesWhatWasDefined) {
  RunFile file = RunFile::create(path);
  define_routing(file);
  const DatasetSpec spec = file.describe("/routing/topk_index");
  EXPECT_THAT(spec.dimensions, ElementsAre("checkpoint", "moe_layer", "token", "rank"));
  EXPECT_EQ(spec.description, "The experts taken.");
  EXPECT_THAT(file.shape("/routing/topk_index"), ElementsAre(3, 5, 3000, 4));
  EXPECT_THAT(file.datasets(), ElementsAre("/checkpoint", "/loss/nll", "/moe_layer", "/routing/topk_index"));
}

TEST_F(RunFileTest, UnwrittenFloatsAreNotANumber) {
  RunFile file = RunFile::create(path);
  define_routing(file);
  EXPECT_TRUE(std::isnan(file.read<float>("/loss/nll").at(5)));
}

}  // namespace
}  // namespace moescope
