#include "analysis/runs/run_layout.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "analysis/record/recorded_roles.h"
#include "analysis/record/router_record.h"
#include "analysis/record/spectra_record.h"
#include "analysis/record/telemetry.h"
#include "analysis/record/weight_recorder.h"
#include "analysis/runs/run_identity.h"
#include "analysis/runs/run_notes.h"
#include "readers/errors.h"
#include "readers/recorded/recorded_config.h"
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
void define_scale(RunFile& run, const char* path, const std::vector<T>& labels) {
  run.define_dimension(raw_dataset(path), std::span<const T>(labels));
}

template <class T>
void define_and_write(RunFile& run, const char* path, const std::vector<T>& values) {
  run.define(raw_dataset(path));
  run.write<T>(path, values);
}

void define_checkpoints(RunFile& run, const RunSubject& subject) {
  using One = const RunCheckpoint&;
  const auto names = column(subject, [](One c) { return c.entry.name; });
  define_scale(run, "/checkpoint", names);
  define_scale(run, "/other_checkpoint", names);
  define_and_write(run, "/tokens_seen", column(subject, [](One c) { return c.entry.tokens; }));
  define_and_write(run, "/step", column(subject, [](One c) { return c.entry.step; }));
  define_and_write(run, "/phase", column(subject, [](One c) { return c.entry.phase; }));
  define_and_write(run, "/checkpoint_info/config_json", column(subject, [](One c) { return c.config_json; }));
  define_and_write(run, "/checkpoint_info/fingerprint", column(subject, [](One c) { return c.fingerprint; }));
  define_and_write(run, "/checkpoint_info/file_stamps", column(subject, [](One c) { return c.file_stamps; }));
  define_and_write(run, "/checkpoint_info/path",
                   column(subject, [](One c) { return c.entry.path.string(); }));
}

void define_model(RunFile& run, const ModelConfig& config) {
  define_scale(run, "/layer", count_up(config.num_hidden_layers));
  define_scale(run, "/moe_layer", config.moe_layers());
  define_scale(run, "/expert", count_up(config.n_routed_experts));
}

std::vector<std::int64_t> tokens_by_domain(const Corpus& corpus) {
  std::vector<std::int64_t> count(corpus.domains.size());
  for (std::int32_t domain : corpus.domain) ++count[static_cast<std::size_t>(domain)];
  return count;
}

void define_corpus(RunFile& run, const Corpus& corpus) {
  define_scale(run, "/domain", corpus.domains);
  run.define_dimension("token", corpus.tokens());
  define_and_write(run, "/corpus/token_id", corpus.token_id);
  define_and_write(run, "/corpus/document", corpus.document);
  define_and_write(run, "/corpus/position", corpus.position);
  define_and_write(run, "/corpus/domain", corpus.domain);
  define_and_write(run, "/corpus/text_offset", corpus.text_offset);
  define_and_write(run, "/routing/token_count", tokens_by_domain(corpus));
}

void define_routing(RunFile& run, const ModelConfig& config, const RecordOptions& save) {
  run.define_dimension("rank", static_cast<std::uint64_t>(config.num_experts_per_tok));
  DatasetSpec index = raw_dataset("/routing/topk_index");
  index.type = expert_index_type(static_cast<std::uint64_t>(config.n_routed_experts));
  run.define(index);
  for (const char* path :
       {"/routing/topk_weight", "/routing/entropy", "/routing/margin", "/routing/topk_mass",
        "/routing/bias_flips", "/routing/top1_share", "/routing/topk_weight_entropy", "/routing/expert_count",
        "/routing/nonfinite_count"}) {
    run.define(raw_dataset(path));
  }
  if (save.router_logits) run.define(raw_dataset("/routing/router_logit"));
}

void define_forward(RunFile& run, const ModelConfig& config, const RecordOptions& save) {
  if (!config.moe_layers().empty()) define_routing(run, config, save);
  run.define(raw_dataset("/loss/nll"));
  run.define(raw_dataset("/loss/nonfinite_count"));
  if (save.hidden_states) {
    run.define_dimension("hidden_unit", static_cast<std::uint64_t>(config.hidden_size));
    run.define(raw_dataset("/hidden/hidden_state"));
  }
  if (save.logits) {
    run.define_dimension("vocabulary", static_cast<std::uint64_t>(config.vocab_size));
    run.define(raw_dataset("/logits/logit"));
  }
}

/// What follows the weight pass.
void define_spectra_and_routers(RunFile& run, const RunSubject& subject, SpectraChoice spectra) {
  const std::size_t checkpoints = subject.checkpoints.size();
  if (!subject.config.moe_layers().empty()) {
    define_scale(run, "/other_expert", count_up(subject.config.n_routed_experts));
    define_routers(run, checkpoints);
  }
  if (spectra != SpectraChoice::none) define_spectra(run, checkpoints, subject.weights.all(), spectra);
}

}  // namespace

