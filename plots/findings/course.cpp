#include "plots/findings/course.h"

#include <cmath>

#include "plots/figure/figure_text.h"
#include "plots/findings/wording.h"
#include "readers/text/name_list.h"

namespace moescope {

Course::Course(const ReportFacts& all, const std::function<double(const CheckpointFacts&)>& number)
    : facts(all) {
  for (const CheckpointFacts& checkpoint : facts.checkpoints) {
    values.push_back(number(checkpoint));
    if (!std::isfinite(values.back())) continue;
    last = values.size() - 1;
    if (first == none) first = last;
  }
}

Course::Course(const ReportFacts& all, const char* metric)
    : Course(all, [metric](const CheckpointFacts& c) { return c.of(metric).mean; }) {}

std::string Course::text(const std::string& unit) const {
  const std::string before = format_number(values[first], 3), after = format_number(values[last], 3) + unit;
  const std::string at_first = is_whole() ? "" : " at " + name(first),
                    at_last = is_whole() ? "" : " at " + name(last);
  if (!is_change()) return "is " + after + at_last;
  if (before + unit == after) {
    return "is " + after + " both at " + (is_whole() ? "the first" : name(first)) + " and at " +
           (is_whole() ? "the last checkpoint" : name(last));
  }
  return (values[last] < values[first] ? "fell from " : "rose from ") + before + at_first + " to " + after +
         at_last;
}

std::string Course::gaps(const std::string& verb) const {
  std::vector<std::string> without, unmeasured;
  for (const std::size_t c : not_finite(values))
    (facts.checkpoints[c].measured ? without : unmeasured).push_back(name(c));
  return (without.empty() ? "" : " It " + verb + " at " + names_in_words(without) + ".") +
         (unmeasured.empty() ? "" : " It is not measured at " + names_in_words(unmeasured) + ".");
}

std::optional<Headline> Course::headline(const std::string& title, const std::string& meaning) const {
  if (!known()) return std::nullopt;
  Headline headline = {title, format_number(values[last], 3), {}, meaning, values};
  if (is_change()) {
    headline.change = "from " + format_number(values[first], 3);
    if (first > 0) headline.change += " at " + name(first);
  }
  if (last + 1 < values.size()) headline.meaning += "; at " + name(last);
  return headline;
}

}  // namespace moescope
