#include "analysis/record/spectra_record.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "readers/schema/run_schema.h"

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

constexpr const char* overlap_path = "/weights/subspace_overlap";
constexpr const char* overlap_chance_path = "/weights/subspace_overlap_chance";

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
  run.write<double>(overlap_chance_path, chance);
  if (directions.size() != 1 || !run.contains(overlap_path)) return;
  run.set_attribute(overlap_path, "chance", chance[chosen.front()]);
  run.set_attribute(overlap_path, "directions", static_cast<std::int64_t>(*directions.begin()));
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
  if (checkpoints > 1) {
    for (const auto& column : step_columns) define(column.path);
  }
  define(overlap_chance_path);
  write_overlap_chance(run, weights, choose_spectra(weights, choice));
}

bool is_spectra_dataset(std::string_view path) {
  const auto is_path = [&](const auto& column) { return path == column.path; };
  return std::ranges::any_of(checkpoint_columns, is_path) || std::ranges::any_of(step_columns, is_path) ||
         path == overlap_chance_path;
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
    run.write<double>(checkpoint_columns[i].path, by_checkpoint_[i]);
  for (std::size_t i = 0; i < by_step_.size(); ++i) run.write<double>(step_columns[i].path, by_step_[i]);
  run.sync();
  run.write<double>(checkpoint_columns[0].path, by_checkpoint_[0]);
  run.sync();
}

}  // namespace moescope
