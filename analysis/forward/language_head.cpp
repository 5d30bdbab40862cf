#include "analysis/forward/language_head.h"

#include <cmath>
#include <limits>

#include "analysis/kernels/elementwise.h"
#include "metrics/statistics.h"

namespace moescope {
namespace {

/// Softmax denominators as they grow over the vocabulary.
struct LogSumExp {
  double maximum = -std::numeric_limits<double>::infinity();
  double sum = 0;  // of exp(logit - maximum)

  void join(double block_maximum, double block_sum) {
    if (block_maximum > maximum) {
      sum = sum * std::exp(maximum - block_maximum) + block_sum;
      maximum = block_maximum;
    } else {
      // Written so that a NaN maximum or sum ends in a NaN, too.
      sum += block_sum * std::exp(block_maximum - maximum);
    }
  }
  double value() const { return maximum + std::log(sum); }
};

/// The token that row t should predict; -1 at the end of a sequence.
std::vector<std::int64_t> next_tokens(const TokenBatch& batch) {
  std::vector<std::int64_t> next(batch.tokens(), -1);
  for (std::size_t s = 0; s + 1 < batch.sequence_start.size(); ++s) {
    for (std::size_t t = batch.sequence_start[s]; t + 1 < batch.sequence_start[s + 1]; ++t) {
      next[t] = batch.token_id[t + 1];
    }
  }
  return next;
}

/// For one tile of the vocabulary: maximum and sum of each block of rows, and the logits asked for.
struct TileSums {
  Matrix maximum, sum;  // (blocks, padded T)

  TileSums(std::size_t rows, std::size_t padded_tokens)
      : maximum((rows + row_block - 1) / row_block, padded_tokens), sum(maximum.rows, padded_tokens) {}
};

}  // namespace

std::vector<float> token_losses(const ForwardContext& context, const Weight& head, const Matrix& x,
                                const LogitSink& logits) {
  const TokenPanels panels = pack_panels(context.threads, x, context.precision);
  const std::vector<std::int64_t> next = next_tokens(context.batch);
  std::vector<LogSumExp> total(x.rows);
  std::vector<double> target(x.rows, nan);

  context.weights.take(head, [&](const WeightTile& tile) {
    TileSums sums(tile.rows, panels.panels() * panel_lanes);
    Matrix tile_logits(logits ? x.rows : 0, tile.rows);
    WeightTile part = tile;
    part.first_row = 0;
    multiply(
        context.threads, part, panels, [&](std::size_t panel, std::size_t row, std::size_t rows, float* y) {
          const std::size_t first = panel * panel_lanes;
          exp_sum(y, rows, sums.maximum.row(row / row_block).data() + first,
                  sums.sum.row(row / row_block).data() + first);
          for (std::size_t lane = 0; lane < panels.lanes(panel); ++lane) {
            const std::int64_t wanted = next[first + lane] - static_cast<std::int64_t>(tile.first_row + row);
            if (wanted >= 0 && wanted < static_cast<std::int64_t>(rows)) {
              target[first + lane] = y[static_cast<std::size_t>(wanted) * panel_lanes + lane];
            }
          }
          if (logits) store_rows(panels, tile_logits)(panel, row, rows, y);
        });
    for_each_row(context.threads, x.rows, [&](std::size_t token) {
      for (std::size_t b = 0; b < sums.sum.rows; ++b) {
        total[token].join(sums.maximum.row(b)[token], sums.sum.row(b)[token]);
      }
    });
    if (logits) logits(tile.first_row, tile_logits);
  });

  std::vector<float> losses(x.rows);
  for (std::size_t t = 0; t < x.rows; ++t) losses[t] = static_cast<float>(total[t].value() - target[t]);
  return losses;
}

}  // namespace moescope