void define_weights(RunFile& run, std::span<const Weight> weights, std::size_t checkpoints, bool sketches) {
  std::vector<std::string> names;
  std::vector<std::int64_t> sizes;
  for (const Weight& weight : weights) {
    names.push_back(weight.name);
    sizes.push_back(static_cast<std::int64_t>(weight.size()));
  }
  const std::span<const double> probabilities = recorded_probabilities();
  define_scale(run, "/tensor", names);
  define_scale(run, "/role", role_labels());
  define_scale(run, "/probability", std::vector<double>(probabilities.begin(), probabilities.end()));
  run.define_dimension("magnitude", bfloat16_magnitudes);
  define_and_write(run, "/weights/element_count", sizes);
  run.define(raw_dataset("/status/tensor_done"));
  run.define(raw_dataset("/status/pair_done"));
  for (const char* path :
       {"/weights/norm", "/weights/rms", "/weights/mean", "/weights/std", "/weights/kurtosis", "/weights/min",
        "/weights/max", "/weights/max_abs", "/weights/zero_count", "/weights/denormal_count",
        "/weights/nonfinite_count", "/weights/magnitude_quantile", "/weights/magnitude_histogram",
        "/weights/inner_product", "/weights/relative_drift", "/weights/cosine"}) {
    run.define(raw_dataset(path));
  }
  if (sketches) {
    run.define_dimension("sketch_element", sketch_size);
    run.define(raw_dataset("/weights/sketch"));
  }
  if (checkpoints < 2) return;
  run.define_dimension("checkpoint_step", checkpoints - 1);
  run.define_dimension("other_checkpoint_step", checkpoints - 1);
  define_scale(run, "/step_bin", recorded_step_bins());
  for (const char* path :
       {"/weights/delta_inner_product", "/weights/step_histogram", "/weights/fraction_changed"}) {
    run.define(raw_dataset(path));
  }
}

RunFile create_run(const RunBeginning& beginning) {
  const AnalysisScope& scope = beginning.scope;
  const RunSubject& subject = beginning.subject;
  RunFile run = RunFile::create(beginning.file);
  run.set_attribute("/", "moescope_version", scope.version);
  run.set_attribute("/", "command_line", beginning.command_line);
  run.set_attribute("/", "model_type", subject.config.model_type);
  run.set_attribute("/", "precision", scope.forward ? precision_name(scope.precision.value()) : "");
  run.set_attribute("/", "corpus_sha256", scope.forward ? scope.corpus : "");

  define_checkpoints(run, subject);
  define_notes(run, beginning.notes, column(subject, [](const RunCheckpoint& c) { return c.entry.name; }));
  record_head(run, subject.checkpoints.front().config_json, subject.config);
  define_model(run, subject.config);
  for (const char* status : {"/status/forward", "/status/weights", "/status/spectra"})
    run.define(raw_dataset(status));
  write_scope(run, scope);
  if (scope.forward) {
    define_corpus(run, beginning.corpus);
    define_forward(run, subject.config, scope.save);
  }
  if (scope.weights) {
    define_weights(run, subject.weights.all(), subject.checkpoints.size(), scope.sketches);
    define_spectra_and_routers(run, subject, scope.spectra);
  }
  define_telemetry(run, subject.config, scope.forward, scope.weights, scope.measures_spectra());
  return run;
}

void require_layout(const RunFile& run, const RunSubject& subject, const Corpus& corpus) {
  const ModelConfig& config = subject.config;
  const std::pair<const char*, std::uint64_t> sizes[] = {
      {"/checkpoint", subject.checkpoints.size()},
      {"/layer", static_cast<std::uint64_t>(config.num_hidden_layers)},
      {"/moe_layer", config.moe_layers().size()},
      {"/expert", static_cast<std::uint64_t>(config.n_routed_experts)},
      {"/rank", static_cast<std::uint64_t>(config.num_experts_per_tok)},
      {"/tensor", subject.weights.all().size()},
      {"/token", corpus.tokens()},
      {"/domain", corpus.domains.size()}};
  for (const auto& [dimension, expected] : sizes) {
    const std::uint64_t found = run.contains(dimension) ? run.shape(dimension)[0] : expected;
    if (found == expected) continue;
    throw FormatError(run.path().string(), dimension,
                      "does not have the size that this analysis has (expected " + std::to_string(expected) +
                          ", found " + std::to_string(found) + ")");
  }
}

}  // namespace moescope
