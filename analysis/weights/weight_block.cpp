#include "analysis/weights/weight_block.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <type_traits>

#include "metrics/weights/bfloat16_histogram.h"

// Fixed-size vectors only: the accumulators live in arrays.
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "analysis/weights/weight_block.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include <hwy/highway.h>

#ifndef MOESCOPE_WEIGHT_BLOCK_ONCE
#define MOESCOPE_WEIGHT_BLOCK_ONCE
namespace moescope {
namespace {

constexpr std::size_t block = weight_block_elements;
constexpr std::size_t lanes = inner_product_lanes;
constexpr std::size_t group = 16;  // elements of a sketch that are added together
constexpr std::size_t groups = block / group;
constexpr std::size_t window_size = 2 * sketch_size;
constexpr std::size_t step_tile = 256;  // elements whose steps are multiplied together

/// A code is the distance from the middle bin, and this bit for steps downwards; the bit alone, which no step
/// has, stands for an element that is not finite.
constexpr std::uint16_t downwards = 32;

/// What a half-byte of a step count says about the distance from the middle bin, for the four half-bytes from
/// the lowest; the largest of the four is right.
alignas(16) constexpr std::uint8_t step_distances[4][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {0, 16, 17, 17, 18, 18, 18, 18, 19, 19, 19, 19, 19, 19, 19, 19},
    {0, 20, 21, 21, 22, 22, 22, 22, 23, 23, 23, 23, 23, 23, 23, 23},
    {0, 24, 25, 25, 26, 26, 26, 26, 27, 27, 27, 27, 27, 27, 27, 27}};

/// One by one: for processors without shuffles of bytes.
[[maybe_unused]] std::uint16_t plain_code(std::uint16_t earlier, std::uint16_t later) {
  constexpr int infinity = 0x7f80;
  const int from = earlier & 0x7fff, to = later & 0x7fff;
  if (from >= infinity || to >= infinity) return downwards;
  const int steps = (later >> 15 != 0 ? -to : to) - (earlier >> 15 != 0 ? -from : from);
  const auto distance = static_cast<int>(step_bin(steps)) - static_cast<int>(step_bins_of_a_sign);
  return static_cast<std::uint16_t>(distance < 0 ? -distance | downwards : distance);
}

/// The next even number.
constexpr std::size_t even(std::size_t count) {
  return (count + 1) / 2 * 2;
}

/// The sum of lanes for the pair (i, j) of `rows` rows, i <= j.
constexpr std::size_t lanes_of(std::size_t i, std::size_t j, std::size_t rows) {
  return (i * rows - i * (i + 1) / 2 + j) * lanes;
}

}  // namespace
}  // namespace moescope
#endif

HWY_BEFORE_NAMESPACE();
namespace moescope {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Increments that are still to be made.
class Counting {
 public:
  /// Behind the last run is an empty one.
  explicit Counting(const BlockRoom::Run* runs) : run_(runs) { take(); }

  /// Makes about `Count` of them, an even number: as many as the loop around leaves time for.
  template <std::size_t Count>
  HWY_INLINE void some() {
    if (static_cast<std::size_t>(end_ - at_) < Count) {
      finish_run();
      return;
    }
    HWY_UNROLL(16)
    for (std::size_t i = 0; i < Count; i += 2) two();
  }

  HWY_INLINE void all() {
    while (at_ != end_ || run_->count > 0) some<16>();
  }

 private:
  /// One load for two: what a processor begins in a cycle, and its loads, are as scarce as its stores.
  HWY_INLINE void two() {
    std::uint32_t indices;
    std::memcpy(&indices, at_, sizeof indices);
    at_ += 2;
    ++counters_[indices & 0xffff];
    ++counters_[indices >> 16];
  }

  HWY_INLINE void finish_run() {
    while (at_ != end_) two();
    take();
  }

  HWY_INLINE void take() {
    at_ = run_->indices;
    end_ = at_ + run_->count;
    counters_ = run_->counters;
    run_ += run_->count > 0;
  }

