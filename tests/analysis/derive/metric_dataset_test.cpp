#include "analysis/derive/metric_dataset.h"

#include <gtest/gtest.h>

#include <set>

#include "metrics/catalogue/catalogue.h"
#include "readers/schema/run_schema.h"
#include "readers/text/name_list.h"
#include "tests/support/documentation.h"

namespace moescope {
namespace {

TEST(MetricDataset, TheDocumentationStatesEveryMetric) {
  std::vector<TableRow> rows;
  for (const Metric& metric : metric_catalogue()) {
    rows.push_back({markdown_code(metric.name), name_list(metric.axes), metric.unit, markdown(metric.formula),
                    markdown(metric.description)});
  }
  expect_table("data/run_format.md", "## Metrics", "| metric | dimensions | unit | formula | meaning |",
               rows);
}

TEST(MetricDataset, DimensionsOfMetricsAreThoseOfTheRunFile) {
  std::set<std::string> known;
  for (const DatasetSpec& spec : raw_datasets()) known.insert(spec.dimensions.begin(), spec.dimensions.end());
  for (const Metric& metric : metric_catalogue()) {
    for (const std::string& axis : metric.axes) {
      EXPECT_TRUE(known.contains(axis) || raw_dataset("/" + axis).dimensions.front() == axis)
          << metric.name << ": " << axis;
    }
  }
}

TEST(MetricDataset, NumbersOfTokensAreOfTheRawRecordByCheckpointLayerAndToken) {
  for (const Metric* metric : metrics_of<OfTokens>()) {
    const std::vector<std::string> axes = {"checkpoint", "moe_layer", "token"};
    EXPECT_EQ(raw_dataset(std::get<OfTokens>(metric->computation).dataset).dimensions, axes) << metric->name;
  }
}

}  // namespace
}  // namespace moescope
