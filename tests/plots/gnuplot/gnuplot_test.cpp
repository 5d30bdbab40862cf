#include "plots/gnuplot/gnuplot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <system_error>

#include "plots/gnuplot/gnuplot_process.h"
#include "plots/gnuplot/svg.h"
#include "readers/errors.h"
#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class GnuplotTest : public testing::Test {
 protected:
  const TemporaryDirectory directory;
};

Figure line_figure(const std::string& label) {
  Figure figure;
  figure.id = "test";
  figure.title = label;
  figure.caption = label;
  figure.x.label = figure.y.label = label;
  figure.references = {{1.5, label}};
  Series series = {.label = label, .x = {0, 1, 2}, .y = {1, NAN, 2}, .low = {}, .high = {}, .color = 0};
  figure.panels.push_back({.title = label, .series = {series}, .heatmap = {}});
  return figure;
}

Figure heatmap_figure(std::size_t rows, std::size_t columns, const std::string& label = "name") {
  Figure figure = line_figure(label);
  figure.references.clear();
  figure.color_scale = ColorScale{.label = label, .minimum = 0, .maximum = 1};
  Heatmap map = {std::vector<std::string>(rows, label), std::vector<std::string>(columns, label), {}};
  for (std::size_t i = 0; i < rows * columns; ++i) map.values.push_back(i == 1 ? NAN : 0.5);
  figure.panels = {{.title = label, .series = {}, .heatmap = map},
                   {.title = label, .series = {}, .heatmap = map}};
  return figure;
}

/// Whether every tag of `xml` is closed in order; enough for what gnuplot writes.
bool is_well_formed(std::string_view xml) {
  std::vector<std::string> open;
  for (std::size_t at = xml.find('<'); at != std::string_view::npos; at = xml.find('<', at + 1)) {
    const std::string_view tag = xml.substr(at + 1, xml.find('>', at) - at - 1);
    const std::string name(tag.substr(0, tag.find_first_of(" \n\t/", tag[0] == '/' ? 1 : 0)));
    if (tag[0] == '?' || tag.back() == '/') continue;
    if (tag[0] != '/') {
      open.push_back(name);
    } else if (open.empty() || "/" + open.back() != name) {
      return false;
    } else {
      open.pop_back();
    }
  }
  return open.empty();
}

TEST_F(GnuplotTest, DrawsWellFormedSvgWithTitleAndCaption) {
  const std::string svg = render(line_figure("loss of prose"));
  EXPECT_THAT(svg, StartsWith("<?xml"));
  EXPECT_TRUE(is_well_formed(svg));
  EXPECT_THAT(svg, HasSubstr("<title>loss of prose</title>"));
  EXPECT_THAT(svg, Not(HasSubstr("gnuplot_plot_1</title>")));
}

TEST_F(GnuplotTest, TheSameFigureGivesTheSameSvg) {
  const Figure figure = line_figure("loss");
  EXPECT_EQ(render(figure), render(figure));
}

TEST_F(GnuplotTest, DrawsTheFormatThatTheExtensionNames) {
  const auto begin_of = [&](const std::string& name) {
    render_figure(line_figure("loss"), find_output(directory / name), image_format(name));
    std::ifstream file(directory / name, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {}).substr(0, 5);
  };
  EXPECT_EQ(begin_of("a.svg"), "<?xml");
  EXPECT_EQ(begin_of("a.PNG"), "\x89PNG\r");  // PNG specification, section 5.2
  EXPECT_EQ(begin_of("a.pdf"), "%PDF-");      // ISO 32000, section 7.5.2
  EXPECT_THROW(image_format("a.jpg"), UsageError);
}

TEST_F(GnuplotTest, HeatmapsOfAnyShapeAreDrawn) {
  for (const std::size_t rows : {1, 2, 61}) {
    for (const std::size_t columns : {1, 3, 128}) {
      EXPECT_TRUE(is_well_formed(render(heatmap_figure(rows, columns)))) << rows << " x " << columns;
    }
  }
}

TEST_F(GnuplotTest, ManyFiguresAtOnceAreDrawnAsOneByOne) {
  const Figure first = line_figure("a"), second = heatmap_figure(2, 2);
  const std::vector<RenderJob> jobs = {{first, {}}, {second, {}}};
  const std::vector<std::string> images = render_svgs(jobs);
  ASSERT_EQ(images.size(), 2U);
  EXPECT_TRUE(images[0] == render(first));
  EXPECT_TRUE(images[1] == render(second));
}

/// Names that gnuplot would obey, or that would end a string, if they were not data.
class HostileText : public testing::TestWithParam<std::string> {};

