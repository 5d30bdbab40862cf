#include "analysis/derive/loss_metrics.h"

#include "analysis/derive/metric_dataset.h"
#include "metrics/loss/language_loss.h"

namespace moescope {
namespace {

void write_losses(RunFile& run, const ForwardRecord& record, std::size_t checkpoint) {
  const std::vector<double> nll = run.read<double>("/loss/nll", {{checkpoint, 0}, {1, record.tokens}});
  std::vector<double> loss, perplexities;
  std::vector<double> predicted;
  for (std::size_t t = 0; t < nll.size(); ++t) {
    if (record.has_successor[t]) predicted.push_back(nll[t]);
  }
  for (std::vector<std::size_t> tokens : record.domain_tokens) {
    std::erase_if(tokens, [&](std::size_t t) { return !record.has_successor[t]; });
    loss.push_back(language_loss(of_tokens(nll, tokens)).mean());
    perplexities.push_back(perplexity(loss.back()));
  }
  const Slab row{{checkpoint, 0}, {1, record.domains}}, cell{{checkpoint}, {1}};
  const double pooled[] = {language_loss(predicted).mean()}, pooled_perplexity[] = {perplexity(pooled[0])};
  run.write<double>("/metrics/loss", row, loss);
  run.write<double>("/metrics/perplexity", row, perplexities);
  run.write<double>("/metrics/loss_pooled", cell, pooled);
  run.write<double>("/metrics/perplexity_pooled", cell, pooled_perplexity);
}

}  // namespace

void write_loss_metrics(RunFile& run, const ForwardRecord& record) {
  for (const char* name : {"loss", "loss_pooled"}) {
    define_metric(run, name, {{"lower_bound", 0.0}}, missing_loss);
  }
  for (const char* name : {"perplexity", "perplexity_pooled"}) {
    define_metric(run, name, {{"lower_bound", 1.0}}, missing_loss);
  }
  for (std::size_t c = 0; c < record.checkpoints; ++c) {
    if (record.finished[c]) write_losses(run, record, c);
  }
}

}  // namespace moescope
