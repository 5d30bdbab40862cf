#include "analysis/record/spectra_record.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "readers/schema/datasets.h"
#include "readers/schema/run_schema.h"

namespace moescope {
namespace {

template <class Spectrum>
struct Column {
  Dataset<double> dataset;
  double (*value)(const Spectrum&);
};

double tail_length(const PowerLawFit& fit) {
  return fit.tail_length > 0 ? static_cast<double>(fit.tail_length)
                             : std::numeric_limits<double>::quiet_NaN();
}

using AtCheckpoint = CheckpointSpectrum;
constexpr Column<AtCheckpoint> checkpoint_columns[] = {
    {dataset::weights_spectral_norm, [](const AtCheckpoint& s) { return s.ranks.spectral_norm; }},
    {dataset::weights_stable_rank, [](const AtCheckpoint& s) { return s.ranks.stable_rank; }},
    {dataset::weights_effective_rank, [](const AtCheckpoint& s) { return s.ranks.effective_rank; }},
    {dataset::weights_participation_ratio, [](const AtCheckpoint& s) { return s.ranks.participation_ratio; }},
    {dataset::weights_power_law_alpha, [](const AtCheckpoint& s) { return s.power_law.alpha; }},
    {dataset::weights_power_law_ks_distance, [](const AtCheckpoint& s) { return s.power_law.ks_distance; }},
    {dataset::weights_power_law_x_min, [](const AtCheckpoint& s) { return s.power_law.x_min; }},
    {dataset::weights_power_law_tail_length, [](const AtCheckpoint& s) { return tail_length(s.power_law); }},
    {dataset::weights_power_law_alpha_weighted,
     [](const AtCheckpoint& s) { return s.power_law.alpha_weighted; }},
    {dataset::weights_marchenko_pastur_edge, [](const AtCheckpoint& s) { return s.noise.edge; }},
    {dataset::weights_spike_count, [](const AtCheckpoint& s) { return s.spike_count; }},
};
constexpr Column<StepSpectrum> step_columns[] = {
    {dataset::weights_delta_spectral_norm, [](const StepSpectrum& s) { return s.ranks.spectral_norm; }},
    {dataset::weights_delta_stable_rank, [](const StepSpectrum& s) { return s.ranks.stable_rank; }},
    {dataset::weights_delta_effective_rank, [](const StepSpectrum& s) { return s.ranks.effective_rank; }},
    {dataset::weights_subspace_overlap, [](const StepSpectrum& s) { return s.overlap; }},
};

/// What random subspaces share: by matrix, as small ones have fewer directions; all have a side in the
/// residual stream. As attributes, too, where all the chosen ones have the same.
void write_overlap_chance(RunFile& run, std::span<const Weight> weights,
                          std::span<const std::size_t> chosen) {
  const auto hidden_size = static_cast<double>(weights[0].cols);
  std::vector<double> chance(weights.size(), std::numeric_limits<double>::quiet_NaN());
  std::set<std::size_t> directions;
  for (const std::size_t index : chosen) {
    const std::size_t compared = compared_directions(weights[index]);
    directions.insert(compared);
    chance[index] = static_cast<double>(compared) / hidden_size;
  }
  run.write(dataset::weights_subspace_overlap_chance, chance);
  if (directions.size() != 1 || !run.contains(dataset::weights_subspace_overlap)) return;
  run.set_attribute(dataset::weights_subspace_overlap, "chance", chance[chosen.front()]);
  run.set_attribute(dataset::weights_subspace_overlap, "directions",
                    static_cast<std::int64_t>(*directions.begin()));
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

void begin_spectra(RunFile& run, std::span<const Weight> weights, SpectraChoice choice) {
  const std::string selection = describe_spectra(weights, choice);
  for (const DatasetRow& row : raw_datasets()) {
    const bool of_spectra = std::ranges::count(row.needs, &RunContents::spectra) > 0;
    if (of_spectra && row.joining == Joining::of_weights && run.contains(row.path))
      run.set_attribute(row.path, "selection", selection);
  }
  write_overlap_chance(run, weights, choose_spectra(weights, choice));
}

SpectraRecord::SpectraRecord(const RunFile& run, CheckpointRange range)
    : range_(range),
      weights_(run.shape(dataset::tensor)[0]),
      nonfinite_(run.read(dataset::weights_nonfinite_count)) {
  for (const auto& column : checkpoint_columns) by_checkpoint_.push_back(run.read(column.dataset));
  if (run.shape(dataset::checkpoint)[0] < 2) return;
  for (const auto& column : step_columns) by_step_.push_back(run.read(column.dataset));
}

bool SpectraRecord::contains(std::size_t index) const {
  const auto has_row = [&](const std::vector<double>& table, std::size_t row) {
    return !std::isnan(table[row * weights_ + index]);
  };
  const auto is_broken = [&](std::size_t c) { return nonfinite_[c * weights_ + index] > 0; };
  for (std::size_t c = range_.begin; c < range_.end; ++c) {
    if (is_broken(c)) continue;
    if (!has_row(by_checkpoint_.front(), c)) return false;
    if (c > range_.begin && !is_broken(c - 1) && !has_row(by_step_.front(), c - 1)) return false;
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
    run.write(checkpoint_columns[i].dataset, by_checkpoint_[i]);
  for (std::size_t i = 0; i < by_step_.size(); ++i) run.write(step_columns[i].dataset, by_step_[i]);
  run.sync();
  run.write(checkpoint_columns[0].dataset, by_checkpoint_[0]);
  run.sync();
}

}  // namespace moescope
