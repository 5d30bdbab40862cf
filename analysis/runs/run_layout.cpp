#include "analysis/runs/run_layout.h"

#include <numeric>
#include <string_view>

#include "analysis/record/recorded_roles.h"
#include "analysis/record/router_record.h"
#include "analysis/record/spectra_record.h"
#include "analysis/record/telemetry.h"
#include "analysis/record/weight_recorder.h"
#include "analysis/runs/run_contents.h"
#include "analysis/runs/run_identity.h"
#include "analysis/runs/run_notes.h"
#include "readers/errors.h"
#include "readers/recorded/recorded_config.h"
#include "readers/recorded/recorded_keys.h"
#include "readers/schema/datasets.h"
#include "readers/schema/run_schema.h"

namespace moescope {
namespace {

/// `value_of(checkpoint)` of each.
template <class ValueOf>
auto column(const RunSubject& subject, ValueOf value_of) {
  std::vector<decltype(value_of(subject.checkpoints.front()))> values;
  for (const RunCheckpoint& checkpoint : subject.checkpoints) values.push_back(value_of(checkpoint));
  return values;
}

std::vector<std::int64_t> count_up(std::int64_t size) {
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(size));
  std::iota(numbers.begin(), numbers.end(), std::int64_t{0});
  return numbers;
}

template <class T>
void label(RunFile& run, const DatasetSpec& scale, const std::vector<T>& labels) {
  run.define_dimension(scale, std::span<const T>(labels));
}

std::vector<std::string> names_of(const RunSubject& subject) {
  return column(subject, [](const RunCheckpoint& checkpoint) { return checkpoint.entry.name; });
}

/// `value_of(weight)` of each.
template <class ValueOf>
auto of_weights(const RunSubject& subject, ValueOf value_of) {
  std::vector<decltype(value_of(subject.weights.all().front()))> values;
  for (const Weight& weight : subject.weights.all()) values.push_back(value_of(weight));
  return values;
}

/// How the labels of a dimension come into a new file. Those that metrics alone have come with them.
struct ScaleLabels {
  std::string_view path;
  void (*define)(RunFile& run, const DatasetSpec& scale, const RunBeginning& beginning);
};

using File = RunFile&;
using Scale = const DatasetSpec&;
using Beginning = const RunBeginning&;

constexpr ScaleLabels scale_labels[] = {
    {dataset::checkpoint,
     [](File run, Scale scale, Beginning of) { label(run, scale, names_of(of.subject)); }},
    {dataset::other_checkpoint,
     [](File run, Scale scale, Beginning of) { label(run, scale, names_of(of.subject)); }},
    {dataset::domain, [](File run, Scale scale, Beginning of) { label(run, scale, of.corpus.domains); }},
    {dataset::layer, [](File run, Scale scale,
                        Beginning of) { label(run, scale, count_up(of.subject.config.num_hidden_layers)); }},
    {dataset::moe_layer,
     [](File run, Scale scale, Beginning of) { label(run, scale, of.subject.config.moe_layers()); }},
    {dataset::expert, [](File run, Scale scale,
                         Beginning of) { label(run, scale, count_up(of.subject.config.n_routed_experts)); }},
    {dataset::other_expert,
     [](File run, Scale scale, Beginning of) {
       label(run, scale, count_up(of.subject.config.n_routed_experts));
     }},
    {dataset::tensor,
     [](File run, Scale scale, Beginning of) {
       label(run, scale, of_weights(of.subject, [](const Weight& weight) { return weight.name; }));
     }},
    {dataset::pass_part,
     [](File run, Scale scale, Beginning of) { label(run, scale, pass_part_names(of.subject.config)); }},
    {dataset::role, [](File run, Scale scale, Beginning) { label(run, scale, role_labels()); }},
    {dataset::probability,
     [](File run, Scale scale, Beginning) { run.define_dimension(scale, recorded_probabilities()); }},
    {dataset::step_bin, [](File run, Scale scale, Beginning) { label(run, scale, recorded_step_bins()); }},
};

void define_scales(RunFile& run, const RunContents& contents, const RunBeginning& beginning) {
  for (const ScaleLabels& scale : scale_labels) {
    const DatasetRow& row = raw_dataset(scale.path);
    if (is_recorded(row, contents)) scale.define(run, row, beginning);
  }
}

/// What has no labels is defined as the datasets ask for it.
void define_datasets(RunFile& run, const RunContents& contents) {
  for (const DatasetRow& row : raw_datasets()) {
    if (is_scale(row) || !is_recorded(row, contents) || run.contains(row.path)) continue;
    for (const std::string& dimension : row.dimensions) {
      if (!run.contains("/" + dimension)) run.define_dimension(dimension, contents.sizes.at(dimension));
    }
    run.define(recorded_spec(row, contents));
  }
}

void write_checkpoints(RunFile& run, const RunSubject& subject) {
  using One = const RunCheckpoint&;
  run.write(dataset::tokens_seen, column(subject, [](One c) { return c.entry.tokens; }));
  run.write(dataset::step, column(subject, [](One c) { return c.entry.step; }));
  run.write(dataset::phase, column(subject, [](One c) { return c.entry.phase; }));
  run.write(dataset::checkpoint_info_config_json, column(subject, [](One c) { return c.config_json; }));
  run.write(dataset::checkpoint_info_fingerprint, column(subject, [](One c) { return c.fingerprint; }));
  run.write(dataset::checkpoint_info_file_stamps, column(subject, [](One c) { return c.file_stamps; }));
  run.write(dataset::checkpoint_info_path, column(subject, [](One c) { return c.entry.path.string(); }));
}

std::vector<std::int64_t> tokens_by_domain(const Corpus& corpus) {
  std::vector<std::int64_t> count(corpus.domains.size());
  for (std::int32_t domain : corpus.domain) ++count[static_cast<std::size_t>(domain)];
  return count;
}

void write_corpus(RunFile& run, const Corpus& corpus) {
  run.write(dataset::corpus_token_id, corpus.token_id);
  run.write(dataset::corpus_document, corpus.document);
  run.write(dataset::corpus_position, corpus.position);
  run.write(dataset::corpus_domain, corpus.domain);
  run.write(dataset::corpus_text_offset, corpus.text_offset);
  run.write(dataset::routing_token_count, tokens_by_domain(corpus));
}

void write_tensors(RunFile& run, const RunSubject& subject) {
  run.write(dataset::weights_element_count, of_weights(subject, [](const Weight& weight) {
              return static_cast<std::int64_t>(weight.size());
            }));
  write_keys(run, of_weights(subject, [](const Weight& weight) { return weight.key; }));
}

RunExtent extent_of(const RunSubject& subject, const Corpus& corpus) {
  return {.checkpoints = subject.checkpoints.size(),
          .domains = corpus.domains.size(),
          .tokens = corpus.tokens(),
          .tensors = subject.weights.all().size()};
}

}  // namespace

