#include "plots/findings/findings.h"

#include "plots/findings/balance_finding.h"
#include "plots/findings/drift_finding.h"
#include "plots/findings/loss_finding.h"
#include "plots/findings/router_finding.h"
#include "plots/findings/saturation_finding.h"

namespace moescope {
namespace {

/// In the order of presentation.
std::vector<Finding> findings() {
  return {loss_finding(), balance_finding(), router_finding(), saturation_finding(), drift_finding()};
}

}  // namespace

std::vector<Headline> report_headlines(const ReportFacts& facts) {
  std::vector<Headline> headlines;
  for (const Finding& finding : findings()) {
    if (finding.headline == nullptr) continue;
    if (const std::optional<Headline> headline = finding.headline(facts)) headlines.push_back(*headline);
  }
  return headlines;
}

std::vector<std::string> report_findings(const ReportFacts& facts) {
  std::vector<std::string> sentences = facts.unfinished;  // as the others must be read in their light
  sentences.insert(sentences.end(), facts.expert_moves.begin(), facts.expert_moves.end());
  for (const Finding& finding : findings()) {
    if (finding.applies(facts)) sentences.push_back(finding.text(facts));
  }
  return sentences;
}

}  // namespace moescope
