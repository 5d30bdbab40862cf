#pragma once
/// A metric against training, as its entry says: one line per layer, per domain or per role.

#include <functional>

#include "metrics/entry/metric.h"
#include "plots/figures/figure_entry.h"
#include "plots/figures/run_values.h"

namespace moescope {

/// Of [C, D, L] or [C, L]: one line per MoE layer, or that of the chosen one; of the chosen domain or of all
/// domains together, for which the pooled metric is preferred to an average.
Figure layer_lines(const RunFile& run, const FigureChoice& choice, const Metric& metric,
                   const MetricFigure& what);

/// Of [C, D]: one line per domain. Of [C, D, L]: their means over layers, with a band from the 5 % to the
/// 95 % quantile of layers; or the chosen layer.
Figure domain_lines(const RunFile& run, const FigureChoice& choice, const Metric& metric,
                    const MetricFigure& what);

/// Of [Q, C, D, L], quantiles over tokens: one line per domain, the median with a band from 5 % to 95 %, each
/// averaged over layers; or of the chosen layer.
Figure token_lines(const RunFile& run, const FigureChoice& choice, const Metric& metric,
                   const MetricFigure& what);

/// One line per role of `value`(the metric, checkpoint, role); roles without a value are left out.
using RoleValue = std::function<double(const Values& metric, std::size_t checkpoint, std::size_t role)>;
Figure role_lines(const RunFile& run, const Metric& metric, const MetricFigure& what, const RoleValue& value);

}  // namespace moescope
