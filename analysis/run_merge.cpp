#include "analysis/run_merge.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <set>

#include "analysis/recorded_products.h"
#include "analysis/router_weights.h"
#include "analysis/run_copy.h"
#include "analysis/run_layout.h"
#include "analysis/run_metrics.h"
#include "analysis/spectra_record.h"
#include "metrics/weight_drift.h"
#include "readers/corpus_builder.h"
#include "readers/errors.h"
#include "readers/recorded_corpus.h"
#include "readers/run_lock.h"
#include "readers/run_schema.h"

namespace moescope {
namespace {

namespace fs = std::filesystem;

/// One of the files to be joined, and where its parts have their place.
struct Part {
  RunFile run;
  RunSubject subject;
  RunIdentity identity;
  std::optional<Corpus> corpus;  // of its forward passes
  std::vector<std::uint8_t> forward_done, weights_done, tensor_done;
  Places checkpoint, token, domain;  // in the whole
  std::size_t corpus_number = 0;     // among the different ones

  bool has_forward() const { return corpus.has_value(); }
  bool has_weights() const { return !tensor_done.empty(); }
  std::string file() const { return run.path().string(); }
};

Part open_part(const fs::path& path) {
  RunFile run = RunFile::open(path);
  if (!run.contains("/status/forward"))
    throw FormatError(path.string(), {}, "holds no analysis", "moescope analyze writes such files");
  RunSubject subject = subject_of(run);
  Part part{std::move(run), std::move(subject), {}, {}, {}, {}, {}, {}, {}, {}, 0};
  part.identity = read_identity(part.run);
  if (part.run.contains("/loss/nll")) part.corpus = read_recorded_corpus(part.run);
  part.forward_done = part.run.read<std::uint8_t>("/status/forward");
  if (part.run.contains("/status/tensor_done"))
    part.tensor_done = part.run.read<std::uint8_t>("/status/tensor_done");
  part.weights_done = part.run.read<std::uint8_t>("/status/weights");
  return part;
}

/// What must be the same in all parts that have it at all.
void require_same_options(const Part& first, const Part& other) {
  for (const char* name : {"version", "precision", "saved", "spectra", "sketches"}) {
    const auto expected = first.identity.find(name), found = other.identity.find(name);
    const std::string a = expected == first.identity.end() ? "" : expected->second,
                      b = found == other.identity.end() ? "" : found->second;
    const bool of_forward = name == std::string("precision") || name == std::string("saved");
    const bool both =
        name == std::string("version") || (of_forward ? first.has_forward() && other.has_forward()
                                                      : first.has_weights() && other.has_weights());
    if (!both || a == b) continue;
    throw FormatError(other.file(), name,
                      "differs (expected '" + a + "' as in " + first.file() + ", found '" + b + "')",
                      "only runs made with the same options can be joined");
  }
}

void require_same_model(const Part& first, const Part& other) {
  bool equal = first.subject.weights.all().size() == other.subject.weights.all().size();
  for (std::size_t w = 0; equal && w < first.subject.weights.all().size(); ++w) {
    const Weight &a = first.subject.weights.all()[w], &b = other.subject.weights.all()[w];
    equal = a.name == b.name && a.rows == b.rows && a.cols == b.cols;
  }
  if (!equal || first.subject.config.num_experts_per_tok != other.subject.config.num_experts_per_tok)
    throw FormatError(other.file(), {}, "is of another model than " + first.file());
}

/// All of them, once each, in training order.
RunSubject joined_subject(const std::deque<Part>& parts) {
  RunSubject whole{{}, parts.front().subject.config, parts.front().subject.weights};
  for (const Part& part : parts) {
    for (const RunCheckpoint& checkpoint : part.subject.checkpoints) {
      const auto same = std::ranges::find_if(whole.checkpoints, [&](const RunCheckpoint& other) {
        return other.entry.name == checkpoint.entry.name;
      });
      if (same == whole.checkpoints.end()) {
        whole.checkpoints.push_back(checkpoint);
      } else if (same->fingerprint != checkpoint.fingerprint) {
        throw FormatError(part.file(), "checkpoint '" + checkpoint.entry.name + "'",
                          "is not the one of that name in another part (their fingerprints differ)");
      }
    }
  }
  sort_by_training(whole.checkpoints);
  return whole;
}

Places places_of_checkpoints(const Part& part, const RunSubject& whole) {
  Places places;
  for (const RunCheckpoint& checkpoint : part.subject.checkpoints) {
    const auto found = std::ranges::find_if(whole.checkpoints, [&](const RunCheckpoint& other) {
      return other.entry.name == checkpoint.entry.name;
    });
    places.emplace_back(static_cast<std::size_t>(found - whole.checkpoints.begin()));
  }
  return places;
}

/// Places `count` indices from `first` on.
Places shifted(std::size_t count, std::size_t first) {
  Places places;
  for (std::size_t i = 0; i < count; ++i) places.emplace_back(first + i);
  return places;
}

void require_new_domains(const Corpus& whole, const Part& part) {
  for (const std::string& domain : part.corpus->domains) {
    if (std::ranges::count(whole.domains, domain) > 0)
      throw FormatError(part.file(), "domain '" + domain + "'", "is in another part too, with other texts");
  }
}

void append(Corpus& whole, const Corpus& more) {
  const std::size_t tokens = whole.tokens();
  const auto domains = static_cast<std::int32_t>(whole.domains.size());
  const std::int32_t documents = whole.document.empty() ? 0 : *std::ranges::max_element(whole.document) + 1;
  const auto add = [](auto& to, const auto& from) { to.insert(to.end(), from.begin(), from.end()); };
  add(whole.domains, more.domains);
  add(whole.token_id, more.token_id);
  add(whole.position, more.position);
  add(whole.text_offset, more.text_offset);
  for (const std::int32_t document : more.document) whole.document.push_back(documents + document);
  for (const std::int32_t domain : more.domain) whole.domain.push_back(domains + domain);
  if (!whole.sequence_start.empty()) whole.sequence_start.pop_back();
  for (const std::size_t start : more.sequence_start) whole.sequence_start.push_back(tokens + start);
}

/// The different corpora one after the other; the same one in several parts counts once.
Corpus joined_corpus(std::deque<Part>& parts, std::size_t& corpora) {
  Corpus whole;
  std::vector<const Part*> first_with;
  for (Part& part : parts) {
    if (!part.has_forward()) continue;
    const auto same = std::ranges::find_if(
        first_with, [&](const Part* other) { return other->corpus->sha256 == part.corpus->sha256; });
    if (same != first_with.end()) {
      part.token = (*same)->token;
      part.domain = (*same)->domain;
      part.corpus_number = (*same)->corpus_number;
      continue;
    }
    require_new_domains(whole, part);
    part.token = shifted(part.corpus->tokens(), whole.tokens());
    part.domain = shifted(part.corpus->domains.size(), whole.domains.size());
    part.corpus_number = first_with.size();
    append(whole, *part.corpus);
    first_with.push_back(&part);
  }
  corpora = first_with.size();
  if (corpora > 0) whole.sha256 = corpus_sha256(whole);
  return whole;
}

/// The options of an analysis that would give the whole.
AnalysisOptions joined_options(const std::deque<Part>& parts, const MergeOptions& options) {
  AnalysisOptions joined;
  joined.forward = joined.weights = false;
  for (const Part& part : parts) {
    const AnalysisOptions of_part = recorded_options(part.identity);
    if (of_part.forward) {
      joined.forward = true;
      joined.save = of_part.save;
      joined.precision = of_part.precision;
    }
    if (of_part.weights) {
      joined.weights = true;
      joined.spectra = of_part.spectra;
      joined.sketches = of_part.sketches;
    }
    joined.version = of_part.version;
  }
  joined.command_line = options.command_line;
  return joined;
}

/// Only where `done`.
Places finished(const Places& places, const std::vector<std::uint8_t>& done) {
  Places result = places;
  for (std::size_t i = 0; i < result.size(); ++i) {
    if (!done[i]) result[i].reset();
  }
  return result;
}

/// The updates from one checkpoint to the next that are such updates in the whole, too.
Places places_of_steps(const Places& checkpoints) {
  Places steps;
  for (std::size_t c = 0; c + 1 < checkpoints.size(); ++c) {
    const bool neighbours = *checkpoints[c] + 1 == *checkpoints[c + 1];
    steps.push_back(neighbours ? checkpoints[c] : std::nullopt);
  }
  return steps;
}

bool is_forward_dataset(const std::string& path) {
  if (path == "/routing/token_count") return false;
  return path.starts_with("/routing/") || path.starts_with("/loss/") || path.starts_with("/hidden/") ||
         path.starts_with("/logits/");
}

bool is_weight_dataset(const std::string& path) {
  return path.starts_with("/weights/") && path != "/weights/element_count" &&
         path != "/weights/magnitude_histogram" && !path.starts_with("/weights/expert_weight_match");
}

/// They follow from sums over all steps between two checkpoints, so that the last bits depend on which others
/// there are.
bool is_distance(const std::string& path) {
  return path == "/weights/relative_drift" || path == "/weights/cosine";
}

void copy_forward(const Part& part, RunFile& whole) {
  if (!part.has_forward()) return;
  const DimensionPlaces places = {{"checkpoint", finished(part.checkpoint, part.forward_done)},
                                  {"token", part.token},
                                  {"domain", part.domain}};
  for (const DatasetSpec& spec : raw_datasets()) {
    if (!part.run.contains(spec.path)) continue;
    if (is_forward_dataset(spec.path)) copy_values(part.run, whole, spec.path, places, Overlap::agree);
  }
}

void copy_weights(const Part& part, RunFile& whole) {
  if (!part.has_weights()) return;
  const Places steps = places_of_steps(part.checkpoint);
  const DimensionPlaces places = {
      {"checkpoint", part.checkpoint},
      {"other_checkpoint", part.checkpoint},
      {"checkpoint_step", steps},
      {"other_checkpoint_step", steps},
      {"tensor", finished(shifted(part.tensor_done.size(), 0), part.tensor_done)}};
  for (const DatasetSpec& spec : raw_datasets()) {
    if (!is_weight_dataset(spec.path) || !part.run.contains(spec.path)) continue;
    const bool by_tensor = std::ranges::count(spec.dimensions, "tensor") > 0;
    if (is_distance(spec.path)) {
      copy_values(part.run, whole, spec.path, places, Overlap::replace);
    } else if (by_tensor || part.weights_done[0])
      copy_values(part.run, whole, spec.path, places, Overlap::agree);
  }
}

/// Distances from the sums of the whole, where these are known: as one weight pass would have had them.
void renew_distances(RunFile& whole, std::size_t tensors) {
  for (std::uint64_t first = 0; first < tensors; first += tensors_at_once) {
    const std::uint64_t count = std::min<std::uint64_t>(tensors_at_once, tensors - first);
    const RecordedProducts recorded = read_products(whole, first, count);
    const std::uint64_t checkpoints = whole.shape("/checkpoint")[0];
    const Slab slab{{0, 0, first}, {checkpoints, checkpoints, count}};
    std::vector<double> drift = whole.read<double>("/weights/relative_drift", slab),
                        cosine = whole.read<double>("/weights/cosine", slab);
    for (std::uint64_t w = 0; w < count; ++w) {
      WeightInnerProducts products = WeightInnerProducts::zero(checkpoints);
      products.add(recorded.inner_of(first + w), recorded.delta_inner_of(first + w));
      const std::vector<double> drifts = relative_drift(products), cosines = weight_cosine(products);
      for (std::size_t pair = 0; pair < drifts.size(); ++pair) {
        if (!std::isnan(drifts[pair])) drift[pair * count + w] = drifts[pair];
        if (!std::isnan(cosines[pair])) cosine[pair * count + w] = cosines[pair];
      }
    }
    whole.write<double>("/weights/relative_drift", slab, drift);
    whole.write<double>("/weights/cosine", slab, cosine);
  }
}

/// Counts of a part of the weights add up to those of all.
void add_magnitudes(const Part& part, RunFile& whole) {
  constexpr const char* path = "/weights/magnitude_histogram";
  if (!part.has_weights()) return;
  const std::vector<std::uint64_t> shape = part.run.shape(path);  // (C, roles, magnitudes)
  const bool adds = !part.identity.at("part").empty();
  for (std::size_t c = 0; c < shape[0]; ++c) {
    std::vector<std::int64_t> counts =
        part.run.read<std::int64_t>(path, {{c, 0, 0}, {1, shape[1], shape[2]}});
    if (std::ranges::count(counts, 0) == static_cast<std::ptrdiff_t>(counts.size())) continue;
    const Slab target{{*part.checkpoint[c], 0, 0}, {1, shape[1], shape[2]}};
    if (adds) {
      const std::vector<std::int64_t> there = whole.read<std::int64_t>(path, target);
      for (std::size_t i = 0; i < counts.size(); ++i) counts[i] += there[i];
    }
    whole.write<std::int64_t>(path, target, counts);
  }
}

void copy_telemetry(const Part& part, RunFile& whole) {
  for (const DatasetSpec& spec : raw_datasets()) {
    if (!spec.path.starts_with("/io/") || !part.run.contains(spec.path)) continue;
    const bool of_forward =
        !spec.path.starts_with("/io/weight_pass_") && !spec.path.starts_with("/io/spectra_");
    const Places places = of_forward ? finished(part.checkpoint, part.forward_done) : part.checkpoint;
    copy_values(part.run, whole, spec.path, {{"checkpoint", places}}, Overlap::replace);
  }
}

/// What the parts together have finished.
class Coverage {
 public:
  Coverage(std::size_t checkpoints, std::size_t corpora, std::size_t tensors)
      : checkpoints_(checkpoints),
        corpora_(corpora),
        tensors_(tensors),
        passes_(checkpoints * corpora),
        pairs_(tensors * checkpoints * checkpoints) {}