  const BlockRoom::Run* run_;
  const std::uint16_t *at_ = nullptr, *end_ = nullptr;
  std::uint32_t* counters_ = nullptr;
};

using Doubles = hn::CappedTag<double, lanes>;
using Floats = hn::CappedTag<float, group>;
using Words = hn::RebindToUnsigned<Floats>;
using Patterns = hn::CappedTag<std::uint16_t, 2 * group>;
constexpr std::size_t doubles_width = hn::MaxLanes(Doubles()), floats_width = hn::MaxLanes(Floats()),
                      patterns_width = hn::MaxLanes(Patterns());

template <class To>
HWY_INLINE hn::Vec<To> load_floats(To, const float* values) {
  return hn::LoadU(To(), values);
}
template <class To>
HWY_INLINE hn::Vec<To> load_floats(To, const std::uint16_t* patterns) {
  const hn::RebindToUnsigned<To> words;
  const auto bits = hn::PromoteTo(words, hn::LoadU(hn::Rebind<std::uint16_t, To>(), patterns));
  return hn::BitCast(To(), hn::ShiftLeft<16>(bits));
}

/// `mask`: a bit for each element of the group that counts negative.
template <class Element>
HWY_INLINE void add_group(const Element* elements, std::uint32_t mask, float* window) {
  const Words words;
  const auto bits = hn::Set(words, mask), minus = hn::Set(words, 0x80000000u);
  for (std::size_t v = 0; v < group; v += floats_width) {
    alignas(64) std::uint32_t places[floats_width];
    for (std::size_t lane = 0; lane < floats_width; ++lane) places[lane] = 1u << (v + lane);
    const auto sign = hn::IfThenElseZero(hn::TestBit(bits, hn::Load(words, places)), minus);
    const auto value = hn::Xor(hn::BitCast(words, load_floats(Floats(), elements + v)), sign);
    hn::Store(hn::Add(hn::Load(Floats(), window + v), hn::BitCast(Floats(), value)), Floats(), window + v);
  }
}

/// Where a block lies in its window, and a mask for each group of the window.
struct SketchPlace {
  std::uint32_t masks[groups + 1];
  std::size_t first_group, shift;

