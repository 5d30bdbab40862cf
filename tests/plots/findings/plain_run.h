#pragma once
/// Facts of a small run, made by hand, and what is found in them.

#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "metrics/entry/metric_names.h"
#include "plots/findings/findings.h"

namespace moescope {

inline constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();

inline LayerFacts layers(std::vector<double> values) {
  LayerFacts facts = {std::move(values)};
  facts.mean = mean_of(facts.layers);
  return facts;
}

/// Checkpoints a, b and c of a model with two MoE layers, two domains, two roles and 2 of 8 experts.
inline ReportFacts plain_run() {
  ReportFacts facts;
  RunLabels& labels = facts.labels;
  labels.checkpoints = labels.short_checkpoints = {"a", "b", "c"};
  labels.tokens_seen = {0, 1e12, 2e12};
  labels.step = {nan_value, nan_value, nan_value};
  labels.domains = {"prose", "math"};
  labels.moe_layers = {"1", "2"};
  labels.experts = {"0", "1", "2", "3", "4", "5", "6", "7"};
  labels.roles = {"router", "routed expert", "whole model"};
  facts.role_exists = {true, true, true};
  facts.experts_per_token = 2;
  facts.chance[metric::router_saturation] = 0.25;
  const double saturation[] = {0.25, 0.7, 1};
  for (int c = 0; c < 3; ++c) {
    CheckpointFacts checkpoint;
    checkpoint.name = labels.checkpoints[static_cast<std::size_t>(c)];
    checkpoint.loss = 5 - c;
    checkpoint.perplexity = std::exp(checkpoint.loss);
    checkpoint.domain_loss = {5.5 - c, 4.5 - c};
    checkpoint.summaries[metric::max_violation] = layers({1.0 / (1 + c), 2.0 / (1 + c)});
    checkpoint.summaries[metric::dead_experts] = layers({0, 0, 0, 0});
    checkpoint.summaries[metric::router_entropy] = layers({1 - 0.1 * c, 1 - 0.2 * c});
    checkpoint.summaries[metric::topk_mass] = layers({0.3 + 0.1 * c, 0.3 + 0.1 * c});
    checkpoint.summaries[metric::router_saturation] =
        layers({saturation[c], c == 2 ? 1 : saturation[c] - 0.1});
    checkpoint.drift = {0.5 * c, 0.25 * c, 0.3 * c};
    checkpoint.step_drift = {c == 0 ? nan_value : 0.5, c == 0 ? nan_value : 0.25, nan_value};
    checkpoint.tortuosity = c == 0 ? nan_value : 1.25;
    facts.checkpoints.push_back(checkpoint);
  }
  return facts;
}

/// `facts` without all but the first `count` checkpoints.
inline ReportFacts first_of(ReportFacts facts, std::size_t count) {
  facts.checkpoints.resize(count);
  facts.labels.checkpoints.resize(count);
  facts.labels.short_checkpoints.resize(count);
  facts.labels.tokens_seen.resize(count);
  facts.labels.step.resize(count);
  return facts;
}

/// The sentences that begin with `start`, as one.
inline std::string finding(const ReportFacts& facts, const std::string& start) {
  for (const std::string& text : report_findings(facts)) {
    if (text.starts_with(start)) return text;
  }
  return "";
}

inline const Headline* headline(const std::vector<Headline>& all, const std::string& name) {
  for (const Headline& one : all) {
    if (one.name == name) return &one;
  }
  return nullptr;
}

}  // namespace moescope