  void add(const Part& part) {
    for (std::size_t c = 0; c < part.checkpoint.size(); ++c) {
      if (part.has_forward() && part.forward_done[c])
        passes_[*part.checkpoint[c] * corpora_ + part.corpus_number] = 1;
    }
    for (std::size_t w = 0; w < part.tensor_done.size(); ++w) {
      if (!part.tensor_done[w]) continue;
      for (const auto& a : part.checkpoint) {
        for (const auto& b : part.checkpoint) pairs_[(w * checkpoints_ + *a) * checkpoints_ + *b] = 1;
      }
    }
  }

  bool forward(std::size_t checkpoint) const {
    const auto first = passes_.begin() + static_cast<std::ptrdiff_t>(checkpoint * corpora_);
    return corpora_ > 0 && std::all_of(first, first + static_cast<std::ptrdiff_t>(corpora_), is_set);
  }
  bool tensor(std::size_t w) const {
    const auto size = static_cast<std::ptrdiff_t>(checkpoints_ * checkpoints_);
    const auto first = pairs_.begin() + static_cast<std::ptrdiff_t>(w) * size;
    return std::all_of(first, first + size, is_set);
  }

 private:
  static bool is_set(std::uint8_t flag) { return flag == 1; }

  std::size_t checkpoints_, corpora_, tensors_;
  std::vector<std::uint8_t> passes_;  // (C, corpora)
  std::vector<std::uint8_t> pairs_;   // (W, C, C)
};

bool has_all_spectra(const RunFile& whole, const RunSubject& subject, SpectraChoice choice) {
  if (choice == SpectraChoice::none) return false;
  const SpectraRecord record(whole);
  return std::ranges::all_of(choose_spectra(subject.weights.all(), choice),
                             [&](std::size_t index) { return record.contains(index); });
}

MergeSummary write_status(RunFile& whole, const RunSubject& subject, const AnalysisOptions& options,
                          const Coverage& coverage) {
  const std::size_t checkpoints = subject.checkpoints.size();
  MergeSummary summary;
  std::vector<std::uint8_t> forward, tensors;
  for (std::size_t c = 0; c < checkpoints; ++c) forward.push_back(options.forward && coverage.forward(c));
  whole.write<std::uint8_t>("/status/forward", forward);
  summary.forward_finished = static_cast<std::size_t>(std::ranges::count(forward, 1));
  summary.complete = !options.forward || summary.forward_finished == checkpoints;
  summary.checkpoints = checkpoints;
  if (!options.weights) return summary;

  for (std::size_t w = 0; w < subject.weights.all().size(); ++w) tensors.push_back(coverage.tensor(w));
  whole.write<std::uint8_t>("/status/tensor_done", tensors);
  summary.tensors = tensors.size();
  summary.tensors_finished = static_cast<std::size_t>(std::ranges::count(tensors, 1));
  const bool weights = summary.tensors_finished == summary.tensors;
  const bool spectra = weights && has_all_spectra(whole, subject, options.spectra);
  whole.write<std::uint8_t>("/status/weights", std::vector<std::uint8_t>(checkpoints, weights));
  whole.write<std::uint8_t>("/status/spectra", std::vector<std::uint8_t>(checkpoints, spectra));
  summary.complete = summary.complete && weights && (spectra || options.spectra == SpectraChoice::none);
  return summary;
}

void require_single_parts(const std::deque<Part>& parts) {
  std::set<std::string> seen;
  for (const Part& part : parts) {
    const auto found = part.identity.find("part");
    if (found == part.identity.end() || found->second.empty()) continue;
    const std::string& name = found->second;
    if (!seen.insert(name).second) throw FormatError(part.file(), {}, "is part " + name + " once more");
    if (name.substr(name.find('/')) != seen.begin()->substr(seen.begin()->find('/')))
      throw FormatError(part.file(), {}, "is part " + name + ", another division than part " + *seen.begin());
    if (part.identity.at("checkpoints") != parts.front().identity.at("checkpoints"))
      throw FormatError(part.file(), {}, "is a part of the analysis of other checkpoints");
  }
}

std::deque<Part> open_parts(const std::vector<fs::path>& paths) {
  std::deque<Part> parts;
  for (const fs::path& path : paths) {
    parts.push_back(open_part(path));
    require_same_options(parts.front(), parts.back());
    require_same_model(parts.front(), parts.back());
  }
  require_single_parts(parts);
  return parts;
}

}  // namespace

MergeSummary merge_runs_locked(const MergeOptions& options) {
  if (options.parts.empty()) throw UsageError("no run file was given");
  std::error_code ignored;
  if (fs::exists(options.output, ignored) && !options.overwrite)
    throw UsageError(options.output.string() + ": exists", "give another -o, or --overwrite to replace it");
  std::deque<Part> parts = open_parts(options.parts);
  const RunSubject subject = joined_subject(parts);
  std::size_t corpora = 0;
  const Corpus corpus = joined_corpus(parts, corpora);
  const AnalysisOptions joined = joined_options(parts, options);
  const RunIdentity identity =
      run_identity(joined, subject, corpus, joined.precision.value_or(Precision::f32));

  RunFile whole = create_run(options.output, joined, subject, corpus, identity);
  Coverage coverage(subject.checkpoints.size(), corpora, subject.weights.all().size());
  std::string tokenizer;
  for (Part& part : parts) {
    part.checkpoint = places_of_checkpoints(part, subject);
    copy_forward(part, whole);
    copy_weights(part, whole);
    add_magnitudes(part, whole);
    copy_telemetry(part, whole);
    coverage.add(part);
    const auto recorded = part.run.attribute("/", "tokenizer_sha256");
    if (recorded && tokenizer.empty()) tokenizer = std::get<std::string>(*recorded);
  }
  whole.set_attribute("/", "tokenizer_sha256", tokenizer);
  if (joined.weights) {
    renew_distances(whole, subject.weights.all().size());
    match_recorded_experts(whole, subject.weights);
  }
  MergeSummary summary = write_status(whole, subject, joined, coverage);
  summary.domains = corpus.domains.size();
  summary.tokens = corpus.tokens();
  write_run_metrics(whole);
  whole.sync();
  return summary;
}

MergeSummary merge_runs(const MergeOptions& options) {
  const RunLock lock(options.output);
  return merge_runs_locked(options);
}

}  // namespace moescope