  explicit SketchPlace(const SketchSigns& signs)
      : first_group(signs.rotation / group), shift(signs.rotation % group) {
    std::uint16_t bits[groups + 2] = {};
    static_assert(sizeof signs.minus == groups * sizeof *bits);
    std::memcpy(bits + 1, signs.minus.data(), sizeof signs.minus);
    for (std::size_t g = 0; g <= groups; ++g)
      masks[g] = ((bits[g] | std::uint32_t{bits[g + 1]} << 16) >> (group - shift)) & 0xffff;
  }
};

/// Rotated, a block begins and ends within a group of its window. There, zeros are added: a sum that began
/// with +0 is never -0.
template <class Element>
HWY_NOINLINE void add_sketch(const Element* row, const SketchPlace& place, float* window,
                             const BlockRow& source) {
  float* const to = window + place.first_group * group;
  Element head[2 * group] = {}, tail[2 * group] = {};
  std::copy_n(row, group, head + group);
  std::copy_n(row + block - group, group, tail);
  add_group(head + group - place.shift, place.masks[0], to);
  for (std::size_t g = 1; g < groups; ++g) {
    add_group(row + g * group - place.shift, place.masks[g], to + g * group);
    // A line of bfloat16, from the first on: to miss one costs more than all others.
    if (g % 2 == 1) __builtin_prefetch(source.ahead + (g - 1) * source.group_bytes, 0, 2);
  }
  add_group(tail + group - place.shift, place.masks[groups], to + block);
}

#if HWY_TARGET == HWY_SCALAR

void make_codes(const std::uint16_t* earlier, const std::uint16_t* later, std::uint16_t* codes, Counting&) {
  for (std::size_t i = 0; i < block; i += 2)
    codes[i / 2] = plain_code(earlier[i], later[i]) | plain_code(earlier[i + 1], later[i + 1]) << 6;
}

#else

using Signed = hn::RebindToSigned<Patterns>;

/// The last two have all bits set or none.
struct StepVector {
  hn::Vec<Patterns> size, downwards, nonfinite;
};

HWY_INLINE hn::Vec<Signed> magnitude(hn::Vec<Signed> pattern) {
  return hn::And(pattern, hn::Set(Signed(), 0x7fff));
}

/// How many steps from zero.
HWY_INLINE hn::Vec<Signed> place(hn::Vec<Signed> pattern) {
  const auto negative = hn::ShiftRight<15>(pattern);
  return hn::Sub(hn::Xor(magnitude(pattern), negative), negative);
}

HWY_INLINE StepVector step_vector(const std::uint16_t* earlier, const std::uint16_t* later) {
  const auto from = hn::BitCast(Signed(), hn::LoadU(Patterns(), earlier));
  const auto to = hn::BitCast(Signed(), hn::LoadU(Patterns(), later));
  const auto start = place(from), end = place(to);
  const auto larger = hn::Max(magnitude(from), magnitude(to));
  const auto nonfinite = hn::ShiftRight<15>(hn::Add(larger, hn::Set(Signed(), 0x80)));
  return {hn::BitCast(Patterns(), hn::Sub(hn::Max(start, end), hn::Min(start, end))),
          hn::BitCast(Patterns(), hn::VecFromMask(Signed(), hn::Lt(end, start))),
          hn::BitCast(Patterns(), nonfinite)};
}

using Bytes = hn::Repartition<std::uint8_t, Patterns>;

HWY_INLINE hn::Vec<Bytes> distance_by_half_byte(std::size_t which, hn::Vec<Patterns> half_bytes) {
  const auto table = hn::LoadDup128(Bytes(), step_distances[which]);
  return hn::TableLookupBytes(table, hn::And(hn::BitCast(Bytes(), half_bytes), hn::Set(Bytes(), 15)));
}

/// The largest distance that the two half-bytes of each byte stand for.
HWY_INLINE hn::Vec<Bytes> distance_by_byte(std::size_t lower, hn::Vec<Patterns> bytes) {
  return hn::Max(distance_by_half_byte(lower, bytes),
                 distance_by_half_byte(lower + 1, hn::ShiftRight<4>(bytes)));
}

/// The lower byte of each lane, beside the upper one of another.
HWY_INLINE hn::Vec<Patterns> beside(hn::Vec<Patterns> low, hn::Vec<Patterns> high) {
  const auto low_byte = hn::Set(Patterns(), 0xff);
  return hn::Or(hn::And(low, low_byte), hn::AndNot(low_byte, high));
}

/// Each lane holds the codes of two steps, one from each vector.
HWY_INLINE hn::Vec<Patterns> pair_codes(const StepVector& a, const StepVector& b) {
  const Patterns d;
  const auto low = beside(a.size, hn::ShiftLeft<8>(b.size));
  const auto high = beside(hn::ShiftRight<8>(a.size), b.size);
  const auto distance = hn::BitCast(d, hn::Max(distance_by_byte(0, low), distance_by_byte(2, high)));
  const auto down = hn::Set(d, downwards | downwards << 8);
  const auto sign = hn::And(beside(a.downwards, b.downwards), down);
  const auto nonfinite = beside(a.nonfinite, b.nonfinite);
  const auto codes = hn::Or(hn::AndNot(nonfinite, hn::Or(distance, sign)), hn::And(nonfinite, down));
  return hn::Or(hn::And(codes, hn::Set(d, 0x3f)), hn::And(hn::ShiftRight<2>(codes), hn::Set(d, 0xfc0)));
}

HWY_NOINLINE void make_codes(const std::uint16_t* earlier, const std::uint16_t* later, std::uint16_t* codes,
                             Counting& counting) {
  Counting count = counting;
  for (std::size_t i = 0; i < block; i += 2 * patterns_width) {
    const StepVector a = step_vector(earlier + i, later + i);
    count.template some<patterns_width / 2>();
    const StepVector b = step_vector(earlier + i + patterns_width, later + i + patterns_width);
    hn::Store(pair_codes(a, b), Patterns(), codes + i / 2);
    count.template some<patterns_width / 2>();
  }
  counting = count;
}

#endif

/// Rows that are multiplied with as many others while sums stay in registers: of 32, or of 16 and half as
/// long.
constexpr std::size_t tile_rows = HWY_TARGET <= HWY_AVX3 ? 4 : 3;

using Vector = hn::Vec<Doubles>;

/// The factors of products: elements as they are stored, or steps as doubles.
template <class Element>
HWY_INLINE Vector load_factor(const Element* elements) {
  if constexpr (std::is_same_v<Element, double>)
    return hn::Load(Doubles(), elements);
  else
    return hn::PromoteTo(Doubles(), load_floats(hn::Rebind<float, Doubles>(), elements));
}

/// Any product of two elements is exact, so one rounding is the same as two. That of two steps is not.
template <class Element>
HWY_INLINE Vector multiply_add(Vector a, Vector b, Vector sum) {
  if constexpr (std::is_same_v<Element, double>)
    return hn::Add(sum, hn::Mul(a, b));
  else
    return hn::MulAdd(a, b, sum);
}

/// Rows of factors, and the lanes of all pairs of them.
template <class Element>
struct Factors {
  static constexpr std::size_t length = std::is_same_v<Element, double> ? step_tile : block;
  const Element* rows;  // (count, length)
  std::size_t count;
  double* lanes;

