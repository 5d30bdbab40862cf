#include "analysis/weights/weight_spectra.h"

#include <algorithm>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <optional>
#include <utility>

#include "analysis/machine/interruption.h"
#include "analysis/machine/memory.h"
#include "analysis/weights/stored_rows.h"
#include "metrics/spectra/singular_values.h"

namespace moescope {
namespace {

using Series = std::span<const CheckpointWeights>;

struct Task {
  std::size_t index = 0;  // in ModelWeights::all()
  std::uint64_t memory = 0;
};

/// Lets as many matrices be in work as there is memory for, and one in any case.
class MemoryGate {
 public:
  explicit MemoryGate(std::uint64_t bytes) : bytes_(bytes) {}

  void enter(std::uint64_t bytes) {
    std::unique_lock lock(mutex_);
    freed_.wait(lock, [&] { return used_ == 0 || used_ + bytes <= bytes_; });
    used_ += bytes;
  }
  void leave(std::uint64_t bytes) {
    {
      const std::lock_guard lock(mutex_);
      used_ -= bytes;
    }
    freed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable freed_;
  std::uint64_t bytes_, used_ = 0;
};

class InWork {
 public:
  InWork(MemoryGate& gate, std::uint64_t bytes) : gate_(gate), bytes_(bytes) { gate_.enter(bytes); }
  ~InWork() { gate_.leave(bytes_); }
  InWork(const InWork&) = delete;
  InWork& operator=(const InWork&) = delete;

 private:
  MemoryGate& gate_;
  std::uint64_t bytes_;
};

bool has_short_residual_side(const Weight& weight) {
  return weight.rows > weight.cols && residual_side(weight.key.role) == SingularSide::right;
}

bool is_decomposed_directly(const Weight& weight) {
  return std::min(weight.rows, weight.cols) <= direct_decomposition_limit;
}

/// Whether the Gram matrix of the columns, formed piece by piece, tells everything.
bool comes_in_pieces(const Weight& weight, const MatrixPieces& pieces) {
  return weight.size() > pieces.whole_elements && has_short_residual_side(weight) &&
         !is_decomposed_directly(weight);
}

CheckpointSpectrum checkpoint_spectrum(std::span<const double> sigma, const Weight& weight,
                                       double deviation) {
  CheckpointSpectrum spectrum{weight_spectrum(sigma), power_law_fit(sigma),
                              marchenko_pastur_edge(weight.rows, weight.cols, deviation), 0};
  spectrum.spike_count = spike_count(sigma, spectrum.noise);
  return spectrum;
}

/// One matrix through the series. What differs is how it is held.
class MatrixTrace {
 public:
  MatrixTrace(Series series, std::size_t index, const std::function<void(std::uint64_t)>& on_read)
      : series_(series), index_(index), on_read_(on_read), weight_(series.front().weights->all()[index]) {}
  virtual ~MatrixTrace() = default;

  /// deviation(c): of the elements at a checkpoint.
  MatrixSpectra run(const std::function<double(std::size_t)>& deviation) {
    MatrixSpectra spectra{index_, {}, {}};
    LeadingSubspace before;
    for (std::size_t c = 0; c < series_.size(); ++c) {
      if (c > 0) spectra.steps.push_back({weight_spectrum(step_values(c)), 0});
      LeadingSubspace subspace = decompose(c);
      spectra.checkpoints.push_back(checkpoint_spectrum(subspace.singular_values, weight_, deviation(c)));
      if (c > 0) spectra.steps.back().overlap = subspace_overlap(before, subspace);
      before = std::move(subspace);
    }
    return spectra;
  }

 protected:
  /// Singular values of W_c - W_(c-1); comes before decompose(c).
  virtual std::vector<double> step_values(std::size_t c) = 0;
  virtual LeadingSubspace decompose(std::size_t c) = 0;

