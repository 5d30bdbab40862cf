#include "analysis/plan/run_size.h"

#include "metrics/catalogue/catalogue.h"
#include "readers/schema/run_schema.h"

namespace moescope {
namespace {

/// Attributes and dimension scales of one dataset.
constexpr std::uint64_t dataset_overhead = 3 << 10;

std::uint64_t element_bytes(ElementType type) {
  switch (type) {
    case ElementType::u1:
      return 1;
    case ElementType::u2:
      return 2;
    case ElementType::u4:
    case ElementType::i4:
    case ElementType::f4:
      return 4;
    case ElementType::i8:
    case ElementType::f8:
      return 8;
    case ElementType::text:
      break;
  }
  return 0;
}

PlannedDataset plan_dataset(std::string path, ElementType type, const std::vector<std::string>& dimensions,
                            const RunContents& contents) {
  PlannedDataset dataset{std::move(path), type, {}};
  for (const std::string& dimension : dimensions) dataset.shape.push_back(contents.sizes.at(dimension));
  return dataset;
}

}  // namespace

std::uint64_t PlannedDataset::elements() const {
  std::uint64_t elements = 1;
  for (std::uint64_t extent : shape) elements *= extent;
  return elements;
}

std::uint64_t PlannedDataset::bytes() const {
  return elements() * (type == ElementType::text ? text_bytes : element_bytes(type));
}

std::vector<PlannedDataset> planned_datasets(const RunContents& contents) {
  std::vector<PlannedDataset> datasets;
  for (const DatasetRow& row : raw_datasets()) {
    if (!is_recorded(row, contents)) continue;
    datasets.push_back(plan_dataset(row.path, recorded_spec(row, contents).type, row.dimensions, contents));
    if (row.text_bytes > 0) datasets.back().text_bytes = row.text_bytes;
  }
  for (const Metric& metric : metric_catalogue()) {
    if (!(is_from_weights(metric) ? contents.weights : contents.forward)) continue;
    if (is_from_sketches(metric) && !contents.sketches) continue;
    PlannedDataset dataset = plan_dataset(metric_path(metric.name), ElementType::f8, metric.axes, contents);
    if (dataset.elements() > 0) datasets.push_back(std::move(dataset));  // one checkpoint has no steps
  }
  return datasets;
}

std::uint64_t run_file_bytes(const RunContents& contents) {
  std::uint64_t bytes = 0;
  for (const PlannedDataset& dataset : planned_datasets(contents))
    bytes += dataset.bytes() + dataset_overhead;
  return bytes;
}

}  // namespace moescope
