#include "readers/checkpoint/series_order.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <numeric>
#include <optional>
#include <string_view>
#include <tuple>

#include "readers/text/name_list.h"
#include "readers/text/quoted_text.h"

namespace moescope {
namespace {

using Kind = CheckpointName::Kind;
using Quantity = double NamedProgress::*;
using Level = double CheckpointName::*;

constexpr double behind_all = std::numeric_limits<double>::infinity();
constexpr Quantity quantities[] = {&NamedProgress::tokens, &NamedProgress::step};
constexpr Level levels[] = {&CheckpointName::stage, &CheckpointName::ingredient, &CheckpointName::epoch};

// A run of digits from `begin`, leading zeros skipped.
std::string_view digits_at(std::string_view text, std::size_t begin) {
  std::size_t end = begin;
  while (end < text.size() && is_digit(text[end])) ++end;
  while (begin + 1 < end && text[begin] == '0') ++begin;
  return text.substr(begin, end - begin);
}

// Numbers inside names count as numbers: "iter9" before "iter10".
bool natural_less(std::string_view a, std::string_view b) {
  std::size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    if (is_digit(a[i]) && is_digit(b[j])) {
      const std::string_view x = digits_at(a, i), y = digits_at(b, j);
      if (x != y) return std::pair(x.size(), x) < std::pair(y.size(), y);
      i = static_cast<std::size_t>(x.data() - a.data()) + x.size();
      j = static_cast<std::size_t>(y.data() - b.data()) + y.size();
    } else if (a[i] != b[j]) {
      return a[i] < b[j];
    } else {
      ++i, ++j;
    }
  }
  return std::tuple(a.size() - i, a) < std::tuple(b.size() - j, b);
}

/// What is told of one name's place among the others. Orders by the members from the first to the last.
struct Place {
  enum class Tier { placed, open, end };
  Tier tier = Tier::placed;
  double level[3] = {0, 0, 0};  // stage, ingredient, epoch
  double progress = 0;
  int end_rank = 0;

  auto key() const { return std::tuple(tier, level[0], level[1], level[2], progress, end_rank); }
  auto group() const { return std::tuple(level[0], level[1], level[2]); }
};

/// The names of one series while they are put in order.
class NameOrder {
 public:
  explicit NameOrder(const std::vector<std::string>& names) : names_(names), places_(names.size()) {
    for (const std::string& name : names) spelled_.push_back(read_checkpoint_name(name));
    find_abbreviated_hashes();
    find_common_kind();
  }

  SeriesOrder find() {
    settle_progress();
    for (std::size_t i = 0; i < names_.size(); ++i) place_alone(i);
    for (std::size_t level = 0; level < std::size(levels); ++level) place_in_level(level);
    place_by_progress();
    sort();
    tell_doubts();
    forget_restarted_counts();
    return std::move(result_);
  }

 private:
  using Indices = std::vector<std::size_t>;

  void find_abbreviated_hashes();
  void find_common_kind();

  void settle_progress();
  std::vector<double> shared_amounts() const;
  void settle_tokens(const std::vector<double>& shared);
  void drop_constant(Quantity quantity);

  bool has_progress(std::size_t i) const {
    const NamedProgress& told = result_.progress[i];
    return !std::isnan(told.tokens) || !std::isnan(told.step);
  }
  bool has_level(std::size_t i) const {
    return std::any_of(std::begin(levels), std::end(levels),
                       [&](Level level) { return !std::isnan(spelled_[i].*level); });
  }
  // "stage1-final": the end of its stage.
  bool ends_a_stage(std::size_t i) const {
    return spelled_[i].kind == Kind::end && !has_progress(i) && has_level(i);
  }
  void place_alone(std::size_t i);
  void place_in_level(std::size_t level);
  void place_by_progress();
  void place_group(const Indices& group);
  Indices with_tier(Place::Tier tier) const;
  void sort();

  void tell_doubts();
  void tell_open();
  void tell_ties();
  std::vector<std::string> names_of(const Indices& indices) const;
  void doubt_order(std::string sentence);
  void forget_restarted_counts();

