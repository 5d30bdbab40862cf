#include "analysis/plan/run_plan.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <system_error>
#include <thread>

#include "analysis/forward/forward.h"
#include "analysis/forward/token_batch.h"
#include "analysis/machine/job_limits.h"
#include "analysis/plan/machine_speed.h"
#include "analysis/plan/run_size.h"
#include "analysis/record/weight_recorder.h"
#include "analysis/runs/series_corpus.h"
#include "analysis/weights/weight_pass.h"
#include "analysis/weights/weight_spectra.h"
#include "readers/errors.h"

namespace moescope {
namespace {

namespace fs = std::filesystem;

/// Names, places and indices of one weight of one checkpoint; measured.
constexpr std::uint64_t bytes_per_weight = 560;
/// Where --flops is given instead of measured: what the weight pass takes on one core for an element, and
/// more for each checkpoint that it is compared with. Measured on a core of 3 GHz with AVX2.
constexpr double element_seconds = 2.05e-9, element_pair_seconds = 0.125e-9;
/// More tokens do not make a product faster.
constexpr std::size_t most_measured_tokens = 1024;

/// The sequences that a run will evaluate.
struct PlannedTokens {
  std::vector<std::size_t> sequence_start{0};  // (S + 1)
  std::uint64_t domains = 0;

  std::uint64_t tokens() const { return sequence_start.back(); }
  std::uint64_t sequences() const { return sequence_start.size() - 1; }
};

PlannedTokens imagined_tokens(std::uint64_t tokens, std::size_t sequence_length) {
  PlannedTokens planned{{0}, 1};
  while (planned.tokens() < tokens) {
    planned.sequence_start.push_back(std::min<std::size_t>(planned.tokens() + sequence_length, tokens));
  }
  return planned;
}

/// With what there is to say of them.
PlannedTokens read_tokens(const AnalysisOptions& options, const PlannedSeries& series,
                          std::vector<std::string>& notes) {
  std::vector<TokenizerPlace> tokenizers;
  for (const PlannedCheckpoint& checkpoint : series.checkpoints)
    tokenizers.push_back({checkpoint.entry.name, checkpoint.tokenizer});
  const SeriesCorpus read =
      read_series_corpus(options.inputs, options.resources.memory, tokenizers, series.config());
  notes.insert(notes.end(), read.notes.begin(), read.notes.end());
  return {read.corpus.sequence_start, read.corpus.domains.size()};
}

DType stored_type(const PlannedSeries& series) {
  return series.checkpoints.front().weights.at({Role::embedding}).dtype;
}

/// The parts of a model of which only the weights are compared.
std::vector<PartCost> stored_parts(const PlannedCheckpoint& planned) {
  const std::size_t no_sequence = 0;
  std::vector<PartCost> parts = forward_cost(planned.config, planned.weights, {&no_sequence, 1});
  parts.front().cost.weight_bytes = planned.weights.at({Role::embedding}).bytes();
  return parts;
}

/// A plan in the making.
class RunPlanner {
 public:
  explicit RunPlanner(const PlanRequest& request)
      : request_(request),
        options_(request.analysis),
        scope_(options_.scope),
        series_(find_planned_series(options_.inputs.series, options_.inputs.notes)) {}

  RunPlan plan();

 private:
  void plan_tokens();
  void plan_chosen_spectra();
  void plan_memory();
  void plan_file();
  void plan_rates();
  double measure_reading() const;
  void measure_products();
  void plan_work();