  const Checkpoint& checkpoint(std::size_t c) const { return *series_[c].checkpoint; }
  const Weight& stored(std::size_t c) const { return series_[c].weights->all()[index_]; }
  /// To be called for what was read.
  void count(std::size_t c, std::span<const float> values) const {
    on_read_(dtype_bytes(stored(c).dtype, values.size()));
  }
  const Weight& weight() const { return weight_; }
  std::size_t checkpoints() const { return series_.size(); }

 private:
  Series series_;
  std::size_t index_;
  const std::function<void(std::uint64_t)>& on_read_;
  const Weight& weight_;
};

/// Holds two checkpoints of the matrix.
class WholeTrace : public MatrixTrace {
 public:
  using MatrixTrace::MatrixTrace;

 protected:
  std::vector<double> step_values(std::size_t c) override {
    read(c, next_);
    for (std::size_t i = 0; i < values_.size(); ++i) values_[i] = next_[i] - values_[i];
    std::vector<double> sigma = singular_values(matrix());
    values_.swap(next_);
    return sigma;
  }

  LeadingSubspace decompose(std::size_t c) override {
    if (c == 0) read(0, values_);
    // Small matrices get their exact values, too: their Gram matrix would lose half of the digits.
    std::vector<double> exact;
    if (is_decomposed_directly(weight())) exact = singular_values(matrix());
    if (checkpoints() == 1) return {exact.empty() ? singular_values(matrix()) : exact, 0, {}};
    LeadingSubspace subspace =
        leading_subspace(matrix(), residual_side(weight().key.role), compared_directions(weight()));
    if (!exact.empty()) subspace.singular_values = exact;
    return subspace;
  }

 private:
  void read(std::size_t c, std::vector<float>& values) const {
    values.resize(weight().size());
    read_weight(checkpoint(c), stored(c), values);
    count(c, values);
  }
  WeightMatrix matrix() const { return {values_, weight().rows, weight().cols}; }

  std::vector<float> values_, next_;  // (rows, cols)
};

/// Holds the Gram matrix of the columns and a piece of the rows; and what is stored transposed, at two
/// checkpoints.
class PiecewiseTrace : public MatrixTrace {
 public:
  PiecewiseTrace(Series series, std::size_t index, const std::function<void(std::uint64_t)>& on_read,
                 std::uint64_t piece_elements)
      : MatrixTrace(series, index, on_read), piece_elements_(piece_elements) {}

 protected:
  std::vector<double> step_values(std::size_t c) override {
    StoredRows before = std::move(*rows_);  // c - 1 was decomposed last
    rows_.emplace(checkpoint(c), stored(c));
    add_up([&](std::uint64_t row) {
      read(*rows_, c, row, values_);
      other_.resize(values_.size());
      read(before, c - 1, row, other_);
      for (std::size_t i = 0; i < values_.size(); ++i) values_[i] -= other_[i];
    });
    return singular_values_of_gram(std::move(gram_), weight().cols);
  }

  LeadingSubspace decompose(std::size_t c) override {
    if (c == 0) rows_.emplace(checkpoint(c), stored(c));
    add_up([&](std::uint64_t row) { read(*rows_, c, row, values_); });
    return leading_subspace_of_gram(std::move(gram_), weight().cols, compared_directions(weight()));
  }

 private:
  void read(StoredRows& rows, std::size_t c, std::uint64_t first_row, std::span<float> values) const {
    rows.read(first_row, values);
    count(c, values);
  }

  /// fill(row) puts the piece that begins there into values_.
  template <class Fill>
  void add_up(Fill fill) {
    const std::uint64_t columns = weight().cols;
    const std::uint64_t rows = std::max<std::uint64_t>(1, piece_elements_ / columns);
    gram_.assign(columns * columns, 0.0);
    for (std::uint64_t row = 0; row < weight().rows; row += rows) {
      const std::uint64_t count = std::min(rows, weight().rows - row);
      values_.resize(count * columns);
      fill(row);
      add_column_gram({values_, count, columns}, gram_);
    }
  }

