#include "analysis/derive/run_metrics.h"

#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "analysis/derive/choice_metrics.h"
#include "analysis/derive/count_metrics.h"
#include "analysis/derive/expert_product_metrics.h"
#include "analysis/derive/loss_metrics.h"
#include "analysis/derive/product_metrics.h"
#include "analysis/derive/sketch_metrics.h"
#include "analysis/derive/token_metrics.h"
#include "analysis/record/forward_record.h"
#include "analysis/record/recorded_roles.h"
#include "readers/schema/datasets.h"
#include "readers/schema/run_schema.h"

namespace moescope {
namespace {

/// The dimensions that metrics have and the raw record may lack.
void define_metric_dimensions(RunFile& run) {
  if (!run.contains(dataset::other_checkpoint)) {
    run.define_dimension(raw_dataset(dataset::other_checkpoint), run.read(dataset::checkpoint));
  }
  if (!run.contains(dataset::quantile))
    run.define_dimension(raw_dataset(dataset::quantile), recorded_quantiles());
  if (!run.contains(dataset::role)) {
    run.define_dimension(raw_dataset(dataset::role), role_labels());
  }
  if (run.contains(dataset::weights_delta_inner_product) && !run.contains(dataset::component)) {
    std::vector<std::int64_t> components(run.shape(dataset::checkpoint)[0] - 1);
    std::iota(components.begin(), components.end(), std::int64_t{1});
    run.define_dimension(raw_dataset(dataset::component), components);
  }
}

}  // namespace

void write_run_metrics(RunFile& run) {
  define_metric_dimensions(run);
  if (const std::optional<ForwardRecord> record = read_forward_record(run)) {
    if (record->moe_layers > 0) {
      write_count_metrics(run, *record);
      write_token_metrics(run, *record);
      write_choice_metrics(run, *record);
    }
    write_loss_metrics(run, *record);
  }
  write_product_metrics(run);
  write_sketch_metrics(run);
  write_expert_product_metrics(run);
}

}  // namespace moescope
