#include "cli/scope_arguments.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "readers/errors.h"

namespace moescope {
namespace {

std::vector<std::string> saved_names() {
  std::vector<std::string> names;
  std::ranges::transform(saved_parts, std::back_inserter(names), &SavedPart::name);
  return names;
}

void save_part(const std::string& name, RecordOptions& save) {
  const auto* part =
      std::ranges::find_if(saved_parts, [&](const SavedPart& known) { return name == known.name; });
  if (part == std::end(saved_parts))
    throw UsageError("--save: expected " + alternatives(saved_names()) + ", found '" + name + "'",
                     did_you_mean(name, saved_names()));
  save.*part->wanted = true;
}

/// "router_logits,logits" or several words.
void save_parts(const std::vector<std::string>& values, RecordOptions& save) {
  for (std::string rest : values) {
    while (!rest.empty()) {
      const std::string part = rest.substr(0, rest.find(','));
      rest.erase(0, part.size() + 1);
      save_part(part, save);
    }
  }
}

AnalysisPart part_of(const std::string& text) {
  if (const std::optional<AnalysisPart> part = parse_part(text)) return *part;
  throw UsageError("--part: expected I/N with I from 1 to N, as 2/8, found '" + text + "'");
}

}  // namespace

void ScopeArguments::declare_precision(CommandLine& line) {
  line.choice(
      "precision", {"f32", "bf16"},
      [this](const std::string& name) { scope.precision = parse_precision(name); },
      "arithmetic of the forward pass (default bf16 for BF16 weights, else f32)");
}

void ScopeArguments::declare(CommandLine& line) {
  line.choice(
      "only", {"forward", "weights"},
      [this](const std::string& half) {
        scope.forward = half == "forward";
        scope.weights = half == "weights";
      },
      "leave out the other half of the work");
  line.choice(
      "spectra", {"all", "sample", "none"},
      [this](const std::string& choice) { scope.spectra = parse_spectra_choice(choice).value(); },
      "singular values of which matrices: all, none, or a sample (default): those with a short side up to "
      "256, so every router, and of larger experts 8");
  line.flag(
      "no-sketches", [this] { scope.sketches = false; },
      "leave out the sketches of weights (4 kB each), which stand for a checkpoint that is deleted");
  line.list("save", "WHAT,...", &saved, "keep large parts too: router_logits, hidden_states, logits");
}

void ScopeArguments::declare_part(CommandLine& line) {
  line.text(
      "part", "I/N", [this](const std::string& text) { scope.part = part_of(text); },
      "do the I-th of N shares of the work, for N jobs side by side; moescope merge joins their run files");
}

AnalysisScope ScopeArguments::parsed() const {
  AnalysisScope parsed = scope;
  save_parts(saved, parsed.save);
  return parsed;
}

}  // namespace moescope
