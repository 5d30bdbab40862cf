#include "analysis/spectra_record.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "readers/run_schema.h"

namespace moescope {
namespace {

template <class Spectrum>
struct Column {
  const char* path;
  double (*value)(const Spectrum&);
};

double tail_length(const PowerLawFit& fit) {
  return fit.tail_length > 0 ? static_cast<double>(fit.tail_length)
                             : std::numeric_limits<double>::quiet_NaN();
}

using AtCheckpoint = CheckpointSpectrum;
constexpr Column<AtCheckpoint> checkpoint_columns[] = {
    {"/weights/spectral_norm", [](const AtCheckpoint& s) { return s.ranks.spectral_norm; }},
    {"/weights/stable_rank", [](const AtCheckpoint& s) { return s.ranks.stable_rank; }},
    {"/weights/effective_rank", [](const AtCheckpoint& s) { return s.ranks.effective_rank; }},
    {"/weights/participation_ratio", [](const AtCheckpoint& s) { return s.ranks.participation_ratio; }},
    {"/weights/power_law_alpha", [](const AtCheckpoint& s) { return s.power_law.alpha; }},
    {"/weights/power_law_ks_distance", [](const AtCheckpoint& s) { return s.power_law.ks_distance; }},
    {"/weights/power_law_x_min", [](const AtCheckpoint& s) { return s.power_law.x_min; }},
    {"/weights/power_law_tail_length", [](const AtCheckpoint& s) { return tail_length(s.power_law); }},
    {"/weights/power_law_alpha_weighted", [](const AtCheckpoint& s) { return s.power_law.alpha_weighted; }},
    {"/weights/marchenko_pastur_edge", [](const AtCheckpoint& s) { return s.noise.edge; }},
    {"/weights/spike_count", [](const AtCheckpoint& s) { return s.spike_count; }},
};
constexpr Column<StepSpectrum> step_columns[] = {
    {"/weights/delta_spectral_norm", [](const StepSpectrum& s) { return s.ranks.spectral_norm; }},
    {"/weights/delta_stable_rank", [](const StepSpectrum& s) { return s.ranks.stable_rank; }},
    {"/weights/delta_effective_rank", [](const StepSpectrum& s) { return s.ranks.effective_rank; }},
    {"/weights/subspace_overlap", [](const StepSpectrum& s) { return s.overlap; }},
};

/// What random subspaces share: the same for all matrices, as all have a side in the residual stream.
void set_chance(RunFile& run, std::span<const Weight> weights) {
  run.set_attribute("/weights/subspace_overlap", "chance",
                    static_cast<double>(most_compared_directions) / static_cast<double>(weights[0].cols));
  run.set_attribute("/weights/subspace_overlap", "directions",
                    static_cast<std::int64_t>(most_compared_directions));
}

template <class Spectrum>
void put(std::vector<std::vector<double>>& tables, std::span<const Column<Spectrum>> columns,
         std::span<const Spectrum> spectra, std::size_t first, std::size_t weights, std::size_t index) {
  for (std::size_t row = 0; row < spectra.size(); ++row) {
    for (std::size_t i = 0; i < columns.size(); ++i)
      tables[i][(first + row) * weights + index] = columns[i].value(spectra[row]);
  }
}

}  // namespace

void define_spectra(RunFile& run, std::size_t checkpoints, std::span<const Weight> weights,
                    SpectraChoice choice) {
  const std::string selection = describe_spectra(weights, choice);
  const auto define = [&](const char* path) {
    run.define(raw_dataset(path));
    run.set_attribute(path, "selection", selection);
  };
  for (const auto& column : checkpoint_columns) define(column.path);
  if (checkpoints < 2) return;
  for (const auto& column : step_columns) define(column.path);
  set_chance(run, weights);
}

bool is_spectra_dataset(std::string_view path) {
  const auto is_path = [&](const auto& column) { return path == column.path; };
  return std::ranges::any_of(checkpoint_columns, is_path) || std::ranges::any_of(step_columns, is_path);
}

SpectraRecord::SpectraRecord(const RunFile& run, CheckpointRange range)
    : range_(range),
      weights_(run.shape("/tensor")[0]),
      nonfinite_(run.read<std::int64_t>("/weights/nonfinite_count")) {
  for (const auto& column : checkpoint_columns) by_checkpoint_.push_back(run.read<double>(column.path));
  if (run.shape("/checkpoint")[0] < 2) return;
  for (const auto& column : step_columns) by_step_.push_back(run.read<double>(column.path));
}

bool SpectraRecord::contains(std::size_t index) const {
  const auto is_finite = [&](std::size_t c) { return nonfinite_[c * weights_ + index] == 0; };
  const auto has_row = [&](const std::vector<double>& table, std::size_t row) {
    return !std::isnan(table[row * weights_ + index]);
  };
  for (std::size_t c = range_.begin; c < range_.end; ++c) {
    if (is_finite(c) && !has_row(by_checkpoint_.front(), c)) return false;
    const bool is_step = c > range_.begin && is_finite(c) && is_finite(c - 1);
    if (is_step && !has_row(by_step_.front(), c - 1)) return false;
  }
  return true;
}

void SpectraRecord::add(const MatrixSpectra& spectra) {
  put<CheckpointSpectrum>(by_checkpoint_, checkpoint_columns, spectra.checkpoints, range_.begin, weights_,
                          spectra.index);
  put<StepSpectrum>(by_step_, step_columns, spectra.steps, range_.begin, weights_, spectra.index);
}

/// The first column comes last, once the others are safe: it tells what is there.
void SpectraRecord::write(RunFile& run) const {
  for (std::size_t i = 1; i < by_checkpoint_.size(); ++i)
    run.write<double>(checkpoint_columns[i].path, by_checkpoint_[i]);
  for (std::size_t i = 0; i < by_step_.size(); ++i) run.write<double>(step_columns[i].path, by_step_[i]);
  run.sync();
  run.write<double>(checkpoint_columns[0].path, by_checkpoint_[0]);
  run.sync();
}

}  // namespace moescope
