#include "metrics/loss/loss_metrics.h"

#include "metrics/entry/metric_names.h"
#include "metrics/entry/words.h"
#include "metrics/loss/language_loss.h"

namespace moescope {
namespace {

constexpr const char* missing_loss =
    "NaN where the checkpoint's forward pass is not finished, no token of the domain has a successor, or the "
    "loss of any is not finite (/loss/nonfinite_count).";

Metric loss_entry() {
  return {.name = metric::loss,
          .long_name = "Loss",
          .unit = "nat",
          .axes = words::by_domain,
          .formula = "mean_t( -ln p(next token) )",
          .description = "Mean surprise per predicted token; lower is better.",
          .source = "Shannon 1951",
          .computation = OfLosses{[](const LanguageLoss& loss) { return loss.mean(); }},
          .lower_bound = 0.0,
          .missing = missing_loss,
          .figures = {{.id = "loss",
                       .title = "Loss by domain",
                       .section = section::loss,
                       .y_label = "mean loss (nat per token)",
                       .reading =
                           "One line per domain: the distance between two is how much higher the loss is on "
                           "one of them."}}};
}

Metric perplexity_entry() {
  return {.name = "perplexity",
          .long_name = "Perplexity",
          .axes = words::by_domain,
          .formula = "exp(loss)",
          .description =
              "Number of equally likely tokens that would surprise the model as much; lower is better.",
          .source = "Jelinek 1977",
          .computation = OfLosses{[](const LanguageLoss& loss) { return perplexity(loss.mean()); }},
          .lower_bound = 1.0,
          .missing = missing_loss};
}

}  // namespace

std::vector<Metric> loss_metrics() {
  return {
      loss_entry(),
      perplexity_entry(),
      pooled(loss_entry(), "Loss, all domains",
             "Mean surprise per predicted token over all domains together; lower is better."),
      pooled(perplexity_entry(), "Perplexity, all domains",
             "Perplexity over the tokens of all domains together; lower is better."),
  };
}

}  // namespace moescope
