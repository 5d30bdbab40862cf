#include "analysis/runs/analysis_scope.h"

#include <algorithm>
#include <charconv>
#include <sstream>
#include <vector>

namespace moescope {
namespace {

/// Those of the words that are so; each followed by a blank, as run files have always had them.
std::string saved_text(const AnalysisScope& scope) {
  std::string text;
  for (const SavedPart& part : saved_parts) {
    if (scope.save.*part.wanted) text += std::string(part.name) + " ";
  }
  return text;
}

bool parse_saved(const std::string& text, AnalysisScope& scope) {
  scope.save = {};
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    const auto* part =
        std::ranges::find_if(saved_parts, [&](const SavedPart& known) { return word == known.name; });
    if (part == std::end(saved_parts)) return false;
    scope.save.*part->wanted = true;
  }
  return true;
}

std::string passes_text(const AnalysisScope& scope) {
  return std::string(scope.forward ? "forward " : "") + (scope.weights ? "weights" : "");
}

bool parse_passes(const std::string& text, AnalysisScope& scope) {
  scope.forward = text.starts_with("forward ");
  scope.weights = text.ends_with("weights");
  return passes_text(scope) == text;
}

std::string part_text(const AnalysisScope& scope) {
  return scope.part.is_whole() ? "" : scope.part.name();
}

bool parse_part_text(const std::string& text, AnalysisScope& scope) {
  const std::optional<AnalysisPart> part = text.empty() ? AnalysisPart() : parse_part(text);
  scope.part = part.value_or(AnalysisPart());
  return part.has_value();
}

std::string precision_text(const AnalysisScope& scope) {
  return scope.forward && scope.precision ? precision_name(*scope.precision) : "";
}

bool parse_precision_text(const std::string& text, AnalysisScope& scope) {
  scope.precision = parse_precision(text);
  return text.empty() || scope.precision;
}

std::string spectra_text(const AnalysisScope& scope) {
  return scope.weights ? std::string(spectra_choice_name(scope.spectra)) : "";
}

bool parse_spectra_text(const std::string& text, AnalysisScope& scope) {
  const std::optional<SpectraChoice> choice = parse_spectra_choice(text);
  scope.spectra = choice.value_or(SpectraChoice::none);
  return text.empty() || choice;
}

std::string sketches_text(const AnalysisScope& scope) {
  return scope.records_sketches() ? "yes" : "";
}

bool parse_sketches(const std::string& text, AnalysisScope& scope) {
  scope.sketches = text == "yes";
  return text.empty() || scope.sketches;
}

/// A field that is a text itself.
template <std::string AnalysisScope::*member>
std::string text_of(const AnalysisScope& scope) {
  return scope.*member;
}

template <std::string AnalysisScope::*member>
bool take_text(const std::string& text, AnalysisScope& scope) {
  scope.*member = text;
  return true;
}

std::string corpus_text(const AnalysisScope& scope) {
  return scope.forward ? scope.corpus : "";
}

/// In the order in which a difference is looked for. In that of the alphabet, so that digests of the whole
/// stay what they were.
constexpr ScopeField fields[] = {
    {"checkpoints", Agreement::none, "a SHA-256", text_of<&AnalysisScope::checkpoints>,
     take_text<&AnalysisScope::checkpoints>, "it is of other checkpoints"},
    {"corpus", Agreement::none, "a SHA-256", corpus_text, take_text<&AnalysisScope::corpus>,
     "it is of another corpus"},
    {"part", Agreement::none, "1/2", part_text, parse_part_text},
    {"passes", Agreement::none, "forward weights", passes_text, parse_passes},
    {"precision", Agreement::of_forward, "f32 or bf16", precision_text, parse_precision_text},
    {"saved", Agreement::of_forward, "router_logits hidden_states logits", saved_text, parse_saved},
    {"sketches", Agreement::of_weights, "yes", sketches_text, parse_sketches},
    {"spectra", Agreement::of_weights, "all, sample or none", spectra_text, parse_spectra_text},
    {"version", Agreement::of_all, "1.0.0", text_of<&AnalysisScope::version>,
     take_text<&AnalysisScope::version>},
};

}  // namespace

std::string AnalysisPart::name() const {
  return std::to_string(index + 1) + "/" + std::to_string(count);
}

std::optional<AnalysisPart> parse_part(const std::string& name) {
  std::size_t index = 0, count = 0;
  const char* end = name.data() + name.size();
  const auto first = std::from_chars(name.data(), end, index);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != '/') return {};
  const auto second = std::from_chars(first.ptr + 1, end, count);
  if (second.ec != std::errc() || second.ptr != end || index < 1 || index > count) return {};
  return AnalysisPart{index - 1, count};
}

std::span<const ScopeField> scope_fields() {
  return fields;
}

std::string precision_name(Precision precision) {
  return precision == Precision::f32 ? "f32" : "bf16";
}

std::optional<Precision> parse_precision(const std::string& name) {
  if (name == "f32") return Precision::f32;
  if (name == "bf16") return Precision::bf16;
  return {};
}

}  // namespace moescope
