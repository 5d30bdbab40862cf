#pragma once
/// What happens to a text before byte-pair encoding.

#include <string>
#include <vector>

namespace moescope {

/// Where a space is put in front of a section that begins with none. Sections are what added tokens leave.
enum class PrefixSpace { nowhere, at_text_start, everywhere };

/// Where the pre-tokens of a character-level vocabulary begin: at every space, or at those that follow
/// another character.
enum class SpaceSplit { nowhere, words, every_space };

struct TextSteps {
  bool is_byte_level = true;  // else a vocabulary over characters, in which ▁ stands for the space

  // Normalization. At most one of the first two.
  bool composes = false;        // to form C
  bool marks_spaces = false;    // as ▁
  bool prepends_space = false;  // to every section; goes with marks_spaces

  // Pre-tokenization.
  PrefixSpace prefix_space = PrefixSpace::nowhere;
  std::vector<std::string> split_regexes;  // known patterns; each splits what the one before left
  SpaceSplit space_split = SpaceSplit::nowhere;
};

}  // namespace moescope
