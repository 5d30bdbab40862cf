#include "analysis/forward/forward.h"

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>

#include "analysis/forward/attention.h"
#include "analysis/forward/experts.h"
#include "analysis/forward/forward_budget.h"
#include "analysis/forward/language_head.h"
#include "analysis/forward/linear_attention.h"
#include "analysis/forward/token_batch.h"
#include "analysis/kernels/element_convert.h"
#include "analysis/kernels/rms_norm.h"
#include "analysis/machine/clock.h"
#include "analysis/machine/memory.h"

namespace moescope {
namespace {

const Weight& embedding(const ModelWeights& model) {
  return model.at({Role::embedding});
}

/// The matrix of the final logits; the embedding itself where they are tied.
const Weight& language_head(const ModelWeights& model) {
  const Weight* head = model.find({Role::head});
  return head ? *head : embedding(model);
}

/// The order of a pass from a layer on: all weights in canonical order, the embedding only as a tied head.
std::vector<const Weight*> stream_order(const ModelWeights& model, std::int64_t first_layer) {
  std::vector<const Weight*> order;
  for (const Weight& weight : model.all()) {
    if (weight.key.role == Role::embedding || weight.key.role == Role::head) continue;
    if (weight.key.layer < 0 || weight.key.layer >= first_layer) order.push_back(&weight);
  }
  order.push_back(&language_head(model));
  return order;
}

/// x (T, H): the embedding rows of the batch's tokens, the only weights that are not read whole, nor ahead.
Matrix embed(const Checkpoint& checkpoint, const ModelWeights& model, const TokenBatch& batch,
             StreamTimes& times) {
  const Weight& table = embedding(model);
  const auto scale = static_cast<float>(checkpoint.config().embedding_scale);
  const SourceFile& shard = checkpoint.shards()[table.shard];
  Matrix x(batch.tokens(), table.cols);
  std::map<std::uint32_t, std::vector<std::size_t>>
      rows_of;  // token id -> its rows, ids ascending as in the file
  for (std::size_t t = 0; t < batch.tokens(); ++t) rows_of[batch.token_id[t]].push_back(t);
  std::vector<std::byte> bytes(table.row_bytes());
  for (const auto& [id, rows] : rows_of) {
    const Clock::time_point start = Clock::now();
    shard.read(table.offset + id * table.row_bytes(), bytes);
    const double seconds = seconds_since(start);
    times += {bytes.size(), seconds, seconds};
    convert_to_float(table.dtype, bytes, x.row(rows.front()));
    if (scale != 1)
      std::ranges::transform(x.row(rows.front()), x.row(rows.front()).begin(),
                             [&](float v) { return v * scale; });
    for (std::size_t row : rows) std::ranges::copy(x.row(rows.front()), x.row(row).begin());
  }
  return x;
}

/// x normalised; x itself where the model has no such norm.
Matrix take_normalised(const ForwardContext& context, Role norm, std::int64_t layer, const Matrix& x) {
  const std::vector<float> gain = context.take_gain(norm, layer);
  return gain.empty() ? x : rms_norm(context.threads, x, gain, context.config.rms_norm_eps);
}

/// Half a layer: x += output norm(sublayer(input norm(x))), each norm where the model has it.
/// sublayer(h, sum) adds to sum (T, H) what it makes of h (T, H).
void add_sublayer(const ForwardContext& context, Role input_norm, Role output_norm, std::int64_t layer,
                  const std::function<void(const Matrix& h, Matrix& sum)>& sublayer, Matrix& x) {
  const Matrix h = take_normalised(context, input_norm, layer, x);
  if (context.model.find({output_norm, layer}) == nullptr) return sublayer(h, x);
  Matrix sum = Matrix::zero(x.rows, x.columns);
  sublayer(h, sum);
  add(context.threads, take_normalised(context, output_norm, layer, sum), x);
}

/// One decoder layer, in place.
void run_layer(const ForwardContext& context, std::int64_t layer, const RotaryTable& rotary,
               ForwardObserver& observer, Matrix& x) {
  const auto attend = [&](const Matrix& h, Matrix& sum) {
    if (context.config.attention.is_linear_in(layer)) return linear_attention(context, layer, h, sum);
    attention(context, layer, rotary, h, sum);
  };
  const auto feed_forward = [&](const Matrix& h, Matrix& sum) {
    if (!context.config.is_moe_layer(layer)) return dense_mlp(context, layer, h, sum);
    const RouterOutput routing = route(context, layer, h);
    observer.router_output(routing);
    mixture_of_experts(context, layer, h, routing, sum);
  };
  add_sublayer(context, Role::input_norm, Role::attention_output_norm, layer, attend, x);
  add_sublayer(context, Role::post_attention_norm, Role::mlp_output_norm, layer, feed_forward, x);
}

/// Divides a pass into parts.
class PartClock {
 public:
  PartClock(const WeightStream& stream, ForwardTimes& parts) : stream_(stream), parts_(parts) {}

  /// Everything since the last call was this part's.
  void finish(std::size_t part) {
    PartTimes& times = parts_[part];
    times.seconds += seconds_since(last_);
    last_ = Clock::now();
    times.stream.bytes += stream_.times().bytes - before_.bytes;
    times.stream.read_seconds += stream_.times().read_seconds - before_.read_seconds;
    times.stream.wait_seconds += stream_.times().wait_seconds - before_.wait_seconds;
    before_ = stream_.times();
  }