  std::uint64_t piece_elements_;
  std::optional<StoredRows> rows_;     // of the checkpoint at hand
  std::vector<double> gram_;           // (cols, cols)
  std::vector<float> values_, other_;  // (rows of a piece, cols)
};

/// The largest first, so that no thread is left with one when the others have nothing to do.
std::vector<Task> order_tasks(Series series, std::span<const std::size_t> chosen) {
  std::vector<Task> tasks;
  for (const std::size_t index : chosen) {
    Task task{index};
    for (const CheckpointWeights& one : series)
      task.memory = std::max(task.memory, spectra_memory(one.weights->all()[index]));
    tasks.push_back(task);
  }
  std::ranges::stable_sort(tasks, std::ranges::greater{}, &Task::memory);
  return tasks;
}

/// What the threads found and the caller has not seen yet.
class Findings {
 public:
  void read(std::uint64_t bytes) { bytes_ += bytes; }
  void add(MatrixSpectra&& spectra) {
    const std::lock_guard lock(mutex_);
    spectra_.push_back(std::move(spectra));
  }
  /// On the calling thread.
  void report(const SpectraOptions& options, const std::function<void(const MatrixSpectra&)>& sink) {
    options.advance(bytes_.exchange(0));
    std::vector<MatrixSpectra> found;
    {
      const std::lock_guard lock(mutex_);
      found.swap(spectra_);
    }
    for (const MatrixSpectra& spectra : found) sink(spectra);
  }

 private:
  std::mutex mutex_;
  std::vector<MatrixSpectra> spectra_;
  std::atomic<std::uint64_t> bytes_{0};
};

MatrixSpectra trace_matrix(Series series, std::size_t index, std::span<const double> deviation,
                           const MatrixPieces& pieces, const std::function<void(std::uint64_t)>& on_read) {
  const std::span<const Weight> weights = series.front().weights->all();
  const auto deviation_of = [&](std::size_t c) { return deviation[c * weights.size() + index]; };
  if (comes_in_pieces(weights[index], pieces))
    return PiecewiseTrace(series, index, on_read, pieces.piece_elements).run(deviation_of);
  return WholeTrace(series, index, on_read).run(deviation_of);
}

}  // namespace

std::uint64_t spectra_memory(const Weight& weight) {
  const std::uint64_t n = std::min(weight.rows, weight.cols), m = std::max(weight.rows, weight.cols);
  const std::uint64_t decomposition = (n * n + 256 * n + 2 * most_compared_directions * (n + m)) * 8;
  const std::uint64_t kept = weight.transposed ? 2 * weight.bytes() : 0;
  const MatrixPieces pieces;
  if (comes_in_pieces(weight, pieces))
    return 2 * pieces.piece_elements * sizeof(float) + decomposition + kept;
  const std::uint64_t direct = is_decomposed_directly(weight) ? n * m * 8 : 0;
  return 2 * n * m * sizeof(float) + decomposition + direct;
}

std::uint64_t spectra_budget(std::uint64_t memory) {
  return memory - std::min(memory / 2, 2 * program_memory);
}

void trace_spectra(Series series, std::span<const std::size_t> chosen, std::span<const double> deviation,
                   ThreadPool& pool, const SpectraOptions& options,
                   const std::function<void(const MatrixSpectra&)>& sink) {
  if (series.empty() || chosen.empty()) return;
  const std::vector<Task> tasks = order_tasks(series, chosen);
  MemoryGate gate(options.memory);
  Findings findings;
  const auto work = [&](std::size_t i, unsigned worker) {
    const InWork in_work(gate, tasks[i].memory);
    const auto on_read = [&](std::uint64_t bytes) {
      if (options.interrupted && *options.interrupted) throw Interrupted{};
      findings.read(bytes);
      if (worker == 0) findings.report(options, sink);
    };
    findings.add(trace_matrix(series, tasks[i].index, deviation, options.pieces, on_read));
  };
  try {
    pool.for_each(tasks.size(), work);
  } catch (...) {
    findings.report(options, sink);
    throw;
  }
  findings.report(options, sink);
}

}  // namespace moescope
