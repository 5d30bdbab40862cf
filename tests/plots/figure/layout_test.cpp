#include "plots/figure/layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plots/figure/figure_text.h"
#include "plots/figure/theme.h"

namespace moescope {
namespace {

using testing::ElementsAre;

std::vector<std::string> labels_of(const std::vector<Tick>& ticks) {
  std::vector<std::string> labels;
  for (const Tick& tick : ticks) labels.push_back(tick.label);
  return labels;
}

TEST(AxisRange, TicksStandAtRoundNumbersInsideTheLimits) {
  const AxisRange range = value_range({}, 0.12, 6.9, 6);
  EXPECT_DOUBLE_EQ(range.minimum, 0);
  EXPECT_THAT(labels_of(range.ticks), ElementsAre("0", "2", "4", "6"));
}

TEST(AxisRange, FixedLimitsWin) {
  Axis axis;
  axis.minimum = 0;
  axis.maximum = 1;
  const AxisRange range = value_range(axis, 0.4, 0.9, 6);
  EXPECT_DOUBLE_EQ(range.maximum, 1);
  EXPECT_DOUBLE_EQ(range.fraction(0.25), 0.25);
}

TEST(AxisRange, ALogarithmicAxisHasPowersOfTen) {
  Axis axis;
  axis.logarithmic = true;
  const AxisRange range = value_range(axis, 0.0005, 30, 6);
  EXPECT_THAT(labels_of(range.ticks), ElementsAre("0.001", "0.01", "0.1", "1", "10"));
  EXPECT_NEAR(range.fraction(std::sqrt(range.minimum * range.maximum)), 0.5, 1e-12);
}

TEST(AxisRange, ALogarithmicAxisWithoutARoundPowerStillHasTicks) {
  Axis axis;
  axis.logarithmic = true;
  EXPECT_GE(value_range(axis, 0.6, 0.8, 6).ticks.size(), 2U);
}

TEST(AxisRange, EqualValuesStillSpanAnAxis) {
  const AxisRange range = value_range({}, 3, 3, 6);
  EXPECT_LT(range.minimum, 3);
  EXPECT_GT(range.maximum, 3);
  EXPECT_LT(value_range({}, 0, 0, 6).minimum, value_range({}, 0, 0, 6).maximum);
}

TEST(AxisRange, LabelsAreThinnedUntilTheyDoNotTouch) {
  std::vector<std::string> labels;
  for (int i = 0; i < 128; ++i) labels.push_back(std::to_string(i));
  const std::vector<Tick> ticks = label_ticks(labels, 300, 12, false);
  EXPECT_EQ(ticks[1].label, "20");
  EXPECT_EQ(label_ticks(labels, 9000, 12, false).size(), 128U);
}

Figure lines_ending_at(const std::vector<double>& ends) {
  Figure figure;
  Panel& panel = figure.panels.emplace_back();
  for (std::size_t i = 0; i < ends.size(); ++i) {
    panel.series.push_back({"line " + std::to_string(i), {0, 1}, {0, ends[i]}, {}, {}, i});
  }
  return figure;
}

TEST(Layout, NamesOfLinesThatEndTogetherDoNotCoverEachOther) {
  const FigureLayout layout = lay_out(lines_ending_at({1, 1, 1.001, 0.02, 0, 0}), 960, 0, true);
  const std::vector<EndLabel>& labels = layout.panels.at(0).end_labels;
  ASSERT_EQ(labels.size(), 6U);
  for (std::size_t i = 1; i < labels.size(); ++i) EXPECT_GE(labels[i].y - labels[i - 1].y, 12.0);
}

TEST(Layout, EverythingStaysInsideThePicture) {
  for (const double width : {360.0, 960.0}) {
    const FigureLayout layout = lay_out(lines_ending_at({1, 2, 3}), width, 0, true);
    const Box& plot = layout.panels.at(0).plot;
    EXPECT_GT(plot.width(), 0.5 * width);
    EXPECT_LT(plot.right, width);
    EXPECT_LT(layout.panels[0].x_label_y, layout.height);
  }
}

TEST(Layout, AReferenceFarFromTheDataDoesNotFlattenIt) {
  Figure figure = lines_ending_at({1});
  figure.references = {{20.3, "upper bound 20.3"}};
  EXPECT_LT(lay_out(figure, 960, 0, true).panels.at(0).y.maximum, 2);
  figure.references = {{1.4, "upper bound 1.4"}};
  EXPECT_GE(lay_out(figure, 960, 0, true).panels.at(0).y.maximum, 1.4);
}

TEST(Layout, ABandOfReferencesIsInsideWhereItIsNear) {
  Figure figure = lines_ending_at({1});
  figure.references = {{1.1, "random routing 1.1 to 1.4", 1.4}};
  EXPECT_GE(lay_out(figure, 960, 0, true).panels.at(0).y.maximum, 1.4);
  figure.references = {{1.1, "random routing 1.1 to 20", 20.0}};
  EXPECT_LT(lay_out(figure, 960, 0, true).panels.at(0).y.maximum, 2);
}

TEST(Layout, AScaleOfColoursHasMoreThanItsMiddleForAKey) {
  Figure figure;
  figure.panels.emplace_back().heatmap = Heatmap{{"a"}, {"a"}, {0}};
  for (const double end : {0.09, 0.41, 0.45, 0.49, 0.5, 0.99, 1.0, 3.1}) {
    figure.color_scale =
        ColorScale{.label = "cosine", .minimum = -end, .maximum = end, .logarithmic = false, .centre = 0.0};
    const std::vector<Tick> ticks = lay_out(figure, 960, 0, true).key_ticks;
    EXPECT_GE(ticks.size(), 3U) << end;
    EXPECT_THAT(labels_of(ticks), testing::Contains("0"));
  }
  figure.color_scale = ColorScale{.label = "drift", .minimum = 0.22, .maximum = 0.48, .logarithmic = true};
  EXPECT_GE(lay_out(figure, 960, 0, true).key_ticks.size(), 2U);
}

TEST(Layout, TheLastNameBelowAHeatmapIsInsideThePicture) {
  Figure figure;
  figure.color_scale = ColorScale{};
  figure.panels.emplace_back().heatmap =
      Heatmap{{"a"}, std::vector<std::string>(40, "10T to 11.2T"), std::vector<double>(40)};
  const FigureLayout layout = lay_out(figure, 360, 0, true);
  EXPECT_LE(layout.panels.at(0).plot.right + text_width("10T to 11.2T", layout.small_font_size) / 2, 360);
}

TEST(ColorScale, AnEvenShareIsInTheMiddleAndTheEndsAreClamped) {
  const ColorScale scale = {.label = "", .minimum = 0.125, .maximum = 8, .logarithmic = true, .centre = 1.0};
  EXPECT_DOUBLE_EQ(color_position(scale, 1), 0.5);
  EXPECT_NEAR(color_position(scale, 2), 0.5 + 0.5 / 3, 1e-12);
  EXPECT_DOUBLE_EQ(color_position(scale, 0), 0);
  EXPECT_DOUBLE_EQ(color_position(scale, 100), 1);
  EXPECT_EQ(hex(heatmap_color(scale, 1)), "#f7f7f7");
}

TEST(FigureText, WrongBytesAndControlCharactersBecomeVisibleText) {
  EXPECT_EQ(printable("a\nb\x1b"), "a b ");
  EXPECT_EQ(printable("\xff"), "\xEF\xBF\xBD");
  EXPECT_EQ(printable("\xC0\xAF"), "\xEF\xBF\xBD\xEF\xBF\xBD");       // an overlong "/"
  EXPECT_EQ(printable("\xED\xA0\x80").substr(0, 3), "\xEF\xBF\xBD");  // a surrogate
  EXPECT_EQ(printable("é 中 😀"), "é 中 😀");
  EXPECT_EQ(printable("\xE2\x80\xAE"
                      "abc"),
            " abc");  // would turn the text around
}

TEST(FigureText, WhatDoesNotFitIsCutBetweenCharacters) {
  const std::string cut = shorten("ééééééééééééé", 60, 12);
  EXPECT_LE(text_width(cut, 12), 60);
  EXPECT_EQ(cut.substr(cut.size() - 3), "…");
  EXPECT_EQ(cut.substr(0, 2), "é");
  EXPECT_EQ(shorten("abc", 60, 12), "abc");
}

/// A line of `count` points in a plane, each named, from (0, 0) along `step`.
Figure plane_line(std::size_t count, double step_x, double step_y) {
  Figure figure;
  figure.plane = true;
  Series& series = figure.panels.emplace_back().series.emplace_back();
  for (std::size_t i = 0; i < count; ++i) {
    series.x.push_back(static_cast<double>(i) * step_x);
    series.y.push_back(static_cast<double>(i) * step_y);
    series.point_labels.push_back("point " + std::to_string(i));
  }
  return figure;
}

std::vector<std::string> texts_of(const std::vector<PointLabel>& labels) {
  std::vector<std::string> texts;
  for (const PointLabel& label : labels) texts.push_back(label.text);
  return texts;
}

TEST(Layout, APlaneHasTheSameUnitInBothDirections) {
  for (const double slope : {0.01, 1.0, 30.0}) {
    for (const int width : {400, 960}) {
      const PanelLayout place = lay_out(plane_line(5, 1, slope), width, 0, true).panels.at(0);
      const double x = place.plot.width() / (place.x.maximum - place.x.minimum);
      const double y = place.plot.height() / (place.y.maximum - place.y.minimum);
      EXPECT_NEAR(x, y, 1e-9 * x);
      EXPECT_LT(place.x.minimum, 0);
      EXPECT_GT(place.x.maximum, 4);
      EXPECT_GT(place.y.maximum, 4 * slope);
    }
  }
}

TEST(Layout, APlaneOfASinglePlaceIsStillDrawn) {
  const PanelLayout place = lay_out(plane_line(3, 0, 0), 960, 0, true).panels.at(0);
  EXPECT_LT(place.x.minimum, place.x.maximum);
  EXPECT_LT(place.y.minimum, place.y.maximum);
}

TEST(Layout, PointsWithRoomAreNamed) {
  const std::vector<PointLabel> labels = lay_out(plane_line(4, 1, 1), 960, 0, true).panels.at(0).point_labels;
  EXPECT_THAT(texts_of(labels), testing::UnorderedElementsAre("point 0", "point 1", "point 2", "point 3"));
}

TEST(Layout, NamesOfCrowdedPointsAreLeftOutRatherThanCoverEachOther) {
  const FigureLayout layout = lay_out(plane_line(200, 1, 0.2), 960, 0, true);
  const std::vector<PointLabel>& labels = layout.panels.at(0).point_labels;
  EXPECT_LT(labels.size(), 200U);
  EXPECT_THAT(texts_of(labels), testing::IsSupersetOf({"point 0", "point 199"}));
  for (const PointLabel& a : labels) {
    for (const PointLabel& b : labels) {
      const bool apart = std::abs(a.y - b.y) > 10 || std::abs(a.x - b.x) > 40;
      EXPECT_TRUE(&a == &b || apart) << a.text << b.text;
    }
  }
}

TEST(FigureText, NumbersAvoidExponentsWhereTheyCan) {
  EXPECT_EQ(format_number(1037.4, 3), "1037");
  EXPECT_EQ(format_number(0.25), "0.25");
  EXPECT_EQ(format_number(-0.0), "0");
  EXPECT_EQ(format_number(NAN), "–");
  EXPECT_EQ(format_tokens(11.2e12), "11.2 T");
  EXPECT_EQ(format_tokens(552960), "553 k");
}

TEST(FigureText, NumbersOfAColumnHaveAsManyDecimals) {
  EXPECT_THAT(format_column({6.947, 2.9, 3}), ElementsAre("6.947", "2.900", "3.000"));
  EXPECT_THAT(format_column({1038.74, 25.3}), ElementsAre("1038.74", "25.30"));
  EXPECT_THAT(format_column({1, NAN, 0.5}, 3), ElementsAre("1.0", "–", "0.5"));
  EXPECT_THAT(format_column({1, 2}), ElementsAre("1", "2"));
  EXPECT_THAT(format_column({0, 0}), ElementsAre("0", "0"));
  EXPECT_THAT(format_column({1e-9, 1}), ElementsAre("1e-09", "1"));  // too far apart
  EXPECT_THAT(format_column({}), testing::IsEmpty());
  EXPECT_THAT(format_tokens_column({0, 1e12, 11.2e12}), ElementsAre("0.0 T", "1.0 T", "11.2 T"));
  EXPECT_THAT(format_tokens_column({NAN, 552960, 6193152}), ElementsAre("–", "0.5530 M", "6.1932 M"));
}

TEST(FigureText, WhatAllNamesBeginWithIsLeftOutAtAWordsEnd) {
  EXPECT_THAT(without_common_prefix({"tiny-dots1-00T", "tiny-dots1-01T"}), ElementsAre("00T", "01T"));
  EXPECT_THAT(without_common_prefix({"1T", "10T"}), ElementsAre("1T", "10T"));
  EXPECT_THAT(without_common_prefix({"step-100", "step-100-b"}), ElementsAre("100", "100-b"));
  EXPECT_THAT(without_common_prefix({"only"}), ElementsAre("only"));
}

}  // namespace
}  // namespace moescope
