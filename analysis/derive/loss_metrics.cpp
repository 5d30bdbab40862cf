#include "analysis/derive/loss_metrics.h"

#include "analysis/derive/metric_dataset.h"
#include "metrics/catalogue/catalogue.h"
#include "metrics/loss/language_loss.h"
#include "readers/schema/datasets.h"

namespace moescope {
namespace {

/// `nll` (T), of which tokens without a successor tell nothing.
std::vector<double> values_of(const Metric& metric, const ForwardRecord& record,
                              const std::vector<double>& nll) {
  std::vector<double> values;
  for (std::vector<std::size_t> tokens : token_groups(record, metric)) {
    std::erase_if(tokens, [&](std::size_t t) { return !record.has_successor[t]; });
    const LanguageLoss loss = language_loss(of_tokens(nll, tokens));
    values.push_back(std::get<OfLosses>(metric.computation).value(loss));
  }
  return values;
}

}  // namespace

void write_loss_metrics(RunFile& run, const ForwardRecord& record) {
  const std::vector<const Metric*> metrics = metrics_of<OfLosses>();
  for (const Metric* metric : metrics) define_metric(run, *metric);
  for (std::size_t c = 0; c < record.checkpoints; ++c) {
    if (!record.finished[c]) continue;
    const std::vector<double> nll = run.read<double>(dataset::loss_nll, {{c, 0}, {1, record.tokens}});
    for (const Metric* metric : metrics)
      run.write<double>(metric_path(metric->name), checkpoint_slab(run, *metric, c),
                        values_of(*metric, record, nll));
  }
}

}  // namespace moescope
