#pragma once
/// What a weight is for, and the groups by which weight metrics are aggregated.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace moescope {

/// One row a role: its name and its group. They stand in the order in which a forward pass takes a model's
/// weights, which is their canonical order everywhere. H hidden_size, V vocab_size, E routed experts, M
/// moe_intermediate_size, I intermediate_size, S shared experts.
#define MOESCOPE_ROLES(ROLE)                                                                                 \
  ROLE(embedding, embedding)  /* [V, H] */                                                                   \
  ROLE(input_norm, norm)      /* [H], before attention */                                                    \
  ROLE(query_down, attention) /* [query rank, H]: to the latent vector of queries */                         \
  ROLE(query_down_bias, attention)                                                                           \
  ROLE(query_down_norm, norm)     /* [query rank] */                                                         \
  ROLE(key_value_down, attention) /* [key-value rank + shared features, H]: to that of keys and values */    \
  ROLE(key_value_down_bias, attention)                                                                       \
  ROLE(query_key_value, attention) /* [(heads + 2 * kv heads) * head_dim, H]: for each key its queries, the  \
                                      key, the value */                                                      \
  ROLE(query_and_gate, attention)  /* [2 * heads * head_dim, H]: for each head its query, and a gate of what \
                                      it gives */                                                            \
  ROLE(query, attention)           /* [heads * head_dim, H], or of the latent vector */                      \
  ROLE(key, attention)             /* [kv heads * head_dim, H] */                                            \
  ROLE(value, attention)           /* [kv heads * head_dim, H] */                                            \
  ROLE(query_bias, attention)                                                                                \
  ROLE(key_bias, attention)                                                                                  \
  ROLE(value_bias, attention)                                                                                \
  ROLE(query_norm, norm) /* [head_dim], or of all heads */                                                   \
  ROLE(key_norm, norm)                                                                                       \
  ROLE(attention_sinks, attention)       /* [heads]: a score that takes a share, and has no value */         \
  ROLE(key_value_down_norm, norm)        /* [key-value rank] */                                              \
  ROLE(key_value_up, attention)          /* [heads * (own features + value head_dim), key-value rank] */     \
  ROLE(attention_gate, attention)        /* [heads * head_dim, H]: the share of each feature that goes on */ \
  ROLE(attention_output, attention)      /* [H, heads * value head_dim] */                                   \
  ROLE(attention_output_bias, attention) /* [H] */                                                           \
  /* Linear attention: h key heads of d features, H' value heads of D, C = 2 * h * d + H' * D channels */    \
  ROLE(linear_query_key_value_gate, attention)       /* [C + H' * D, H], for each key head its rows */       \
  ROLE(linear_query_key_value, attention)            /* [C, H]: all queries, all keys, all values */         \
  ROLE(linear_output_gate, attention)                /* [H' * D, H] */                                       \
  ROLE(linear_beta_decay, attention)                 /* [2 * H', H], for each key head its rows */           \
  ROLE(linear_beta, attention)                       /* [H', H]: the share of a value that is written */     \
  ROLE(linear_decay, attention)                      /* [H', H] */                                           \
  ROLE(linear_convolution, attention)                /* [C, taps] */                                         \
  ROLE(linear_decay_bias, attention)                 /* [H'] */                                              \
  ROLE(linear_decay_rate, attention)                 /* [H'], its logarithm */                               \
  ROLE(linear_head_norm, norm)                       /* [D] */                                               \
  ROLE(linear_output, attention)                     /* [H, H' * D] */                                       \
  ROLE(attention_output_norm, norm)                  /* [H], of what attention adds */                       \
  ROLE(post_attention_norm, norm)                    /* [H], before the MLP */                               \
  ROLE(dense_gate_bias, dense_mlp)                   /* [I] */                                               \
  ROLE(dense_up_bias, dense_mlp)                     /* [I] */                                               \
  ROLE(dense_down_bias, dense_mlp)                   /* [H] */                                               \
  ROLE(dense_gate, dense_mlp)                        /* [I, H] */                                            \
  ROLE(dense_up, dense_mlp)                          /* [I, H] */                                            \
  ROLE(dense_down, dense_mlp)                        /* [H, I] */                                            \
  ROLE(router, router)                               /* [E, H] */                                            \
  ROLE(router_bias, router)                          /* [E] */                                               \
  ROLE(score_correction_bias, score_correction_bias) /* [E] */                                               \
  ROLE(expert_gate_up_bias, routed_expert)           /* [2 * M] */                                           \
  ROLE(expert_down_bias, routed_expert)              /* [H] */                                               \
  ROLE(expert_gate_up, routed_expert)                /* [2 * M, H]: a row of gate, a row of up, and so on */ \
  ROLE(expert_gate, routed_expert)                   /* [M, H], one per routed expert */                     \
  ROLE(expert_up, routed_expert)                     /* [M, H] */                                            \
  ROLE(expert_down, routed_expert)                   /* [H, M] */                                            \
  ROLE(shared_expert_gate, shared_expert)            /* [1, H]: the share of them that a token takes */      \
  ROLE(shared_gate, shared_expert)                   /* [S * M, H] */                                        \
  ROLE(shared_up, shared_expert)                     /* [S * M, H] */                                        \
  ROLE(shared_down, shared_expert)                   /* [H, S * M] */                                        \
  ROLE(mlp_output_norm, norm)                        /* [H], of what the MLP adds */                         \
  ROLE(final_norm, norm)                             /* [H] */                                               \
  ROLE(head, head)                                   /* [V, H]; absent when tied to the embedding */

/// The correction bias is a group of its own: no part of a matrix, in the unit of scores, and trained without
/// a gradient.
#define MOESCOPE_ROLE_GROUPS(GROUP) \
  GROUP(embedding)                  \
  GROUP(attention)                  \
  GROUP(norm)                       \
  GROUP(dense_mlp)                  \
  GROUP(router)                     \
  GROUP(score_correction_bias)      \
  GROUP(routed_expert)              \
  GROUP(shared_expert)              \
  GROUP(head)

#define MOESCOPE_ROLE(name, group) name,
enum class Role : std::uint8_t { MOESCOPE_ROLES(MOESCOPE_ROLE) };
#undef MOESCOPE_ROLE

#define MOESCOPE_GROUP(name) name,
enum class RoleGroup : std::uint8_t { MOESCOPE_ROLE_GROUPS(MOESCOPE_GROUP) };
#undef MOESCOPE_GROUP

#define MOESCOPE_ROLE(name, group) Role::name,
inline constexpr Role all_roles[] = {MOESCOPE_ROLES(MOESCOPE_ROLE)};
#undef MOESCOPE_ROLE

#define MOESCOPE_GROUP(name) RoleGroup::name,
inline constexpr RoleGroup all_role_groups[] = {MOESCOPE_ROLE_GROUPS(MOESCOPE_GROUP)};
#undef MOESCOPE_GROUP

std::string_view role_name(Role role);  // "attention_output"
RoleGroup role_group(Role role);
std::string_view role_group_name(RoleGroup group);  // "routed_expert"
/// Its place in all_role_groups.
std::size_t role_group_index(Role role);

}  // namespace moescope