RunFile create_run(const RunBeginning& beginning) {
  const AnalysisScope& scope = beginning.scope;
  const RunSubject& subject = beginning.subject;
  const RunContents contents = run_contents(scope, subject.config, extent_of(subject, beginning.corpus));
  RunFile run = RunFile::create(beginning.file);
  run.set_attribute("/", "moescope_version", scope.version);
  run.set_attribute("/", "command_line", beginning.command_line);
  run.set_attribute("/", "model_type", subject.config.model_type);
  run.set_attribute("/", "precision", scope.forward ? precision_name(scope.precision.value()) : "");
  run.set_attribute("/", "corpus_sha256", scope.forward ? scope.corpus : "");

  define_scales(run, contents, beginning);
  define_notes(run, beginning.notes, names_of(subject));
  define_datasets(run, contents);
  write_scope(run, scope);
  write_checkpoints(run, subject);
  record_head(run, subject.checkpoints.front().config_json, subject.config);
  if (scope.forward) write_corpus(run, beginning.corpus);
  if (scope.weights) {
    write_tensors(run, subject);
    begin_routers(run);
  }
  if (scope.measures_spectra()) begin_spectra(run, subject.weights.all(), scope.spectra);
  return run;
}

void require_layout(const RunFile& run, const AnalysisScope& scope, const RunSubject& subject,
                    const Corpus& corpus) {
  const RunContents contents = run_contents(scope, subject.config, extent_of(subject, corpus));
  for (const auto& [dimension, expected] : contents.sizes) {
    if (dimension == "note" || !run.contains("/" + dimension)) continue;  // its size depends on what was told
    const std::uint64_t found = run.shape("/" + dimension)[0];
    if (found == expected) continue;
    throw FormatError(run.path().string(), "/" + dimension,
                      "does not have the size that this analysis has (expected " + std::to_string(expected) +
                          ", found " + std::to_string(found) + ")");
  }
}

}  // namespace moescope
