#pragma once
/// Words that many entries share.

#include <string>
#include <vector>

namespace moescope::words {

using Axes = std::vector<std::string>;

inline const Axes by_domain = {"checkpoint", "domain"};
inline const Axes by_domain_layer = {"checkpoint", "domain", "moe_layer"};

inline const Axes pair_by_role = {"checkpoint", "other_checkpoint", "role"};

/// A move, relative.
inline const std::string from_s_to_t = "norm(W_t - W_s) / norm(W_s), s = checkpoint, t = other_checkpoint";

inline const std::string olmoe = "OLMoE, arXiv 2409.02060";
inline const std::string loss_free = "Wang et al., arXiv 2408.15664";
inline const std::string deepseek = "DeepSeek-V3, arXiv 2412.19437";
inline const std::string own = "moescope";

/// Why a value of a metric of routing is NaN.
inline constexpr const char* missing_forward =
    "NaN where the checkpoint's forward pass is not finished, or no token of the domain chose experts: there "
    "are none, or their router scores are not finite (/routing/nonfinite_count).";

}  // namespace moescope::words
