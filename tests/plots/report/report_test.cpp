#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "metrics/entry/metric_names.h"
#include "plots/figures/figures.h"
#include "plots/findings/findings.h"
#include "plots/findings/report_facts.h"
#include "plots/report/html_report.h"
#include "plots/report/report_json.h"
#include "plots/report/report_page.h"
#include "readers/errors.h"
#include "readers/run_file/run_file.h"
#include "readers/sanitizers.h"
#include "tests/plots/sample_run.h"
#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class ReportTest : public testing::Test {
 protected:
  RunFile run(const SampleRun& sample) const {
    write_sample_run(directory / "run.h5", sample);
    return RunFile::open(directory / "run.h5");
  }
  std::string text(const std::string& name) const {
    std::ifstream file(directory / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::string report(const SampleRun& sample = {}) const {
    write_report(run(sample), directory / "report.html");
    return text("report.html");
  }

  const TemporaryDirectory directory;
};

nlohmann::json page_data(const std::string& html) {
  const std::string start = "id=\"report-data\">";
  const std::size_t begin = html.find(start) + start.size();
  return nlohmann::json::parse(html.substr(begin, html.find("</script>", begin) - begin));
}

TEST_F(ReportTest, HoldsEveryFigureAndWritesEachBesideIt) {
  const std::string html = report();
  for (const FigureEntry& entry : figure_table()) {
    EXPECT_THAT(html, HasSubstr("<figure id=\"figure-" + entry.id + "\">"));
    EXPECT_TRUE(std::filesystem::exists(directory / "figures" / (entry.id + ".svg"))) << entry.id;
  }
  EXPECT_THAT(html, Not(HasSubstr("Figures left out")));
}

TEST_F(ReportTest, OfAnotherNameBringsItsOwnFiguresAndSummary) {
  report();
  const std::string first = text("summary.json"), loss = text("figures/loss.svg");
  SampleRun weights_only;
  weights_only.forward = false;
  const ReportFiles files = write_report(run(weights_only), directory / "b.html");
  EXPECT_EQ(files.summary, directory / "b.summary.json");
  EXPECT_EQ(files.figures, directory / "b.figures");
  EXPECT_EQ(text("summary.json"), first);
  EXPECT_EQ(text("figures/loss.svg"), loss);
  EXPECT_FALSE(std::filesystem::exists(directory / "b.figures" / "loss.svg"));
  EXPECT_THAT(text("b.html"), AllOf(HasSubstr("as b.figures/*.svg, its numbers as b.summary.json."),
                                    HasSubstr("see b.figures/*.svg"), Not(HasSubstr(" figures/*.svg"))));
}

TEST_F(ReportTest, FiguresThatAnEarlierOneHadAndThisLacksAreGone) {
  report();
  std::ofstream(directory / "figures" / "mine.svg") << "drawn by somebody else";
  SampleRun weights_only;
  weights_only.forward = false;
  report(weights_only);
  EXPECT_FALSE(std::filesystem::exists(directory / "figures" / "loss.svg"));
  EXPECT_TRUE(std::filesystem::exists(directory / "figures" / "weight_drift.svg"));
  EXPECT_TRUE(std::filesystem::exists(directory / "figures" / "mine.svg"));
}

TEST_F(ReportTest, ThatFailsLeavesNothingBehind) {
  const RunFile sample = run({});
  const auto names = [&] {
    std::vector<std::string> all;
    for (const auto& entry : std::filesystem::directory_iterator(directory.path()))
      all.push_back(entry.path().filename());
    std::ranges::sort(all);
    return all;
  };
  std::filesystem::create_directory(directory /
                                    "summary.json");  // in the way of what is written last but one
  EXPECT_THROW(write_report(sample, directory / "report.html"), UsageError);
  EXPECT_THAT(names(), testing::ElementsAre("run.h5", "summary.json"));
}

TEST_F(ReportTest, ThatFailsLeavesAnEarlierOneAsItWas) {
  report();
  const std::string page = text("report.html"), loss = text("figures/loss.svg");
  std::filesystem::remove(directory / "summary.json");
  std::filesystem::create_directory(directory / "summary.json");
  SampleRun other;
  other.domains = {"prose", "poetry"};
  EXPECT_THROW(write_report(run(other), directory / "report.html"), UsageError);
  EXPECT_EQ(text("report.html"), page);
  EXPECT_EQ(text("figures/loss.svg"), loss);
}

TEST_F(ReportTest, NeedsNoNetwork) {
  const std::string html = report();
  EXPECT_THAT(html, HasSubstr("default-src 'none'"));
  for (const std::string attribute : {"src=", "href="}) {
    for (const std::string quote : {"'", "\""}) {
      for (const std::string address : {"//", "http:", "https:"}) {
        EXPECT_THAT(html, Not(HasSubstr(attribute + quote + address)));
      }
    }
  }
  EXPECT_THAT(html, AllOf(Not(HasSubstr("@import")), Not(HasSubstr("url(http"))));
}

TEST_F(ReportTest, TheDataInsideThePageAreThoseOfTheRunFile) {
  const nlohmann::json data = page_data(report());
  const nlohmann::json& loss = data.at("lines").at(0);
  EXPECT_EQ(loss.at("id"), "loss");
  EXPECT_NEAR(loss.at("panels").at(0).at(1).at("y").at(2).get<double>(), 3 + std::exp(-2.0),
              1e-5);  // sample_run.h
  ASSERT_EQ(data.at("heatmaps").size(), 6U);
  EXPECT_EQ(data.at("heatmaps").at(0).at("selectors").at(1).at("labels").at(0), "all domains");
}

TEST_F(ReportTest, TheSummaryHoldsANumberPerCheckpointAndTheProvenance) {
  report();
  const nlohmann::json summary = nlohmann::json::parse(text("summary.json"));
  ASSERT_EQ(summary.at("checkpoints").size(), 4U);
  const nlohmann::json& second = summary.at("checkpoints").at(1);
  EXPECT_EQ(second.at("name"), "tiny-1T");
  EXPECT_EQ(second.at("tokens"), 1e12);
  EXPECT_TRUE(second.at("step").is_null());
  EXPECT_NEAR(second.at("loss").get<double>(), 2.5 + std::exp(-1.0), 1e-5);
  EXPECT_NEAR(second.at("max_violation_mean").get<double>(), (0.5 + 0.05) / 2,
              1e-6);  // layers 0.5 and 0.6, halved
  EXPECT_NEAR(second.at("router_entropy_normalized_mean").get<double>(), 1 - 1 / 8.0, 1e-6);
  EXPECT_NEAR(second.at("relative_drift_since_first").at("router").get<double>(), 0.3, 1e-6);
  EXPECT_TRUE(second.at("relative_drift_since_first").contains("routed_expert"));  // as in every other JSON
  EXPECT_THAT(summary.at("provenance").at("Command line").get<std::string>(), HasSubstr("moescope analyze"));
  EXPECT_EQ(summary.at("figures").size(), figure_table().size());
}

TEST_F(ReportTest, NotesAreAListThatMarksWarnings) {
  EXPECT_EQ(notes_html({}), "");
  EXPECT_THAT(notes_html({"warning: <b>", "plain"}),
              HasSubstr("<li class=\"warning\">warning: &lt;b&gt;</li>\n<li>plain</li>\n"));
}

TEST_F(ReportTest, HostileNamesStayText) {
  const std::string html = report(hostile_sample());
  EXPECT_THAT(html, Not(HasSubstr("<script>alert(1)")));
  EXPECT_THAT(html, Not(HasSubstr("<img")));
  EXPECT_THAT(html, HasSubstr("&lt;img src=x onerror=alert(1)&gt;"));
  EXPECT_THAT(html, HasSubstr("{{data}} &lt;!-- &lt;script&gt;"));
  const nlohmann::json data = page_data(html);
  EXPECT_EQ(data.at("heatmaps").at(0).at("selectors").at(1).at("labels").at(4), "{{data}} <!-- <script>");
  EXPECT_FALSE(std::filesystem::exists("pwned"));
}

TEST_F(ReportTest, WithoutAForwardPassTheWeightsAreShownAndTheRestIsListed) {
  SampleRun weights_only;
  weights_only.forward = false;
  const std::string html = report(weights_only);
  EXPECT_THAT(html, HasSubstr("<figure id=\"figure-weight_drift\">"));
  EXPECT_THAT(html, Not(HasSubstr("<figure id=\"figure-loss\">")));
  EXPECT_THAT(html, HasSubstr("the run file holds no /metrics/loss"));
  EXPECT_EQ(nlohmann::json::parse(text("summary.json")).at("checkpoints").at(0).at("loss"), nullptr);
}

TEST_F(ReportTest, WithoutAWeightPassTheRoutingIsShown) {
  SampleRun forward_only;
  forward_only.weights = false;
  const std::string html = report(forward_only);
  EXPECT_THAT(html, HasSubstr("<figure id=\"figure-router_saturation\">"));
  EXPECT_THAT(html, HasSubstr("the run file holds no /metrics/role_norm"));
}

TEST_F(ReportTest, OneCheckpointIsEnough) {
  SampleRun one;
  one.checkpoints = {"only"};
  one.tokens = {std::nan("")};
  const std::string html = report(one);
  EXPECT_THAT(html, HasSubstr("<figure id=\"figure-load_heatmap\">"));
  EXPECT_THAT(html, HasSubstr("it shows a change, and the run file holds one checkpoint"));
}

TEST_F(ReportTest, ASeriesOfTheSizeOfDotsLlm1StaysBelowTwentyMegabytes) {
  SampleRun sample = large_sample();
  if (MOESCOPE_SANITIZED) sample.layers = 6;  // slow, and each layer is as the others
  EXPECT_LT(report(sample).size(), 20'000'000U);
}

TEST_F(ReportTest, FindingsRestateTheNumbers) {
  const std::vector<std::string> findings = report_findings(read_report_facts(run({})));
  ASSERT_EQ(findings.size(), 5U);
  EXPECT_THAT(findings[0], HasSubstr("fell from 3.5 to 2.55"));
  EXPECT_THAT(findings[0], HasSubstr("lowest on prose (2.05) and highest on math (3.05)"));
  EXPECT_THAT(findings[1], HasSubstr("layer 2: its busiest expert takes 1.18 times an even share"));
  EXPECT_THAT(findings[2], HasSubstr("fell from 1 to 0.625"));
  EXPECT_THAT(findings[3], HasSubstr("chance 0.25"));
  EXPECT_THAT(findings[4], HasSubstr("routed expert moved most (relative drift 1.2)"));
  EXPECT_THAT(findings[4], HasSubstr("from tiny-2T to tiny-3T, the largest is that of routed expert (0.4)"));
  EXPECT_THAT(findings[4], HasSubstr("whole model is 1.3 times as long as the straight way"));
}

TEST_F(ReportTest, WhatIsAllZeroIsASentenceAndNoChart) {
  SampleRun still;
  still.still = true;
  const std::string html = report(still);
  const std::size_t begin = html.find("<figure id=\"figure-dead_experts\">");
  const std::string figure = html.substr(begin, html.find("</figure>", begin) - begin);
  EXPECT_THAT(figure, AllOf(HasSubstr("Every value is 0."), Not(HasSubstr("<svg"))));
  const nlohmann::json data = page_data(html);
  for (const nlohmann::json& map : data.at("heatmaps")) EXPECT_NE(map.at("id"), "expert_drift");
  EXPECT_TRUE(std::filesystem::exists(directory / "figures" / "dead_experts.svg"));
}

TEST_F(ReportTest, MeansOverFewerLayersSaySoInTheTableAndTheSummary) {
  SampleRun broken;
  broken.broken = true;
  EXPECT_THAT(report(broken), HasSubstr("(1 of 2)</td>"));
  const nlohmann::json summary = nlohmann::json::parse(text("summary.json"));
  EXPECT_EQ(summary.at("checkpoints").at(0).at("layers_in_means").at("router_entropy"), 2);
  EXPECT_EQ(summary.at("checkpoints").at(3).at("layers_in_means").at("router_entropy"), 1);
  EXPECT_EQ(summary.at("checkpoints").at(3).at("layers_in_means").at("dead_experts"), 2);  // of two domains
}

TEST_F(ReportTest, ChanceLevelsAreReadFromTheRunFile) {
  const ReportFacts facts = read_report_facts(run({}));
  EXPECT_DOUBLE_EQ(chance_of(facts, metric::max_violation).value(), 0.15);            // sample_run.h
  EXPECT_DOUBLE_EQ(chance_of(facts, metric::dead_experts).value(), (0.1 + 0.2) / 2);  // mean over domains
  EXPECT_DOUBLE_EQ(chance_of(facts, metric::router_saturation).value(), 0.25);
}

TEST_F(ReportTest, TokensThatOnlyNamesTellAreCalledSo) {
  EXPECT_THAT(report(), HasSubstr("from 0 to 3 T training tokens as their names count them"));
  SampleRun told;
  told.tokens = {0, 552960, 1105920, 1658880};
  EXPECT_THAT(report(told),
              AllOf(HasSubstr("from 0 to 1.659 M training tokens"), Not(HasSubstr("names count"))));
}

TEST_F(ReportTest, ExpertsThatChangedPlacesAreTheFirstFinding) {
  SampleRun permuted;
  permuted.permuted = 2;
  const std::vector<std::string> findings = report_findings(read_report_facts(run(permuted)));
  ASSERT_EQ(findings.size(), 6U);
  EXPECT_THAT(findings[0],
              HasSubstr("changed places between tiny-1T and tiny-2T: 4 in 2 layers (mean cosine of router "
                        "rows 0.9, of weights 0.8)."));
}

TEST(Base64, EncodesTheVectorsOfRfc4648) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
}

TEST(FillTemplate, DoesNotLookIntoWhatItPutsIn) {
  EXPECT_EQ(fill_template("a {{x}} {{y}} b", {{"x", "{{y}}"}, {"y", "1"}}), "a {{y}} 1 b");
  EXPECT_THROW(fill_template("{{z}}", {}), std::logic_error);
}

}  // namespace
}  // namespace moescope
