#pragma once
/// The numbers of a report as JSON: summary.json, and what the page's script reads.

#include <string>
#include <utility>
#include <vector>

#include "plots/figure/figure.h"
#include "plots/figures/heatmap_explorer.h"
#include "plots/findings/report_facts.h"

namespace moescope {

/// Widths at which the report holds each line chart, in CSS pixels.
inline constexpr int wide_chart = 1000, narrow_chart = 360;

/// Figures left out, with the reason.
using Omitted = std::vector<std::pair<std::string, std::string>>;

/// One number per checkpoint and what they mean, findings, provenance. NaN becomes null.
std::string summary_json(const ReportFacts& facts, const std::vector<std::string>& figure_ids,
                         const Omitted& omitted);

/// Lines and heatmaps for the page's script. Safe inside <script>: holds no "<".
/// Explorers with more than 200,000 values are rounded to 1/65534 of their largest value.
std::string page_json(const ReportFacts& facts, const std::vector<Figure>& line_figures,
                      const std::vector<HeatmapExplorer>& explorers);

/// RFC 4648.
std::string base64(std::string_view bytes);

}  // namespace moescope
