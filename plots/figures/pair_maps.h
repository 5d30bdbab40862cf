#pragma once
/// A metric of pairs of checkpoints [C, C, L], as its entry says: a map of checkpoints by checkpoints.

#include "metrics/entry/metric.h"
#include "plots/figures/figure_entry.h"

namespace moescope {

/// The mean over layers, or the chosen layer. Colours begin at what random routing gives.
Figure pair_map(const RunFile& run, const FigureChoice& choice, const Metric& metric,
                const MetricFigure& what);

/// By layer, their mean first.
HeatmapExplorer pair_explorer(const RunFile& run, const Metric& metric, const MetricFigure& what);

}  // namespace moescope