  const PlanRequest& request_;
  const AnalysisOptions& options_;
  const AnalysisScope& scope_;
  PlannedSeries series_;
  PlannedTokens tokens_;
  SpectraCost spectra_;
  MemoryBudget budget_;
  std::vector<std::size_t> batches_{0};  // (B + 1), see cut_into_batches
  RunPlan plan_;
};

void RunPlanner::plan_tokens() {
  plan_.precision =
      scope_.precision.value_or(stored_type(series_) == DType::bf16 ? Precision::bf16 : Precision::f32);
  if (!scope_.forward) return;
  tokens_ = options_.inputs.corpus.empty()
                ? imagined_tokens(request_.tokens, options_.inputs.corpus_options.sequence_length)
                : read_tokens(options_, series_, plan_.notes);
  plan_.tokens = tokens_.tokens();
  plan_.sequences = tokens_.sequences();
  plan_.longest_sequence = longest_sequence(tokens_.sequence_start);
}

void RunPlanner::plan_chosen_spectra() {
  if (!scope_.weights) return;
  spectra_ = spectra_cost(series_.checkpoints.front().weights.all(), scope_.spectra, series_.size());
  plan_.spectra_choice = scope_.spectra;
  plan_.spectra_matrices = spectra_.matrices;
}

/// Tokens of the largest batch.
std::uint64_t largest_batch(std::span<const std::size_t> sequence_start,
                            std::span<const std::size_t> batches) {
  std::uint64_t largest = 0;
  for (std::size_t b = 0; b + 1 < batches.size(); ++b) {
    largest = std::max<std::uint64_t>(largest, sequence_start[batches[b + 1]] - sequence_start[batches[b]]);
  }
  return largest;
}

/// Matrices in work at once.
std::uint64_t spectra_peak(const SpectraCost& cost, std::uint64_t memory, unsigned threads) {
  return std::min(threads * cost.largest_memory, std::max(spectra_budget(memory), cost.largest_memory));
}

void RunPlanner::plan_memory() {
  const std::uint64_t checkpoints = series_.size();
  const std::uint64_t weights = series_.checkpoints.front().weights.all().size();
  plan_.memory_budget = moescope::memory_budget(options_.resources.memory);
  if (!scope_.forward) require_program_memory(options_.resources.memory);
  std::uint64_t forward = 0;
  if (scope_.forward) {
    budget_ = divide_memory(series_.config(), plan_.memory_budget, plan_.tokens, plan_.longest_sequence);
    batches_ = cut_into_batches(tokens_.sequence_start, budget_.batch_tokens);
    forward = largest_batch(tokens_.sequence_start, batches_) * activation_bytes_per_token(series_.config()) +
              std::min(budget_.weight_bytes, series_.checkpoints.front().bytes());
  }
  std::uint64_t pass = 0;
  if (scope_.weights) {
    const std::uint64_t record = WeightRecorder::bytes(checkpoints, weights);
    const std::uint64_t budget = plan_.memory_budget - std::min(plan_.memory_budget, program_memory + record);
    std::vector<const ModelWeights*> models;
    for (const PlannedCheckpoint& planned : series_.checkpoints) models.push_back(&planned.weights);
    pass = record + weight_pass_bytes(models, plan_.threads, budget);
  }
  plan_.peak_memory = program_memory + checkpoints * weights * bytes_per_weight +
                      std::max({forward, pass, spectra_peak(spectra_, plan_.memory_budget, plan_.threads)});
}

void RunPlanner::plan_file() {
  const RunExtent extent{.checkpoints = series_.size(),
                         .domains = tokens_.domains,
                         .tokens = plan_.tokens,
                         .tensors = series_.checkpoints.front().weights.all().size()};
  plan_.run_file_bytes = moescope::run_file_bytes(run_contents(scope_, series_.config(), extent));
  const fs::path directory = options_.output.file.parent_path();
  std::error_code error;
  const fs::space_info space = fs::space(directory.empty() ? "." : directory, error);
  if (!error) plan_.free_bytes = space.available;
}

double RunPlanner::measure_reading() const {
  std::vector<const SourceFile*> files;
  std::uint64_t bytes = 0;
  for (const PlannedCheckpoint& planned : series_.checkpoints) {
    if (!planned.checkpoint) continue;
    bytes += planned.checkpoint->bytes();
    for (const SourceFile& shard : planned.checkpoint->shards()) files.push_back(&shard);
  }
  return measure_reading_rate(files, outgrows_page_cache(bytes));
}

void RunPlanner::measure_products() {
  ThreadPool threads(options_.resources.threads);
  const ModelConfig& config = series_.config();
  const auto size = [](std::int64_t value) { return static_cast<std::size_t>(value); };
  plan_.rates.weight_pass_elements =
      scope_.weights ? measure_weight_pass_rate(threads, series_.size(), stored_type(series_)) : 0;
  plan_.rates.spectra_flops = spectra_.matrices > 0 ? measure_spectra_rate(threads) : 0;
  if (!scope_.forward) return;
  const std::size_t batch = plan_.tokens / (batches_.size() - 1);
  const auto rate = [&](std::int64_t rows, std::size_t tokens) {
    return measure_product_rate(
        threads,
        {size(rows), size(config.hidden_size), std::clamp<std::size_t>(tokens, 1, most_measured_tokens),
         stored_type(series_)},
        plan_.precision);
  };
  plan_.rates.flops = rate(config.num_attention_heads * config.head_dim, batch);
  plan_.rates.routed_flops = plan_.rates.flops;
  if (config.moe_layers().empty()) return;
  const std::size_t expert_tokens = batch * size(config.num_experts_per_tok) / size(config.n_routed_experts);
  plan_.rates.routed_flops = rate(config.moe_intermediate_size, expert_tokens);
}

void RunPlanner::plan_rates() {
  plan_.measured_reading = !request_.bytes_per_second;
  plan_.measured_computing = !request_.flops_per_second;
  plan_.rates.bytes = request_.bytes_per_second ? *request_.bytes_per_second : measure_reading();
  if (!request_.flops_per_second) return measure_products();
  const double flops = *request_.flops_per_second;
  plan_.rates.flops = plan_.rates.routed_flops = flops;
  plan_.rates.spectra_flops = plan_.threads * spectra_flops_per_core;
  plan_.rates.weight_pass_elements =
      plan_.threads / (element_seconds + element_pair_seconds * static_cast<double>(series_.size()));
}

void RunPlanner::plan_work() {
  std::uint64_t elements = 0, bytes = 0;
  for (const PlannedCheckpoint& planned : series_.checkpoints) {
    CheckpointPlan checkpoint{
        planned.entry.name, planned.entry.tokens, planned.checkpoint.has_value(), planned.bytes(), {}};
    for (const Weight& weight : planned.weights.all()) elements += weight.size();
    bytes += checkpoint.bytes;
    if (scope_.forward) {
      const auto parts = forward_cost(planned.config, planned.weights, tokens_.sequence_start);
      checkpoint.forward = plan_forward(parts, batches_.size() - 1, plan_.rates);
      plan_.forward += checkpoint.forward;
      if (plan_.parts.empty()) plan_.parts = parts;
    }
    plan_.checkpoints.push_back(std::move(checkpoint));
  }
  if (scope_.weights) plan_.weights = plan_weight_pass(series_.size(), elements, bytes, plan_.rates);
  if (spectra_.matrices > 0)
    plan_.spectra = plan_spectra(spectra_, series_.size(), plan_.rates, plan_.threads);
  if (!scope_.forward) plan_.parts = stored_parts(series_.checkpoints.front());
  plan_.seconds = plan_.forward.seconds + plan_.weights.seconds + plan_.spectra.seconds;
}

RunPlan RunPlanner::plan() {
  plan_.config = series_.config();
  plan_.parameters = count_parameters(series_.config());
  plan_.threads = options_.resources.threads == 0 ? available_processors() : options_.resources.threads;
  plan_.notes = series_.notes;
  plan_tokens();
  plan_chosen_spectra();
  plan_memory();
  plan_file();
  plan_rates();
  plan_work();
  if (plan_.free_bytes && plan_.run_file_bytes > *plan_.free_bytes) {
    plan_.notes.push_back("the run file may not fit on its disk");
  }
  if (std::isnan(plan_.rates.bytes)) {
    plan_.notes.push_back("no weights are there on which to measure reading: the time is that of computing");
  }
  return std::move(plan_);
}

}  // namespace

WorkPlan& WorkPlan::operator+=(const WorkPlan& other) {
  passes += other.passes;
  bytes += other.bytes;
  flops += other.flops;
  read_seconds += other.read_seconds;
  compute_seconds += other.compute_seconds;
  seconds += other.seconds;
  return *this;
}

WorkPlan plan_forward(std::span<const PartCost> parts, std::uint64_t passes, const MachineRates& rates) {
  WorkPlan work;
  work.passes = passes;
  for (const PartCost& part : parts) {
    // Embedding rows are read as tokens need them, not once a pass.
    const std::uint64_t bytes = part.cost.weight_bytes * (part.part == ForwardPart::embedding ? 1 : passes);
    const double read = static_cast<double>(bytes) / rates.bytes;
    const double compute = (part.cost.routed_flops / rates.routed_flops +
                            (part.cost.flops - part.cost.routed_flops) / rates.flops) /
                           forward_efficiency;
    work.bytes += bytes;
    work.flops += part.cost.flops;
    work.read_seconds += read;
    work.compute_seconds += compute;
    work.seconds += std::fmax(read, compute);
  }
  return work;
}

WorkPlan plan_weight_pass(std::uint64_t checkpoints, std::uint64_t elements, std::uint64_t bytes,
                          const MachineRates& rates) {
  WorkPlan work;
  work.passes = checkpoints;
  work.bytes = bytes;
  work.read_seconds = static_cast<double>(bytes) / rates.bytes;
  work.compute_seconds = static_cast<double>(elements) / rates.weight_pass_elements;
  work.seconds = std::fmax(work.read_seconds, work.compute_seconds);
  return work;
}

WorkPlan plan_spectra(const SpectraCost& cost, std::uint64_t checkpoints, const MachineRates& rates,
                      unsigned threads) {
  WorkPlan work;
  work.passes = checkpoints;
  work.bytes = cost.bytes;
  work.flops = cost.flops;
  work.read_seconds = static_cast<double>(cost.bytes) / rates.bytes;
  work.compute_seconds = spectra_seconds(cost, rates.spectra_flops, threads);
  work.seconds = work.compute_seconds + (std::isnan(work.read_seconds) ? 0 : work.read_seconds);
  return work;
}

RunPlan plan_run(const PlanRequest& request) {
  return RunPlanner(request).plan();
}

}  // namespace moescope
