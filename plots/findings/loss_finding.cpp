#include "plots/findings/loss_finding.h"

#include <algorithm>
#include <cmath>

#include "plots/figure/figure_text.h"
#include "plots/findings/course.h"
#include "plots/findings/wording.h"
#include "readers/text/name_list.h"

namespace moescope {
namespace {

std::string losses_by_domain(const ReportFacts& facts, const CheckpointFacts& checkpoint) {
  const std::vector<double>& loss = checkpoint.domain_loss;
  const std::vector<std::string>& domains = facts.labels.domains;
  if (loss.size() < 2) return "";
  const std::vector<std::size_t> unknown = not_finite(loss);
  const Extreme least = extreme(loss, End::least), most = extreme(loss, End::most);
  std::string text;
  if (loss.size() - unknown.size() > 1) {
    text = " At " + checkpoint.name + " it is ";
    text += least.text == most.text
                ? least.text + (unknown.empty() ? " on every domain" : " on each domain where it is finite")
                : "lowest on " + names_in_words(selected(domains, least.which)) + " (" + least.text +
                      ") and highest on " + names_in_words(selected(domains, most.which)) + " (" + most.text +
                      ")";
    text += ".";
  }
  if (unknown.empty()) return text;
  return text + " At " + checkpoint.name + " it is not finite on " +
         names_in_words(selected(domains, unknown)) + ".";
}

/// The last checkpoint whose forward pass is finished.
const CheckpointFacts* last_measured(const ReportFacts& facts) {
  for (auto checkpoint = facts.checkpoints.rbegin(); checkpoint != facts.checkpoints.rend(); ++checkpoint) {
    if (checkpoint->measured) return &*checkpoint;
  }
  return nullptr;
}

bool has_losses(const ReportFacts& facts) {
  const CheckpointFacts* last = last_measured(facts);
  return last != nullptr && !last->domain_loss.empty();
}

double loss_of(const CheckpointFacts& checkpoint) {
  return checkpoint.loss;
}

std::string loss_text(const ReportFacts& facts) {
  const CheckpointFacts* last = last_measured(facts);
  const Course loss(facts, loss_of);
  std::string text =
      facts.labels.domains.size() == 1 ? "Loss on " + facts.labels.domains[0] : "Loss over all domains";
  if (loss.known()) {
    const auto perplexity = [&](std::size_t c) { return format_number(facts.checkpoints[c].perplexity, 3); };
    text += " " + loss.text(" nats per token") + " (perplexity " +
            (loss.is_change() ? perplexity(loss.first) + " to " : "") + perplexity(loss.last) + ")." +
            loss.gaps("is not finite");
  } else {
    text += " is not finite at any checkpoint.";
  }
  return text + losses_by_domain(facts, *last);
}

std::optional<Headline> loss_headline(const ReportFacts& facts) {
  const std::vector<std::string>& domains = facts.labels.domains;
  return Course(facts, loss_of)
      .headline("Loss", "nats per token" + (domains.size() == 1 ? ", " + domains[0] : ", all domains"));
}

}  // namespace

Finding loss_finding() {
  return {has_losses, loss_text, loss_headline};
}

}  // namespace moescope
