#include "python/metric_bindings.h"

#include <pybind11/stl.h>

#include <algorithm>

#include "metrics/catalogue/catalogue.h"
#include "metrics/entry/metric_names.h"
#include "metrics/loss/language_loss.h"
#include "metrics/routing/expert_load.h"
#include "metrics/routing/router_distribution.h"
#include "metrics/routing/router_saturation.h"
#include "metrics/spectra/power_law.h"
#include "metrics/spectra/row_cosine.h"
#include "metrics/spectra/singular_values.h"
#include "metrics/spectra/weight_spectrum.h"
#include "metrics/weights/expert_matching.h"
#include "python/array_metric.h"

namespace moescope {
namespace {

using py::arg;

/// What the catalogue says of a metric, under `signature`, which tells the shapes.
std::string documentation(const Metric& metric, const std::string& signature) {
  return signature + "\n\n" + metric.long_name + ": " + metric.formula + "\n" + metric.description + " (" +
         metric.source + ")";
}

/// Every metric of one layer's counts, under its name, and NAME_chance where there is one.
void bind_load(py::module_& module) {
  for (const Metric* metric : metrics_of<OfCounts>()) {
    if (!has_axis(*metric, "domain")) continue;  // the same of other counts
    const auto value = std::get<OfCounts>(metric->computation).value;
    const std::string text = documentation(*metric, "counts (..., E): tokens by expert -> (...)");
    module.def(
        metric->name.c_str(), [value](const Integers& counts) { return over_last_axis(counts, value); },
        arg("counts"), text.c_str());
    if (!metric->chance.exists()) continue;
    const std::string chance_text =
        metric->name + " on average, of tokens that each choose top_k experts at random";
    module.def((metric->name + "_chance").c_str(),
               [chance = metric->chance](std::int64_t experts, std::int64_t top_k, std::int64_t tokens) {
                 return chance.at({.experts = experts, .top_k = top_k, .eligible = experts}, tokens);
               },
               arg("experts"), arg("top_k"), arg("tokens"), chance_text.c_str());
  }
}

/// `tokens` is one number or has the leading shape of `counts`.
py::array_t<double> expert_load_of(const Integers& counts, const Integers& tokens) {
  const Shape leading = leading_shape(counts, 1);
  const bool same = Shape(tokens.shape(), tokens.shape() + tokens.ndim()) == leading;
  require(same || tokens.size() == 1, "tokens: expected one number, or one for each row of counts");
  std::size_t row = 0;
  const std::span<const std::int64_t> numbers = values_of(tokens);
  return along_last_axis(counts, [&](std::span<const std::int64_t> in, std::span<double> out) {
    std::ranges::copy(expert_load(in, numbers[same ? row++ : 0]), out.begin());
  });
}

void bind_relative_load(py::module_& module) {
  module.def("expert_load", expert_load_of, arg("counts"), arg("tokens"),
             documentation(metric_named(metric::expert_load),
                           "counts (..., E), tokens (...) or one number -> (..., E)")
                 .c_str());
  module.def(
      "relative_load",
      [](const Integers& counts) {
        return along_last_axis(counts, [](std::span<const std::int64_t> in, std::span<double> out) {
          std::ranges::copy(relative_load(in), out.begin());
        });
      },
      arg("counts"),
      documentation(metric_named(metric::relative_load), "counts (..., E): tokens by expert -> (..., E)")
          .c_str());
}

void bind_chance(py::module_& module) {
  module.def("max_violation_bound", max_violation_bound, arg("experts"), arg("top_k"),
             "E/K - 1: every token takes the same K experts");
  module.def("routing_agreement_chance", routing_agreement_chance, arg("experts"), arg("top_k"),
             "routing_agreement of independent uniform choices: K/E");
  module.def("top1_agreement_chance", top1_agreement_chance, arg("experts"),
             "top1_agreement of independent uniform choices: 1/E");
  module.def("routing_jaccard_chance", routing_jaccard_chance, arg("experts"), arg("top_k"),
             "routing_jaccard of independent uniform choices");
}

/// The mass on the chosen experts, token by token: distribution (..., E), chosen (..., K).
py::object topk_mass_of(const Doubles& distribution, const Integers& chosen) {
  require(leading_shape(distribution, 1) == leading_shape(chosen, 1),
          "distribution and chosen: expected the same shape up to the last axis");
  const auto experts = static_cast<std::size_t>(distribution.shape(distribution.ndim() - 1));
  const auto top_k = static_cast<std::size_t>(chosen.shape(chosen.ndim() - 1));
  const std::vector<std::uint16_t> indices = expert_indices(chosen);
  for (const std::size_t index : indices)
    require(index < experts, "chosen: there is no expert " + std::to_string(index));
  std::size_t row = 0;
  return over_last_axis(distribution, [&](std::span<const double> probabilities) {
    return topk_mass(probabilities, std::span(indices).subspan(row++ * top_k, top_k));
  });
}

void bind_router(py::module_& module) {
  module.def(
      "sigmoid_router_distribution",
      [](const Floats& scores) { return along_last_axis(scores, sigmoid_router_distribution); },
      arg("scores"),
      "scores s = sigmoid(z) (..., E) -> pi = s / sum(s) (..., E); NaN where all scores are 0");
  module.def(
      "softmax_router_distribution",
      [](const Floats& logits) { return along_last_axis(logits, softmax_router_distribution); },
      arg("logits"), "logits z (..., E) of a softmax router -> pi = softmax(z) (..., E)");
  module.def(
      "router_entropy",
      [](const Doubles& distribution) { return over_last_axis(distribution, router_entropy); },
      arg("distribution"), "router distribution pi (..., E) -> -sum pi ln pi in nats (...)");
  module.def(
      "topk_mass", topk_mass_of, arg("distribution"), arg("chosen"),
      "router distribution pi (..., E), indices of the chosen experts (..., K) -> sum of pi over them (...)");
  module.def(
      "top1_share", [](const Floats& weights) { return over_last_axis(weights, top1_share); }, arg("weights"),
      "combine weights (..., K) -> largest of them over their sum (...)");
  module.def(
      "topk_weight_entropy",
      [](const Floats& weights) { return over_last_axis(weights, topk_weight_entropy); }, arg("weights"),
      "combine weights (..., K) -> their normalised entropy (...): 1 when all chosen count the same");
}

using Choices = std::span<const std::uint16_t>;

/// As /routing/topk_index holds up to 255 experts: 255 stands where nothing was chosen.
using Bytes = py::array_t<std::uint8_t, 0>;

Integers with_no_expert(const Bytes& bytes) {
  Integers indices = Integers::ensure(bytes);
  Integers result(Shape(indices.shape(), indices.shape() + indices.ndim()));
  std::transform(indices.data(), indices.data() + indices.size(), result.mutable_data(),
                 [](std::int64_t index) { return index == 255 ? no_expert : index; });
  return result;
}

/// Over the last two axes: a and b (..., T, K).
py::object agreement(const Integers& a, const Integers& b, double (*metric)(Choices, Choices, std::size_t)) {
  const Shape leading = leading_shape(a, 2);
  require(std::ranges::equal(std::span(a.shape(), static_cast<std::size_t>(a.ndim())),
                             std::span(b.shape(), static_cast<std::size_t>(b.ndim()))),
          "expected two arrays of the same shape");
  const auto top_k = static_cast<std::size_t>(a.shape(a.ndim() - 1));
  const std::size_t size = static_cast<std::size_t>(a.shape(a.ndim() - 2)) * top_k;
  const std::vector<std::uint16_t> first = expert_indices(a), second = expert_indices(b);
  py::array_t<double> result(leading);
  double* const out = result.mutable_data();
  {
    const py::gil_scoped_release release;
    for (std::size_t i = 0; i < elements(leading); ++i)
      out[i] = metric(Choices(first).subspan(i * size, size), Choices(second).subspan(i * size, size), top_k);
  }
  return finished(result);
}

void bind_saturation(py::module_& module) {
  const auto define = [&](const char* name, double (*metric)(Choices, Choices, std::size_t),
                          const char* text) {
    module.def(
        name,
        [metric](const Bytes& a, const Bytes& b) {
          return agreement(with_no_expert(a), with_no_expert(b), metric);
        },
        arg("a").noconvert(), arg("b").noconvert(), text);
    module.def(
        name, [metric](const Integers& a, const Integers& b) { return agreement(a, b, metric); }, arg("a"),
        arg("b"), text);
  };
  define(
      "routing_agreement", routing_agreement,
      "experts chosen by two checkpoints (..., T, K) -> mean over tokens of |A and B| / K (...)\n"
      "\n"
      "With the last checkpoint as b, the router saturation of OLMoE (arXiv 2409.02060, eq. 5). Tokens that "
      "chose nothing, 65535 (255 in arrays of uint8), are left out, here and below.");
  define("top1_agreement", top1_agreement,
         "experts chosen by two checkpoints (..., T, K), best first -> share of tokens with the same best "
         "(...)");
  define("routing_jaccard", routing_jaccard,
         "experts chosen by two checkpoints (..., T, K) -> mean over tokens of |A and B| / |A or B| (...)");
}

WeightMatrix matrix_of(const Floats& array) {
  require(array.ndim() == 2, "expected a matrix, found " + std::to_string(array.ndim()) + " dimensions");
  return {values_of(array), static_cast<std::size_t>(array.shape(0)),
          static_cast<std::size_t>(array.shape(1))};
}

py::array_t<double> singular_values_of(const Floats& array) {
  const WeightMatrix matrix = matrix_of(array);
  std::vector<double> values;
  {
    const py::gil_scoped_release release;
    values = singular_values(matrix);
  }
  return py::array_t<double>(static_cast<py::ssize_t>(values.size()), values.data());
}

py::array_t<double> row_cosines_of(const Floats& a, const Floats& b) {
  const WeightMatrix first = matrix_of(a), second = matrix_of(b);
  require(first.columns == second.columns, "expected two matrices with the same number of columns");
  std::vector<double> cosines;
  {
    const py::gil_scoped_release release;
    cosines = row_cosines(first, second);
  }
  return py::array_t<double>(Shape{a.shape(0), b.shape(0)}, cosines.data());
}

py::dict spectrum_dict(const Doubles& values) {
  const WeightSpectrum spectrum = weight_spectrum(values_of(values));
  const PowerLawFit fit = power_law_fit(values_of(values));
  py::dict dict;
  dict["spectral_norm"] = spectrum.spectral_norm;
  dict["stable_rank"] = spectrum.stable_rank;
  dict["effective_rank"] = spectrum.effective_rank;
  dict["participation_ratio"] = spectrum.participation_ratio;
  dict["power_law_alpha"] = fit.alpha;
  dict["power_law_ks_distance"] = fit.ks_distance;
  dict["power_law_x_min"] = fit.x_min;
  dict["power_law_tail_length"] = fit.tail_length;
  return dict;
}

py::dict matching_dict(const Doubles& similarity) {
  require(similarity.ndim() == 2 && similarity.shape(0) == similarity.shape(1), "expected a square matrix");
  const auto experts = static_cast<std::size_t>(similarity.shape(0));
  ExpertMatching matching;
  {
    const py::gil_scoped_release release;
    matching = find_permutation(values_of(similarity), experts);
  }
  py::dict dict;
  dict["match"] = matching.match;
  dict["moved"] = matching.moved;
  dict["matched_similarity"] = matching.matched_similarity;
  dict["in_place_similarity"] = matching.in_place_similarity;
  return dict;
}

void bind_matrices(py::module_& module) {
  module.def("singular_values", singular_values_of, arg("matrix"),
             "matrix (m, n) of float32 -> singular values (min(m, n)), descending");
  module.def("weight_spectrum", spectrum_dict, arg("singular_values"),
             "singular values -> dict: spectral norm, ranks, and the power law of the tail");
  module.def("row_cosines", row_cosines_of, arg("a"), arg("b"),
             "matrices (m, n) and (p, n) -> cosines of every row of a with every row of b (m, p)");
  module.def(
      "find_permutation", matching_dict, arg("similarity"),
      "similarity of experts (E, E) [earlier, later], as of row_cosines(earlier router, later router)\n"
      "-> dict: match (the later place of each earlier expert), moved (those that clearly moved), "
      "matched_similarity, in_place_similarity");
}

void bind_loss(py::module_& module) {
  module.def("perplexity", py::vectorize(perplexity), arg("mean_loss"), "exp(mean loss in nats)");
  module.def("bits_per_byte", py::vectorize(bits_per_byte), arg("total_nll"), arg("bytes"),
             "Nats of a text over its bytes, in bits: comparable between tokenizers");
}

}  // namespace

void bind_metrics(py::module_& module) {
  bind_load(module);
  bind_relative_load(module);
  bind_chance(module);
  bind_router(module);
  bind_saturation(module);
  bind_matrices(module);
  bind_loss(module);
}

}  // namespace moescope