TEST_P(HostileText, IsDrawnAndNeverObeyed) {
  const TemporaryDirectory directory;
  const std::filesystem::path mark = directory / "mark";
  std::string text = GetParam();
  for (std::size_t at = text.find("MARK"); at != std::string::npos; at = text.find("MARK")) {
    text.replace(at, 4, mark.string());
  }
  for (const Figure& figure : {line_figure(text), heatmap_figure(2, 3, text)}) {
    const std::string svg = render(figure);
    EXPECT_TRUE(is_well_formed(svg));
    EXPECT_THAT(svg, Not(HasSubstr("<script")));
    EXPECT_THAT(render(figure, {.format = ImageFormat::pdf}), StartsWith("%PDF"));
  }
  EXPECT_FALSE(std::filesystem::exists(mark));
}

INSTANTIATE_TEST_SUITE_P(Names, HostileText,
                         testing::Values("`touch MARK`", "'; system 'touch MARK'; '",
                                         "''; system ''touch MARK''; ''", "'''; system('touch MARK') #",
                                         "\"; system \"touch MARK", "$(touch MARK)", "\n!touch MARK\n",
                                         "\n\nEOD\nsystem 'touch MARK'\n", "e\ne\nsystem 'touch MARK'\n",
                                         "@MARK {/Bold x} a_{b}^c \\n \\", "</text><script>alert(1)</script>",
                                         "]]> &amp; <?xml version='1.0'?>", "\xff\xfe\x01\x1b[31m", "'", "''",
                                         "\\'", "", "%s %d %n"));

TEST_F(GnuplotTest, APercentSignIsNoFormat) {
  EXPECT_THAT(render(heatmap_figure(2, 2, "100 %d")), HasSubstr("<text>100 %d</text>"));
}

TEST_F(GnuplotTest, AMissingProgramIsNamedTogetherWithTheFigure) {
  const std::string path = std::getenv("PATH");
  setenv("PATH", directory.path().c_str(), 1);
  try {
    render(line_figure("loss"));
    ADD_FAILURE() << "no exception";
  } catch (const std::system_error& error) {
    EXPECT_THAT(error.what(), HasSubstr("figure 'test': cannot run gnuplot"));
    EXPECT_EQ(error.code(), std::errc::no_such_file_or_directory);
  }
  setenv("PATH", path.c_str(), 1);
}

TEST_F(GnuplotTest, AFailingProgramIsQuoted) {
  std::ofstream(directory / "gnuplot") << "#!/bin/sh\necho 'no terminal' >&2\nexit 3\n";
  std::filesystem::permissions(directory / "gnuplot", std::filesystem::perms::owner_all);
  const std::string path = std::getenv("PATH");
  setenv("PATH", (directory.path().string() + ":" + path).c_str(), 1);
  EXPECT_THAT([] { render(line_figure("loss")); },
              testing::ThrowsMessage<GnuplotError>(HasSubstr("figure 'test': gnuplot failed: no terminal")));
  setenv("PATH", path.c_str(), 1);
}

TEST_F(GnuplotTest, WhatTheEnvironmentSaysToGnuplotChangesNothing) {
  const std::string plain = render(line_figure("loss"));
  const std::pair<const char*, const char*> variables[] = {
      {"GNUTERM", "nosuchterminal"}, {"GNUPLOT_LIB", "/nonexistent"}, {"GDFONTPATH", "/nonexistent"},
      {"GNUHELP", "/nonexistent"},   {"LC_ALL", "de_DE.UTF-8"},       {"TMPDIR", "/nonexistent"}};
  for (const auto& [name, value] : variables) setenv(name, value, 1);
  EXPECT_EQ(render(line_figure("loss")), plain);
  for (const auto& [name, value] : variables) unsetenv(name);
}

TEST_F(GnuplotTest, AProgramThatASignalEndsIsNoDefectOfOurs) {
  std::ofstream(directory / "gnuplot") << "#!/bin/sh\nkill -9 $$\n";
  std::filesystem::permissions(directory / "gnuplot", std::filesystem::perms::owner_all);
  const std::string path = std::getenv("PATH");
  setenv("PATH", (directory.path().string() + ":" + path).c_str(), 1);
  EXPECT_THAT([] { render(line_figure("loss")); },
              testing::ThrowsMessage<GnuplotError>("figure 'test': gnuplot was ended by a signal: Killed"));
  setenv("PATH", path.c_str(), 1);
}

TEST_F(GnuplotTest, InlineSvgHasItsOwnIdsAndThePageColours) {
  const std::string svg = inline_svg(render(line_figure("id='x' rgb(28,33,41)")), "p-");
  EXPECT_THAT(svg, StartsWith("<svg"));
  EXPECT_THAT(svg, HasSubstr("id=\"p-gnuplot_canvas\""));
  EXPECT_THAT(svg, HasSubstr("href='#p-gpPt"));
  EXPECT_THAT(svg, HasSubstr("var(--figure-line-0)"));
  EXPECT_THAT(svg, Not(HasSubstr("\"rgb(92,102,115)\"")));
  EXPECT_THAT(svg, HasSubstr("rgb(28,33,41)</title>")) << "text is not markup";
  EXPECT_THAT(theme_variables(true), HasSubstr("--figure-ink:#e8ecf1;"));
}

}  // namespace
}  // namespace moescope
