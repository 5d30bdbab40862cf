#pragma once
/// What the numbers of an analysis depend on: two analyses of one scope give the same bytes.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "analysis/kernels/activations.h"
#include "analysis/record/record_options.h"
#include "analysis/weights/spectra_choice.h"

namespace moescope {

/// A share of an analysis that is divided among several jobs.
struct AnalysisPart {
  std::size_t index = 0, count = 1;  // index < count

  bool is_whole() const { return count == 1; }
  std::string name() const;  // "1/4" of the first of four
  /// Whether the part has item number `i`: every count-th.
  bool has(std::size_t i) const { return i % count == index; }
};

/// Of "1/4"; empty for what is no part.
std::optional<AnalysisPart> parse_part(const std::string& name);

/// Each member is written down by a row of scope_fields().
struct AnalysisScope {
  bool forward = true;                            // run the model on the corpus
  bool weights = true;                            // compare the weights of all checkpoints
  std::optional<Precision> precision;             // absent: bf16 if the weights are BF16, else f32
  RecordOptions save;                             // of the forward pass
  SpectraChoice spectra = SpectraChoice::sample;  // of which weights
  bool sketches = true;                           // of the weights, for checkpoints to come
  AnalysisPart part;
  std::string version;  // of moescope
  // SHA-256 of the checkpoints' names and contents, and of the texts; empty until they are known.
  std::string checkpoints, corpus;

  bool measures_spectra() const { return weights && spectra != SpectraChoice::none; }
  bool records_sketches() const { return weights && sketches; }
};

/// Which run files must agree in a field to be joined.
enum class Agreement : std::uint8_t {
  of_all,
  of_forward,  // all that have a forward pass
  of_weights,  // all that have a weight pass
  none,        // the whole has its own
};

/// A field of the scope as text, in run files and messages.
struct ScopeField {
  const char* name;  // "precision": the attribute identity_precision of /status
  Agreement agreement;
  const char* form;  // of the texts, for whoever finds another
  std::string (*text)(const AnalysisScope&);
  /// Fills the field; "" is always understood, as what a file without the attribute has. False for a text
  /// that is of another form.
  bool (*parse)(const std::string& text, AnalysisScope&);
  const char* difference = nullptr;  // in words; null: both texts are told
};

/// A new field, of which older run files know nothing, has the text "" where it is not asked for.
std::span<const ScopeField> scope_fields();

/// "f32" or "bf16".
std::string precision_name(Precision precision);
/// Empty for another name.
std::optional<Precision> parse_precision(const std::string& name);

}  // namespace moescope