  double* lanes_at(std::size_t i, std::size_t j) const { return lanes + lanes_of(i, j, count); }
};

/// Of neighbouring rows.
template <std::size_t Count, class Element>
HWY_INLINE void load_factors(const Element* rows, Vector (&factors)[Count]) {
  HWY_UNROLL(8)
  for (std::size_t r = 0; r < Count; ++r) factors[r] = load_factor(rows + r * Factors<Element>::length);
}

/// Sums of lanes in registers for rows by rows; if these are the same, of each pair once.
template <std::size_t A, std::size_t B, bool Same>
struct TileSums {
  Vector sums[A][B];

  template <class Element>
  HWY_INLINE void load(const Factors<Element>& factors, std::size_t i, std::size_t j, std::size_t part) {
    HWY_UNROLL(8)
    for (std::size_t r = 0; r < A; ++r) {
      HWY_UNROLL(8)
      for (std::size_t k = Same ? r : 0; k < B; ++k)
        sums[r][k] = hn::LoadU(Doubles(), factors.lanes_at(i + r, j + k) + part);
    }
  }

  template <class Element>
  HWY_INLINE void add(const Vector (&first)[A], const Vector (&second)[B]) {
    HWY_UNROLL(8)
    for (std::size_t k = 0; k < B; ++k) {
      HWY_UNROLL(8)
      for (std::size_t r = 0; r < (Same ? k + 1 : A); ++r)
        sums[r][k] = multiply_add<Element>(first[r], second[k], sums[r][k]);
    }
  }