 private:
  const WeightStream& stream_;
  ForwardTimes& parts_;
  StreamTimes before_;
  Clock::time_point last_ = Clock::now();
};

void run_batch(const ForwardContext& context, const Checkpoint& checkpoint, const ForwardOptions& options,
               ForwardObserver& observer, ForwardStart& start, ForwardTimes& times) {
  const ModelConfig& config = context.config;
  const TokenBatch& batch = context.batch;
  const RotaryTable rotary =
      make_rotary_table(longest_sequence(batch.sequence_start), config.attention.rotary);

  PartClock clock(context.weights, times);
  Matrix x = std::move(start.x);  // (T, H)
  if (start.position.next_layer == 0) x = embed(checkpoint, context.model, batch, times.front().stream);
  clock.finish(0);
  for (std::int64_t layer = start.position.next_layer; layer < config.num_hidden_layers; ++layer) {
    run_layer(context, layer, rotary, observer, x);
    observer.hidden_state(layer, batch.first_token, x);
    clock.finish(static_cast<std::size_t>(layer) + 1);
    if (options.layer_done) options.layer_done({batch.first_token, layer + 1}, x);
  }
  x = rms_norm(context.threads, x, context.take_gain(Role::final_norm, -1), config.rms_norm_eps);

  LogitSink logits;
  if (observer.wants_logits()) {
    logits = [&](std::size_t first_row, const Matrix& tile) {
      observer.logits(batch.first_token, first_row, tile);
    };
  }
  observer.token_losses(batch.first_token, token_losses(context, language_head(context.model), x, logits));
  clock.finish(times.size() - 1);
}

/// Whether `start` lies within one of the batches, as they are cut now.
bool starts_a_batch(const ForwardStart& start, const std::vector<TokenBatch>& batches,
                    const ModelConfig& config) {
  const std::int64_t layer = start.position.next_layer;
  return layer > 0 && layer <= config.num_hidden_layers &&
         start.x.columns == static_cast<std::size_t>(config.hidden_size) &&
         std::ranges::any_of(batches, [&](const TokenBatch& batch) {
           return batch.first_token == start.position.first_token && batch.tokens() == start.x.rows;
         });
}

}  // namespace

MemoryBudget forward_budget(const ModelConfig& config, const Corpus& corpus, std::uint64_t memory) {
  return divide_memory(config, memory_budget(memory), corpus.tokens(),
                       longest_sequence(corpus.sequence_start));
}

std::size_t longest_sequence(const std::vector<std::size_t>& sequence_start) {
  std::size_t longest = 0;
  for (std::size_t s = 0; s + 1 < sequence_start.size(); ++s) {
    longest = std::max(longest, sequence_start[s + 1] - sequence_start[s]);
  }
  return longest;
}

std::vector<TokenBatch> make_batches(const Corpus& corpus, std::size_t batch_tokens) {
  const std::vector<std::size_t> cuts = cut_into_batches(corpus.sequence_start, batch_tokens);
  std::vector<TokenBatch> batches;
  for (std::size_t b = 0; b + 1 < cuts.size(); ++b) {
    TokenBatch batch;
    batch.first_token = corpus.sequence_start[cuts[b]];
    for (std::size_t s = cuts[b]; s <= cuts[b + 1]; ++s) {
      batch.sequence_start.push_back(corpus.sequence_start[s] - batch.first_token);
    }
    batch.token_id = std::span(corpus.token_id).subspan(batch.first_token, batch.sequence_start.back());
    batches.push_back(std::move(batch));
  }
  return batches;
}

std::uint64_t forward_weight_bytes(const ModelConfig& config, const ModelWeights& model, const Corpus& corpus,
                                   std::uint64_t memory) {
  std::uint64_t bytes = 0;
  for (const Weight* weight : stream_order(model, 0)) bytes += weight->stored_bytes();
  return bytes * make_batches(corpus, forward_budget(config, corpus, memory).batch_tokens).size();
}

PartTimes total(const ForwardTimes& parts) {
  return std::accumulate(parts.begin(), parts.end(), PartTimes(),
                         [](PartTimes sum, const PartTimes& part) { return sum += part; });
}

ForwardTimes run_forward(const Checkpoint& checkpoint, const ModelWeights& model, const Corpus& corpus,
                         const ForwardOptions& options, ThreadPool& threads, ForwardObserver& observer,
                         ForwardStart start) {
  const ModelConfig& config = checkpoint.config();
  const MemoryBudget budget = forward_budget(config, corpus, options.memory);
  const std::vector<TokenBatch> batches = make_batches(corpus, budget.batch_tokens);
  if (!starts_a_batch(start, batches, config)) start = {};
  ForwardTimes times(static_cast<std::size_t>(config.num_hidden_layers) + 2);
  for (const TokenBatch& batch : batches) {
    if (batch.first_token < start.position.first_token) continue;
    WeightStream stream(checkpoint, stream_order(model, start.position.next_layer),
                        {.memory = budget.weight_bytes,
                         .interrupted = options.interrupted,
                         .progress = options.progress,
                         .threads = threads.threads()});
    const ForwardContext context{.config = config,
                                 .model = model,
                                 .batch = batch,
                                 .weights = stream,
                                 .threads = threads,
                                 .precision = options.precision};
    run_batch(context, checkpoint, options, observer, start, times);
    start = {};
  }
  return times;
}

}  // namespace moescope
