#pragma once
/// Words for numbers of which some look the same or are missing.

#include <string>
#include <string_view>
#include <vector>

#include "plots/findings/course.h"

namespace moescope {

/// Those of `labels`.
std::vector<std::string> selected(const std::vector<std::string>& labels,
                                  const std::vector<std::size_t>& which);

/// Indices of the values that are missing, and how many are not.
std::vector<std::size_t> not_finite(const std::vector<double>& values);
std::size_t known_count(const std::vector<double>& values);

/// The least or largest of some values: all that look the same, to three digits, stand for it.
struct Extreme {
  std::vector<std::size_t> which;
  std::string text;  // of the value; empty where there is none
};
enum class End { least, most };
Extreme extreme(const std::vector<double>& values, End end);

/// "layer 3", "layers 1 and 3".
std::string layers_text(const ReportFacts& facts, const std::vector<std::size_t>& which);

/// "MaxVio, averaged over layers and with all domains together, " or "MaxVio of layer 3 ": how a single
/// number came about. What is said of `domains` matters where there are several.
std::string over_layers(const ReportFacts& facts, const std::string& name, const std::string& domains = "");
/// "mean over layers", or "of layer 3".
std::string over_layers_meaning(const ReportFacts& facts);

/// " At tiny-3T the mean is over 4 of 5 layers.", where it is.
std::string fewer_layers(const CheckpointFacts& checkpoint, const LayerFacts& layers);
/// The same of the two checkpoints that a course of a summary tells of.
std::string fewer_layers(const Course& course, const char* metric);

/// Whether every token takes every expert, so that nothing is chosen.
bool takes_all(const ReportFacts& facts);

}  // namespace moescope