  template <class Element>
  HWY_INLINE void store(const Factors<Element>& factors, std::size_t i, std::size_t j,
                        std::size_t part) const {
    HWY_UNROLL(8)
    for (std::size_t r = 0; r < A; ++r) {
      HWY_UNROLL(8)
      for (std::size_t k = Same ? r : 0; k < B; ++k)
        hn::StoreU(sums[r][k], Doubles(), factors.lanes_at(i + r, j + k) + part);
    }
  }
};

/// Rows [i, i + A) by [j, j + B).
template <std::size_t A, std::size_t B, bool Same, class Element>
HWY_NOINLINE void multiply_tile(const Factors<Element>& factors, std::size_t i, std::size_t j,
                                Counting& counting) {
  constexpr std::size_t products = (Same ? A * (A + 1) / 2 : A * B) * doubles_width / lanes;
  const Element* const a = factors.rows + i * factors.length;
  const Element* const b = factors.rows + j * factors.length;
  Counting count = counting;
  for (std::size_t part = 0; part < lanes; part += doubles_width) {
    TileSums<A, B, Same> sums;
    sums.load(factors, i, j, part);
    for (std::size_t at = part; at < factors.length; at += lanes) {
      Vector first[A], second[B];
      load_factors(a + at, first);
      if constexpr (Same) {
        sums.template add<Element>(first, first);
      } else {
        load_factors(b + at, second);
        sums.template add<Element>(first, second);
      }
      count.template some<even(products)>();
    }
    sums.store(factors, i, j, part);
  }
  counting = count;
}

template <std::size_t A, class Element>
HWY_INLINE void multiply_same(const Factors<Element>& factors, std::size_t i, std::size_t count,
                              Counting& counting) {
  if constexpr (A > 0) {
    if (count == A) return multiply_tile<A, A, true>(factors, i, i, counting);
    multiply_same<A - 1>(factors, i, count, counting);
  }
}

template <std::size_t B, class Element>
HWY_INLINE void multiply_others(const Factors<Element>& factors, std::size_t i, std::size_t j,
                                std::size_t count, Counting& counting) {
  if constexpr (B > 0) {
    if (count == B) return multiply_tile<tile_rows, B, false>(factors, i, j, counting);
    multiply_others<B - 1>(factors, i, j, count, counting);
  }
}

/// All pairs of rows.
template <class Element>
HWY_INLINE void multiply(const Factors<Element>& factors, Counting& counting) {
  for (std::size_t i = 0; i < factors.count; i += tile_rows) {
    multiply_same<tile_rows>(factors, i, std::min(tile_rows, factors.count - i), counting);
    for (std::size_t j = i + tile_rows; j < factors.count; j += tile_rows)
      multiply_others<tile_rows>(factors, i, j, std::min(tile_rows, factors.count - j), counting);
  }
}

/// The steps between rows, of step_tile elements.
template <class Element>
HWY_NOINLINE void form_steps(const Element* rows, std::size_t count, double* steps, Counting& counting) {
  Counting counts = counting;
  for (std::size_t at = 0; at < step_tile; at += doubles_width) {
    Vector before = load_factor(rows + at);
    for (std::size_t r = 0; r < count; ++r) {
      const Vector after = load_factor(rows + (r + 1) * block + at);
      hn::Store(hn::Sub(after, before), Doubles(), steps + r * step_tile + at);
      before = after;
    }
    counts.template some<8>();
  }
  counting = counts;
}

/// Few rows: all pairs of them and of their steps, which are formed in registers.
template <std::size_t A, class Element>
HWY_NOINLINE void multiply_few(const Factors<Element>& elements, const Factors<double>& steps,
                               Counting& counting) {
  Counting count = counting;
  for (std::size_t part = 0; part < lanes; part += doubles_width) {
    TileSums<A, A, true> sums;
    TileSums<std::max<std::size_t>(A - 1, 1), std::max<std::size_t>(A - 1, 1), true> step_sums;
    sums.load(elements, 0, 0, part);
    if constexpr (A > 1) step_sums.load(steps, 0, 0, part);
    for (std::size_t at = part; at < block; at += lanes) {
      Vector values[A];
      load_factors(elements.rows + at, values);
      sums.template add<Element>(values, values);
      if constexpr (A > 1) {
        Vector step[A - 1];
        HWY_UNROLL(8)
        for (std::size_t r = 0; r + 1 < A; ++r) step[r] = hn::Sub(values[r + 1], values[r]);
        step_sums.template add<double>(step, step);
      }
      count.template some<even((4 + 4 * A) * doubles_width / lanes)>();
    }
    sums.store(elements, 0, 0, part);
    if constexpr (A > 1) step_sums.store(steps, 0, 0, part);
  }
  counting = count;
}

template <std::size_t A, class Element>
HWY_INLINE void multiply_if_few(const Factors<Element>& elements, const Factors<double>& steps,
                                Counting& counting) {
  if constexpr (A > 0) {
    if (elements.count == A) return multiply_few<A>(elements, steps, counting);
    multiply_if_few<A - 1>(elements, steps, counting);
  }
}

template <class Element>
void add_products(const Element* rows, std::size_t count, const BlockSums& sums, BlockRoom& room,
                  Counting& counting) {
  const Factors<Element> elements{rows, count, sums.products};
  const Factors<double> steps{room.steps.data(), count - 1, sums.step_products};
  if (count <= tile_rows) return multiply_if_few<tile_rows>(elements, steps, counting);
  multiply(elements, counting);
  for (std::size_t first = 0; first < block; first += step_tile) {
    form_steps(rows + first, steps.count, room.steps.data(), counting);
    multiply(steps, counting);
  }
}

template <class Element>
void add_sketches(const Element* rows, std::span<const BlockRow> sources, const SketchSigns& signs,
                  float* windows) {
  const SketchPlace place(signs);
  for (std::size_t c = 0; c < sources.size(); ++c)
    add_sketch(rows + c * block, place, windows + c * window_size, sources[c]);
}

/// Makes the codes of all steps, and a list of all that is to be counted.
Counting begin_counting(const WeightBlock& elements, const BlockSums& sums, BlockRoom& room) {
  const std::size_t count = elements.rows.size();
  const auto patterns = [&](std::size_t c) { return elements.patterns + c * block; };
  const auto codes = [&](std::size_t c) { return room.codes.data() + c * block / 2; };
  const auto is_counted = [&](std::size_t c) {
    return sums.histograms != nullptr && elements.rows[c].is_bfloat16;
  };
  const auto has_steps = [&](std::size_t c) { return is_counted(c) && is_counted(c + 1); };
  room.runs.clear();
  for (std::size_t c = 0; c < count; ++c) {
    if (is_counted(c)) room.runs.push_back({patterns(c), block, sums.histograms + c * bfloat16_patterns});
  }
  for (std::size_t c = 0; c + 1 < count; ++c) {
    if (has_steps(c)) room.runs.push_back({codes(c), block / 2, sums.steps + c * step_pairs});
  }
  room.runs.push_back({});
  Counting counting(room.runs.data());
  // No more increments than there are patterns come with these codes: they are there when their turn comes.
  for (std::size_t c = 0; c + 1 < count; ++c) {
    if (has_steps(c)) make_codes(patterns(c), patterns(c + 1), codes(c), counting);
  }
  return counting;
}

void AddBlock(const WeightBlock& elements, const SketchSigns& signs, const BlockSums& sums, BlockRoom& room) {
  Counting counting = begin_counting(elements, sums, room);
  const auto add = [&](const auto* rows) {
    if (sums.windows != nullptr) add_sketches(rows, elements.rows, signs, sums.windows);
    add_products(rows, elements.rows.size(), sums, room, counting);
  };
  if (elements.floats != nullptr) {
    add(elements.floats);
  } else {
    add(elements.patterns);
  }
  Counting rest = counting;
  rest.all();
}

void FoldWindow(float* window, double* sums) {
  const hn::Rebind<float, Doubles> halves;
  for (std::size_t j = 0; j < sketch_size; j += doubles_width) {
    float* const beyond = window + j + sketch_size;
    const auto both = hn::Add(hn::PromoteTo(Doubles(), hn::Load(halves, window + j)),
                              hn::PromoteTo(Doubles(), hn::Load(halves, beyond)));
    hn::StoreU(hn::Add(hn::LoadU(Doubles(), sums + j), both), Doubles(), sums + j);
    hn::Store(hn::Zero(halves), halves, window + j);
    hn::Store(hn::Zero(halves), halves, beyond);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace moescope
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace moescope {

HWY_EXPORT(AddBlock);
HWY_EXPORT(FoldWindow);

BlockRoom::BlockRoom(std::size_t checkpoints)
    : codes((checkpoints - 1) * block / 2), steps((checkpoints - 1) * step_tile) {}

void add_block(const WeightBlock& elements, const SketchSigns& signs, const BlockSums& sums,
               BlockRoom& room) {
  HWY_DYNAMIC_DISPATCH(AddBlock)(elements, signs, sums, room);
}

void fold_window(float* window, std::span<double> sums) {
  HWY_DYNAMIC_DISPATCH(FoldWindow)(window, sums.data());
}

void add_step_pairs(std::span<const std::uint32_t> pairs, Bfloat16Steps& steps) {
  constexpr std::size_t codes = 2 * downwards;
  std::int64_t totals[codes] = {};
  for (std::size_t first = 0; first < codes; ++first) {
    for (std::size_t second = 0; second < codes; ++second) {
      const std::int64_t count = pairs[second * codes + first];
      totals[first] += count;
      totals[second] += count;
    }
  }
  steps.nonfinite_count += totals[downwards];
  totals[downwards] = 0;
  for (std::size_t distance = 0; distance <= step_bins_of_a_sign; ++distance) {
    steps.counts[step_bins_of_a_sign + distance] += totals[distance];
    steps.counts[step_bins_of_a_sign - distance] += totals[downwards + distance];
  }
}

}  // namespace moescope
#endif  // HWY_ONCE
