#include "analysis/kernels/panel_rows.h"

#include <gtest/gtest.h>

#include <vector>

#include "analysis/kernels/activations.h"
#include "tests/support/instruction_set_fixture.h"
#include "tests/support/random_values.h"

namespace moescope {
namespace {

constexpr std::size_t most = 40;    // values of a row: of any remainder
constexpr std::size_t stride = 61;  // so that rows are not aligned
constexpr float untouched = 1234.5f;

/// Every third lane is empty, and the last.
bool holds_token(std::size_t lane) {
  return lane % 3 != 1 && lane + 1 < panel_lanes;
}

template <class Value>
LaneRows<Value> rows_of(Value* values) {
  LaneRows<Value> rows{};
  for (std::size_t lane = 0; lane < panel_lanes; ++lane)
    if (holds_token(lane)) rows[lane] = values + lane * stride;
  return rows;
}

class PanelRows : public InstructionSetTest {};

TEST_P(PanelRows, GoIntoLanesAndZerosWhereThereIsNone) {
  std::vector<float> values(panel_lanes * stride);
  fill_normal(values, 3);
  for (std::size_t count = 0; count <= most; ++count) {
    AlignedFloats panel((count + 1) * panel_lanes, untouched);
    rows_to_panel(rows_of<const float>(values.data()), count, panel.data());
    for (std::size_t i = 0; i < panel.size(); ++i) {
      const std::size_t lane = i % panel_lanes;
      const float expected = i / panel_lanes == count ? untouched
                             : holds_token(lane)      ? values[lane * stride + i / panel_lanes]
                                                      : 0.0f;
      ASSERT_EQ(panel[i], expected) << count << " values, " << i;
    }
  }
}

TEST_P(PanelRows, TakeWhatIsInLanesAndNothingElseIsTouched) {
  AlignedFloats panel(most * panel_lanes);
  fill_normal(panel, 4);
  for (std::size_t count = 0; count <= most; ++count) {
    std::vector<float> values(panel_lanes * stride, untouched);
    panel_to_rows(panel.data(), count, rows_of<float>(values.data()));
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::size_t lane = i / stride, f = i % stride;
      const float expected = holds_token(lane) && f < count ? panel[f * panel_lanes + lane] : untouched;
      ASSERT_EQ(values[i], expected) << count << " values, " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, PanelRows, testing::ValuesIn(instruction_sets()), instruction_set_name);

}  // namespace
}  // namespace moescope
