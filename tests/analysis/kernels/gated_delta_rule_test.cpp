#include "analysis/kernels/gated_delta_rule.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "tests/support/random_values.h"
#include "tests/support/special_values.h"

namespace moescope {
namespace {

/// One head's sequence; keys and queries of length 1.
struct Sequence {
  std::size_t tokens, key_features, value_features;
  std::vector<float> keys, queries, values, log_decay, beta;

  Sequence(std::size_t count, std::size_t dk, std::size_t dv, float decay = 0.2f, unsigned seed = 1)
      : tokens(count),
        key_features(dk),
        value_features(dv),
        keys(unit_rows(seed)),
        queries(unit_rows(seed + 1)),
        values(normal_values<float>(count * dv, seed + 2)),
        log_decay(normal_values<float>(count, seed + 3, decay)),
        beta(normal_values<float>(count, seed + 4)) {
    for (float& value : log_decay) value = -std::fabs(value);
    for (float& value : beta) value = 1 / (1 + std::exp(-value));
  }

  std::vector<float> unit_rows(unsigned seed) const {
    std::vector<float> rows = normal_values<float>(tokens * key_features, seed);
    for (std::size_t t = 0; t < tokens; ++t) {
      const std::span row(&rows[t * key_features], key_features);
      float squares = 0;
      for (const float value : row) squares += value * value;
      for (float& value : row) value /= std::sqrt(squares);
    }
    return rows;
  }
};

using Advance = decltype(&DeltaMemory::advance);

std::vector<float> run(const Sequence& s, Advance advance = &DeltaMemory::advance) {
  DeltaKeys keys(s.key_features);
  DeltaMemory memory(s.key_features, s.value_features);
  std::vector<float> outputs(s.tokens * s.value_features);
  const auto part = [](const std::vector<float>& all, std::size_t first, std::size_t count,
                       std::size_t width) { return std::span(all).subspan(first * width, count * width); };
  for (std::size_t first = 0; first < s.tokens; first += delta_chunk) {
    const std::size_t count = std::min(delta_chunk, s.tokens - first);
    keys.assign(count, part(s.keys, first, count, s.key_features),
                part(s.queries, first, count, s.key_features));
    (memory.*advance)(keys, part(s.values, first, count, s.value_features),
                      part(s.log_decay, first, count, 1), part(s.beta, first, count, 1),
                      std::span(outputs).subspan(first * s.value_features, count * s.value_features));
  }
  return outputs;
}

/// Equation 10 as it stands, in double precision.
std::vector<double> recurrence(const Sequence& s) {
  std::vector<double> memory(s.key_features * s.value_features), outputs;
  for (std::size_t t = 0; t < s.tokens; ++t) {
    const float *key = &s.keys[t * s.key_features], *query = &s.queries[t * s.key_features];
    for (double& value : memory) value *= std::exp(double{s.log_decay[t]});
    for (std::size_t d = 0; d < s.value_features; ++d) {
      double* column = &memory[d * s.key_features];
      double known = 0, read = 0;
      for (std::size_t f = 0; f < s.key_features; ++f) known += column[f] * double{key[f]};
      const double change = double{s.beta[t]} * (double{s.values[t * s.value_features + d]} - known);
      for (std::size_t f = 0; f < s.key_features; ++f) {
        column[f] += double{key[f]} * change;
        read += column[f] * double{query[f]};
      }
      outputs.push_back(read);
    }
  }
  return outputs;
}

double largest_difference(const std::vector<float>& a, const std::vector<double>& b) {
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::fabs(double{a[i]} - b[i]));
  return largest;
}

// Values are of size 1, and so is what is read: 1e-5 is some hundred roundings of float32.
TEST(GatedDeltaRule, ChunksGiveTheRecurrence) {
  for (const std::size_t tokens : {1u, 15u, 16u, 17u, 63u, 64u, 65u, 200u}) {
    for (const auto& [dk, dv] : {std::pair{128u, 128u}, {16u, 24u}, {8u, 3u}, {20u, 33u}, {1u, 1u}}) {
      for (const float decay : {0.0f, 0.2f, 30.0f}) {
        const Sequence sequence(tokens, dk, dv, decay);
        EXPECT_LT(largest_difference(run(sequence), recurrence(sequence)), 1e-5)
            << tokens << " tokens of " << dk << " and " << dv << ", decay " << decay;
      }
    }
  }
}

TEST(GatedDeltaRule, TokenByTokenGivesTheRecurrence) {
  const Sequence sequence(100, 32, 20);
  EXPECT_LT(largest_difference(run(sequence, &DeltaMemory::advance_singly), recurrence(sequence)), 1e-5);
}

// What is written whole and never decays is read again: k_t the t-th unit vector, q_t that of the token
// before.
TEST(GatedDeltaRule, ReadsWhatWasWritten) {
  Sequence sequence(70, 80, 5, 0.0f);
  std::ranges::fill(sequence.keys, 0.0f);
  std::ranges::fill(sequence.queries, 0.0f);
  std::ranges::fill(sequence.beta, 1.0f);
  for (std::size_t t = 0; t < 70; ++t) {
    sequence.keys[t * 80 + t] = 1;
    if (t > 0) sequence.queries[t * 80 + t - 1] = 1;
  }
  const std::vector<float> outputs = run(sequence);
  for (std::size_t t = 1; t < 70; ++t) {
    for (std::size_t d = 0; d < 5; ++d) EXPECT_EQ(outputs[t * 5 + d], sequence.values[(t - 1) * 5 + d]) << t;
  }
}

TEST(GatedDeltaRule, LaterChunksChangeNoByteOfEarlierOnes) {
  const Sequence whole(192, 24, 16);
  Sequence shorter = whole;
  shorter.tokens = 128;
  const std::vector<float> outputs = run(whole), of_shorter = run(shorter);
  EXPECT_TRUE(std::equal(of_shorter.begin(), of_shorter.end(), outputs.begin()));
}

// In the middle of a chunk, in keys, values, decays and shares alike; a query concerns its own token alone.
TEST(GatedDeltaRule, WhatIsNotFiniteReachesNoEarlierToken) {
  constexpr std::size_t broken = 90, tokens = 130, dv = 6;
  const std::vector<double> expected = recurrence(Sequence(tokens, 8, dv));
  for (const float value : {nan_f32, infinity_f32}) {
    for (std::vector<float> Sequence::*part :
         {&Sequence::keys, &Sequence::queries, &Sequence::values, &Sequence::log_decay, &Sequence::beta}) {
      Sequence sequence(tokens, 8, dv);
      const std::size_t width = (sequence.*part).size() / tokens;
      std::fill_n((sequence.*part).begin() + broken * width, width, value);
      const std::vector<float> outputs = run(sequence);
      for (std::size_t i = 0; i < broken * dv; ++i) ASSERT_NEAR(outputs[i], expected[i], 1e-5) << i / dv;
      EXPECT_FALSE(std::isfinite(outputs[broken * dv]));
      const bool last_is_finite = std::isfinite(outputs.back());
      EXPECT_EQ(last_is_finite, part == &Sequence::queries);
    }
  }
}

// A value that overflows when it is multiplied is found, though it is finite itself.
TEST(GatedDeltaRule, AnOverflowReachesNoEarlierToken) {
  Sequence sequence(64, 8, 4);
  for (std::size_t t = 40; t < 64; ++t) {
    for (std::size_t d = 0; d < 4; ++d) sequence.values[t * 4 + d] = d % 2 == t % 2 ? 3e38f : -3e38f;
    sequence.beta[t] = 2;
  }
  const std::vector<float> outputs = run(sequence);
  const std::vector<double> expected = recurrence(sequence);
  for (std::size_t i = 0; i < 40 * 4; ++i) ASSERT_NEAR(outputs[i], expected[i], 1e-5) << i / 4;
}

}  // namespace
}  // namespace moescope
