#include "analysis/run_metrics.h"

#include <optional>
#include <string>
#include <vector>

#include "analysis/agreement_metrics.h"
#include "analysis/drift_metrics.h"
#include "analysis/forward_record.h"
#include "analysis/load_metrics.h"
#include "analysis/loss_metrics.h"
#include "analysis/router_metrics.h"
#include "readers/run_schema.h"
#include "readers/tensor_roles.h"

namespace moescope {
namespace {

/// The dimensions that metrics have and the raw record may lack.
void define_metric_dimensions(RunFile& run) {
  if (!run.contains("/other_checkpoint")) {
    run.define_dimension(raw_dataset("/other_checkpoint"), run.read<std::string>("/checkpoint"));
  }
  if (!run.contains("/quantile")) run.define_dimension(raw_dataset("/quantile"), recorded_quantiles());
  if (!run.contains("/role")) {
    std::vector<std::string> roles;
    for (const RoleGroup group : all_role_groups) roles.emplace_back(role_group_name(group));
    run.define_dimension(raw_dataset("/role"), roles);
  }
}

}  // namespace

void write_run_metrics(RunFile& run) {
  define_metric_dimensions(run);
  if (const std::optional<ForwardRecord> record = read_forward_record(run)) {
    if (record->moe_layers > 0) {
      write_load_metrics(run, *record);
      write_router_metrics(run, *record);
      write_agreement_metrics(run, *record);
    }
    write_loss_metrics(run, *record);
  }
  write_drift_metrics(run);
}

}  // namespace moescope
