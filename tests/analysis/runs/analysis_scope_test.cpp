#include "analysis/runs/analysis_scope.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

namespace moescope {
namespace {

using Texts = std::map<std::string, std::string>;

Texts texts_of(const AnalysisScope& scope) {
  Texts texts;
  for (const ScopeField& field : scope_fields()) texts[field.name] = field.text(scope);
  return texts;
}

AnalysisScope everything() {
  AnalysisScope scope;
  scope.precision = Precision::f32;
  scope.save = {true, true, true};
  scope.spectra = SpectraChoice::all;
  scope.part = {1, 8};
  scope.version = "1.0.0";
  scope.checkpoints = "c";
  scope.corpus = "t";
  return scope;
}

// As the run files of earlier versions have them.
TEST(AnalysisScope, KeepsTheTextsOfRunFiles) {
  const Texts expected = {
      {"checkpoints", "c"},          {"corpus", "t"},      {"part", "2/8"},
      {"passes", "forward weights"}, {"precision", "f32"}, {"saved", "router_logits hidden_states logits "},
      {"sketches", "yes"},           {"spectra", "all"},   {"version", "1.0.0"}};
  EXPECT_EQ(texts_of(everything()), expected);
}

TEST(AnalysisScope, SaysNothingOfAPassThatIsNotRun) {
  AnalysisScope scope = everything();
  scope.weights = false;
  Texts texts = texts_of(scope);
  EXPECT_EQ(texts["passes"], "forward ");
  EXPECT_EQ(texts["sketches"] + texts["spectra"], "");
  scope.weights = true;
  scope.forward = false;
  texts = texts_of(scope);
  EXPECT_EQ(texts["passes"], "weights");
  EXPECT_EQ(texts["precision"] + texts["corpus"], "");
}

TEST(AnalysisScope, IsReadBackFromItsTexts) {
  AnalysisScope nothing;
  nothing.forward = false;
  nothing.spectra = SpectraChoice::none;
  nothing.sketches = false;
  AnalysisScope one_part = everything();
  one_part.save = {false, false, true};
  for (const AnalysisScope& scope : {AnalysisScope(), everything(), nothing, one_part}) {
    AnalysisScope read;
    for (const ScopeField& field : scope_fields()) EXPECT_TRUE(field.parse(field.text(scope), read));
    EXPECT_EQ(texts_of(read), texts_of(scope));
    EXPECT_EQ(read.forward, scope.forward);
    EXPECT_EQ(read.save.router_logits, scope.save.router_logits);
    EXPECT_EQ(read.save.logits, scope.save.logits);
    EXPECT_EQ(read.part.count, scope.part.count);
  }
}

TEST(AnalysisScope, TakesAnAbsentTextForNothingAskedFor) {
  AnalysisScope read = everything();
  for (const ScopeField& field : scope_fields()) EXPECT_TRUE(field.parse("", read)) << field.name;
  for (const auto& [name, text] : texts_of(read)) EXPECT_EQ(text, "") << name;
}

TEST(AnalysisScope, RefusesTextsOfAnotherForm) {
  const std::map<std::string, std::string> wrong = {{"part", "3/2"},      {"passes", "backward"},
                                                    {"precision", "f16"}, {"saved", "logits weights "},
                                                    {"sketches", "no"},   {"spectra", "most"}};
  AnalysisScope scope;
  for (const ScopeField& field : scope_fields()) {
    const auto found = wrong.find(field.name);
    if (found == wrong.end()) continue;
    EXPECT_FALSE(field.parse(found->second, scope)) << field.name;
  }
}

TEST(AnalysisPart, IsOneOfSeveral) {
  EXPECT_EQ(parse_part("2/8")->index, 1u);
  EXPECT_EQ(parse_part("2/8")->name(), "2/8");
  for (const char* wrong : {"", "2", "0/8", "9/8", "2/8x", "/8", "2/", "-1/2"})
    EXPECT_FALSE(parse_part(wrong)) << wrong;
}

// A bookmark of the version before is found by it.
TEST(AnalysisScope, FieldsStandInTheOrderOfTheirDigest) {
  std::string before;
  for (const ScopeField& field : scope_fields()) {
    EXPECT_LT(before, field.name);
    before = field.name;
  }
}

}  // namespace
}  // namespace moescope