  const std::vector<std::string>& names_;
  std::vector<CheckpointName> spelled_;  // (C)
  std::vector<Place> places_;            // (C)
  SeriesOrder result_;
};

// "1234567" is a hash beside "77c0ffe".
void NameOrder::find_abbreviated_hashes() {
  const auto hashes_of = [&](std::size_t digits) {
    for (std::size_t i = 0; i < names_.size(); ++i)
      if (spelled_[i].kind == Kind::hash && names_[i].size() == digits) return true;
    return false;
  };
  for (std::size_t i = 0; i < names_.size(); ++i) {
    if (!is_hexadecimal_name(names_[i]) || !hashes_of(names_[i].size())) continue;
    spelled_[i] = {};
    spelled_[i].kind = Kind::hash;
  }
}

// A series of averages is one like any other.
void NameOrder::find_common_kind() {
  for (const Kind kind : {Kind::average, Kind::best}) {
    const bool all = std::all_of(spelled_.begin(), spelled_.end(),
                                 [&](const CheckpointName& name) { return name.kind == kind; });
    for (CheckpointName& name : spelled_)
      if (all) name.kind = Kind::plain;
  }
}

void NameOrder::settle_progress() {
  for (const CheckpointName& name : spelled_) result_.progress.push_back(name.labelled);
  for (const Quantity quantity : quantities) drop_constant(quantity);
  const auto telling = std::count_if(spelled_.begin(), spelled_.end(),
                                     [](const CheckpointName& name) { return !name.amounts.empty(); });
  if (telling > 1) return settle_tokens(shared_amounts());
  for (std::size_t i = 0; i < names_.size(); ++i) {
    double& tokens = result_.progress[i].tokens;
    if (std::isnan(tokens) && std::isnan(spelled_[i].labelled.tokens))
      tokens = progress_of(spelled_[i]).tokens;
  }
}

void NameOrder::drop_constant(Quantity quantity) {
  std::vector<double> told;
  for (const NamedProgress& progress : result_.progress)
    if (!std::isnan(progress.*quantity)) told.push_back(progress.*quantity);
  const bool differ = std::adjacent_find(told.begin(), told.end(), std::not_equal_to<>()) != told.end();
  if (told.size() < 2 || differ) return;
  for (NamedProgress& progress : result_.progress) progress.*quantity = not_named;
}

// In ascending order, each as often as every name with amounts has it.
std::vector<double> NameOrder::shared_amounts() const {
  std::optional<std::vector<double>> shared;
  for (const CheckpointName& name : spelled_) {
    std::vector<double> numbers, both;
    for (const NamedAmount& amount : name.amounts) numbers.push_back(amount.number);
    if (numbers.empty()) continue;
    std::sort(numbers.begin(), numbers.end());
    if (shared) {
      std::set_intersection(shared->begin(), shared->end(), numbers.begin(), numbers.end(),
                            std::back_inserter(both));
    }
    shared = shared ? std::move(both) : std::move(numbers);
  }
  return shared.value_or(std::vector<double>());
}

// Where more than one amount remains, only trillions are surely no size.
void NameOrder::settle_tokens(const std::vector<double>& shared) {
  std::vector<std::vector<NamedAmount>> rest;
  for (const CheckpointName& name : spelled_) {
    rest.push_back(name.amounts);
    for (const double number : shared) {
      const auto found = std::find_if(rest.back().begin(), rest.back().end(),
                                      [&](const NamedAmount& amount) { return amount.number == number; });
      if (found != rest.back().end()) rest.back().erase(found);
    }
  }
  const bool one_each = std::all_of(spelled_.begin(), spelled_.end(), [&](const CheckpointName& name) {
    return name.amounts.empty() || rest[static_cast<std::size_t>(&name - spelled_.data())].size() == 1;
  });
  for (std::size_t i = 0; i < names_.size(); ++i) {
    if (!std::isnan(spelled_[i].labelled.tokens)) continue;
    for (const NamedAmount& amount : rest[i])
      if (one_each || amount.trillions) result_.progress[i].tokens = amount.number;
  }
}

void NameOrder::place_alone(std::size_t i) {
  const CheckpointName& name = spelled_[i];
  const bool numbered = has_progress(i) || has_level(i);
  if (name.kind == Kind::end && !numbered) {
    places_[i].tier = Place::Tier::end;
    places_[i].end_rank = name.end_rank;
  } else if (name.kind == Kind::average || !numbered) {
    places_[i].tier = Place::Tier::open;
  }
}

// In the stage before: what tells no ingredient beside those that do has no place among them.
void NameOrder::place_in_level(std::size_t level) {
  const auto told = [&](std::size_t i) { return spelled_[i].*levels[level]; };
  const Indices placed = with_tier(Place::Tier::placed);
  for (const std::size_t i : placed) {
    double least = behind_all;  // that others in the same place so far tell
    for (const std::size_t j : placed) {
      if (std::equal(places_[i].level, places_[i].level + level, places_[j].level) && !std::isnan(told(j)))
        least = std::min(least, told(j));
    }
    if (!std::isnan(told(i))) {
      places_[i].level[level] = told(i);
    } else if (ends_a_stage(i)) {
      places_[i].level[level] = behind_all;
    } else if (level == 0 && least >= 2 && least < behind_all) {
      places_[i].level[level] = 1;  // a first stage that is not called so
    } else if (least < behind_all) {
      places_[i].tier = Place::Tier::open;
    }
  }
}

void NameOrder::place_by_progress() {
  Indices placed = with_tier(Place::Tier::placed);
  std::sort(placed.begin(), placed.end(),
            [&](std::size_t a, std::size_t b) { return places_[a].group() < places_[b].group(); });
  for (std::size_t begin = 0, end = 0; begin < placed.size(); begin = end) {
    while (end < placed.size() && places_[placed[end]].group() == places_[placed[begin]].group()) ++end;
    place_group({placed.begin() + static_cast<std::ptrdiff_t>(begin),
                 placed.begin() + static_cast<std::ptrdiff_t>(end)});
  }
}

// By the quantity that most of them tell; of two, by tokens.
void NameOrder::place_group(const Indices& group) {
  const auto telling = [&](Quantity quantity) {
    return std::count_if(group.begin(), group.end(),
                         [&](std::size_t i) { return !std::isnan(result_.progress[i].*quantity); });
  };
  const Quantity best = telling(&NamedProgress::tokens) >= telling(&NamedProgress::step)
                            ? &NamedProgress::tokens
                            : &NamedProgress::step;
  for (const std::size_t i : group) {
    const double told = result_.progress[i].*best;
    if (ends_a_stage(i)) {
      places_[i].progress = behind_all;
    } else if (!std::isnan(told)) {
      places_[i].progress = told;
    } else if (telling(best) > 0) {
      places_[i].tier = Place::Tier::open;
    }
  }
}

NameOrder::Indices NameOrder::with_tier(Place::Tier tier) const {
  Indices indices;
  for (std::size_t i = 0; i < places_.size(); ++i)
    if (places_[i].tier == tier) indices.push_back(i);
  return indices;
}

void NameOrder::sort() {
  for (Place& place : places_) {
    if (place.tier == Place::Tier::open) place = {Place::Tier::open};
  }
  result_.order.resize(names_.size());
  std::iota(result_.order.begin(), result_.order.end(), std::size_t{0});
  std::stable_sort(result_.order.begin(), result_.order.end(), [&](std::size_t a, std::size_t b) {
    if (places_[a].key() != places_[b].key()) return places_[a].key() < places_[b].key();
    return natural_less(names_[a], names_[b]);
  });
}

std::vector<std::string> NameOrder::names_of(const Indices& indices) const {
  std::vector<std::string> names;
  for (const std::size_t i : indices) names.push_back(names_[i]);
  return names;
}

void NameOrder::doubt_order(std::string sentence) {
  result_.decided = false;
  result_.order_doubts.push_back(std::move(sentence));
}

void NameOrder::tell_doubts() {
  tell_open();
  tell_ties();
  const Indices ends = with_tier(Place::Tier::end);
  if (ends.size() > 1) {
    Indices sorted(result_.order.end() - static_cast<std::ptrdiff_t>(ends.size()), result_.order.end());
    doubt_order(quoted_names(names_of(sorted)) + " each call themselves the last");
  }
}

void NameOrder::tell_open() {
  Indices open;
  for (const std::size_t i : result_.order)
    if (places_[i].tier == Place::Tier::open) open.push_back(i);
  const bool others = !with_tier(Place::Tier::placed).empty();
  if (open.empty() || (open.size() == 1 && !others)) return;
  const std::string names = quoted_names(names_of(open));
  if (!others) return doubt_order("nothing in the names tells the order of " + names);
  doubt_order(open.size() == 1
                  ? names + " has no place that its name tells, and stands behind those that have one"
                  : names + " have no place that their names tell, and stand behind those that have one");
}

void NameOrder::tell_ties() {
  for (std::size_t begin = 0, end = 0; begin < result_.order.size(); begin = end) {
    const auto place = [&](std::size_t rank) { return places_[result_.order[rank]]; };
    while (end < result_.order.size() && place(end).key() == place(begin).key()) ++end;
    if (place(begin).tier != Place::Tier::placed || end - begin < 2) continue;
    Indices tied(result_.order.begin() + static_cast<std::ptrdiff_t>(begin),
                 result_.order.begin() + static_cast<std::ptrdiff_t>(end));
    doubt_order(quoted_names(names_of(tied)) + " are told to be in one place");
  }
}

// Stage by stage: a count that is not above what it was in the stages before does not go on.
void NameOrder::forget_restarted_counts() {
  NamedProgress most{-1, -1}, of_group = most;  // of the stages before; of this one too
  bool restarted = false;
  std::size_t begin = 0, stages = 0;
  std::vector<std::string> forgotten;
  const auto placed = static_cast<std::size_t>(with_tier(Place::Tier::placed).size());
  const auto group_of = [&](std::size_t rank) { return places_[result_.order[rank]].group(); };
  for (std::size_t end = 0; begin < placed; begin = end) {
    while (end < placed && group_of(end) == group_of(begin)) ++end;
    for (std::size_t rank = begin; rank < end; ++rank) {
      const NamedProgress& told = result_.progress[result_.order[rank]];
      for (const Quantity quantity : quantities) {
        restarted = restarted || told.*quantity <= most.*quantity;
        of_group.*quantity = std::fmax(of_group.*quantity, told.*quantity);
      }
    }
    stages += of_group.tokens > most.tokens || of_group.step > most.step ? 1 : 0;
    most = of_group;
    for (std::size_t rank = begin; restarted && rank < end; ++rank) {
      const std::size_t i = result_.order[rank];
      if (has_progress(i)) forgotten.push_back(names_[i]);
      result_.progress[i] = {};
    }
  }
  const bool staged = std::any_of(spelled_.begin(), spelled_.end(),
                                  [](const CheckpointName& name) { return !std::isnan(name.stage); });
  if (forgotten.empty() && staged && stages > 1)
    result_.progress_doubts.push_back(
        "tokens and steps are taken to go on from stage to stage, as they rise throughout");
  if (forgotten.empty()) return;
  result_.progress_doubts.push_back("tokens and steps are counted anew from " +
                                    single_quoted(forgotten.front()) + " on, so that they are unknown for " +
                                    quoted_names(forgotten));
}

}  // namespace

SeriesOrder order_by_names(const std::vector<std::string>& names) {
  return NameOrder(names).find();
}

int name_vagueness(const std::string& name) {
  const CheckpointName spelled = read_checkpoint_name(name);
  const NamedProgress alone = progress_of(spelled);
  const double told[] = {alone.tokens, alone.step, spelled.stage, spelled.epoch};
  const bool numbered =
      std::any_of(std::begin(told), std::end(told), [](double x) { return !std::isnan(x); });
  if (spelled.kind == Kind::average || spelled.kind == Kind::hash) return 3;
  if (numbered || !spelled.amounts.empty()) return 0;
  return spelled.kind == Kind::end ? 1 : 2;
}

}  // namespace moescope
