"""The forward passes of the other families in float64 numpy: of(directory) is the model of a checkpoint.

Each family is dots1 (reference_model.py) with a few methods replaced. Tensors are renamed and taken apart when they
are read, so that the methods know one name for the same thing: self_attn.q_proj, mlp.gate, mlp.experts.E.gate_proj,
mlp.gate.e_score_correction_bias and so on.
"""
import json
import pathlib

import numpy as np

from reference_model import ReferenceModel, rms_norm, sigmoid, silu, softmax, split_experts

MXFP4_VALUES = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6])
LATENT_EPS = 1e-6  # of the norms inside multi-head latent attention, whatever rms_norm_eps is


def renamed(tensors, *replacements):
    """replacements: (old, new) parts of names, applied in turn."""
    result = {}
    for name, values in tensors.items():
        for old, new in replacements:
            name = name.replace(old, new)
        result[name] = values
    return result


def yarn_frequencies(frequencies, scaling, theta):
    """Slow frequencies are divided by the factor, fast ones stay; between beta_fast and beta_slow turns over the
    original length lies a ramp."""
    count = len(frequencies)

    def index_of(turns):
        length = scaling["original_max_position_embeddings"]
        return 2 * count * np.log(length / (turns * 2 * np.pi)) / (2 * np.log(theta))

    low, high = index_of(scaling.get("beta_fast") or 32), index_of(scaling.get("beta_slow") or 1)
    if scaling.get("truncate", True):
        low, high = np.floor(low), np.ceil(high)
    low, high = max(low, 0), min(high, 2 * count - 1)
    ramp = np.clip((np.arange(count) - low) / (high - low if high > low else 0.001), 0, 1)
    return frequencies / scaling["factor"] * ramp + frequencies * (1 - ramp)


def llama3_frequencies(frequencies, scaling):
    """Those with few turns over the original length are divided by the factor, those with many stay."""
    turns = scaling["original_max_position_embeddings"] * frequencies / (2 * np.pi)
    low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
    kept = np.clip((turns - low) / (high - low), 0, 1)
    return kept * frequencies + (1 - kept) * frequencies / scaling["factor"]


def yarn_factor(factor, mscale=1.0):
    return 0.1 * mscale * np.log(factor) + 1 if factor > 1 else 1.0


class RotaryOptions(ReferenceModel):
    """The forms of the rotary embedding, from rope_theta and rope_scaling or from rope_parameters."""

    def rope_parameters(self):
        parameters = {"rope_theta": self.config.get("rope_theta"), **(self.config.get("rope_scaling") or {}),
                      **(self.config.get("rope_parameters") or {})}
        parameters["rope_type"] = parameters.get("rope_type") or parameters.get("type") or "default"
        return parameters

    def rotary_width(self):
        """How many numbers of a head are rotated."""
        return self.head_dim()

    def partial_rotary_width(self):
        factor = self.config.get("partial_rotary_factor") or self.rope_parameters()["partial_rotary_factor"]
        return int(self.head_dim() * factor)

    def rotary(self):
        width, scaling = self.rotary_width(), self.rope_parameters()
        theta, kind = scaling["rope_theta"], scaling["rope_type"]
        frequencies = theta ** (-np.arange(0, width, 2) / width)
        if kind == "linear":
            return frequencies / scaling["factor"], 1.0
        if kind == "llama3":
            return llama3_frequencies(frequencies, scaling), 1.0
        if kind == "yarn":
            return yarn_frequencies(frequencies, scaling, theta), self.yarn_amplitude(scaling)
        return frequencies, {"default": 1.0}[kind]

    def yarn_amplitude(self, scaling):
        """The factor of cosine and sine."""
        factor = scaling["factor"]
        return yarn_factor(factor, scaling.get("mscale", 1)) / yarn_factor(factor, scaling.get("mscale_all_dim", 0))


class PlainAttention(RotaryOptions):
    """Without norms of queries and keys, without windows."""

    def window(self, layer):
        return None

    def heads(self, name, x):
        return tuple(self.split_heads(self.linear(f"{name}.{part}_proj", x)) for part in "qkv")


class NormOfHeads(PlainAttention):
    """Queries and keys are normalised head by head."""

    heads = ReferenceModel.heads


class NormOfFullWidth(PlainAttention):
    """Queries and keys are normalised over all heads at once; clip_qkv then bounds queries, keys and values."""

    def heads(self, name, x):
        query, key, value = (self.linear(f"{name}.{part}_proj", x) for part in "qkv")
        query, key = self.norm(name + ".q_norm", query), self.norm(name + ".k_norm", key)
        limit = self.config.get("clip_qkv") or np.inf
        return tuple(self.split_heads(np.clip(a, -limit, limit)) for a in (query, key, value))


class LatentAttention(RotaryOptions):
    """Multi-head latent attention: queries and keys are [nope | rope], all heads share the rotated part of the key."""

    def rotary_width(self):
        return self.config["qk_rope_head_dim"]

    def window(self, layer):
        return None

    def latent_norm(self, name, x):
        return rms_norm(x, self.weights[name + ".weight"], LATENT_EPS)

    def latent_heads(self, name, x):
        """Queries [T, heads, nope + rope], of the keys [T, heads, nope] and [T, 1, rope], values [T, heads, v]."""
        tokens, heads = len(x), self.config["num_attention_heads"]
        if self.config["q_lora_rank"] is None:
            query = self.linear(name + ".q_proj", x)
        else:
            query = self.linear(name + ".q_b_proj", self.latent_norm(name + ".q_a_layernorm", self.linear(name + ".q_a_proj", x)))
        latent, rope = np.split(self.linear(name + ".kv_a_proj_with_mqa", x), [self.config["kv_lora_rank"]], axis=-1)
        pairs = self.linear(name + ".kv_b_proj", self.latent_norm(name + ".kv_a_layernorm", latent)).reshape(tokens, heads, -1)
        nope, value = np.split(pairs, [self.config["qk_nope_head_dim"]], axis=-1)
        return query.reshape(tokens, heads, -1), nope, rope[:, None, :], value

    def rotate(self, layer, x):
        """Interleaved: neighbours are real and imaginary part. Taking the even and then the odd numbers makes halves
        of them; the order of the result does not matter to a product of query and key."""
        if self.config.get("rope_interleave", True):
            x = np.concatenate([x[..., 0::2], x[..., 1::2]], axis=-1)
        return super().rotate(layer, x)

    def attention_scale(self):
        scaling = self.rope_parameters()
        scale = (self.config["qk_nope_head_dim"] + self.config["qk_rope_head_dim"]) ** -0.5
        if scaling["rope_type"] == "yarn" and scaling.get("mscale_all_dim"):
            scale *= yarn_factor(scaling["factor"], scaling["mscale_all_dim"]) ** 2
        return scale

    def attention(self, layer, x):
        name, unrotated = f"model.layers.{layer}.self_attn", self.config["qk_nope_head_dim"]
        query, nope, rope, value = self.latent_heads(name, x)
        query = np.concatenate([query[..., :unrotated], self.rotate(layer, query[..., unrotated:])], axis=-1)
        shared = np.repeat(self.rotate(layer, rope), query.shape[1], axis=1)
        key = np.concatenate([nope, shared], axis=-1)
        return self.linear(name + ".o_proj", self.attend(layer, query, key, value, self.attention_scale()))


class DenseModel(RotaryOptions):
    def moe_layers(self):
        return []


class SoftmaxRouter(ReferenceModel):
    """Softmax over all experts; the weights of the chosen add up to 1 if norm_topk_prob; no scale, no groups."""

    def scores(self, layer, logits):
        return softmax(logits)

    def groups(self):
        return 1, 1

    def normalises(self):
        return self.config["norm_topk_prob"]

    def combine(self, layer, weights):
        return weights / weights.sum(axis=-1, keepdims=True) if self.normalises() else weights

    def shared_experts(self, name, x):
        return 0.0


class AllLayersSparse(ReferenceModel):
    def moe_layers(self):
        return list(range(self.layers))


class SparseStep(ReferenceModel):
    def moe_layers(self):
        dense, step = self.config.get("mlp_only_layers") or [], self.config.get("decoder_sparse_step") or 1
        return [layer for layer in range(self.layers) if layer not in dense and (layer + 1) % step == 0]


class GatedSharedExpert(ReferenceModel):
    def shared_experts(self, name, x):
        return sigmoid(self.linear(name + ".shared_expert_gate", x)) * self.mlp(name + ".shared_expert", x)


class Olmoe(AllLayersSparse, SoftmaxRouter, NormOfFullWidth):
    pass


class Qwen2Moe(GatedSharedExpert, SparseStep, SoftmaxRouter, PlainAttention):
    pass


class Qwen3Moe(SparseStep, SoftmaxRouter, NormOfHeads):
    pass


class Mixtral(AllLayersSparse, SoftmaxRouter, PlainAttention):
    def unpack(self, tensors):
        return split_experts(renamed(tensors, ("block_sparse_moe", "mlp"), (".w1.", ".gate_proj."), (".w3.", ".up_proj."),
                                     (".w2.", ".down_proj.")))

    def normalises(self):
        return True


class DeepseekV2(LatentAttention):
    """The scores of the chosen are scaled, never normalised."""

    def scores(self, layer, logits):
        return softmax(logits)

    def groups(self):
        return super().groups() if self.config["topk_method"] == "group_limited_greedy" else (1, 1)

    def group_scores(self, selection):
        return selection.max(axis=-1)

    def combine(self, layer, weights):
        return weights * self.config["routed_scaling_factor"]


class DeepseekV3(LatentAttention):
    pass


class Glm4MoeLite(LatentAttention):
    def moe_layers(self):
        kinds = self.config.get("mlp_layer_types")
        return [layer for layer in range(self.layers) if kinds[layer] == "sparse"] if kinds else super().moe_layers()


class Glm4Moe(PlainAttention):
    def rotary_width(self):
        return self.partial_rotary_width()

    def heads(self, name, x):
        return ReferenceModel.heads(self, name, x) if self.config["use_qk_norm"] else super().heads(name, x)


class BailingMoeV2(NormOfHeads):
    """Ling 2.0."""

    def unpack(self, tensors):
        names = ("word_embeddings", "embed_tokens"), (".attention.", ".self_attn."), ("query_layernorm", "q_norm"), \
            ("key_layernorm", "k_norm"), ("self_attn.dense", "self_attn.o_proj"), ("expert_bias", "e_score_correction_bias")
        tensors = renamed(tensors, *names)
        queries, keys = (self.config[name] * self.head_dim() for name in ("num_attention_heads", "num_key_value_heads"))
        for name in [name for name in tensors if "query_key_value" in name]:
            for part, rows in zip("qkv", np.split(tensors.pop(name), [queries, queries + keys])):
                tensors[name.replace("query_key_value", part + "_proj")] = rows
        return split_experts(tensors)

    def rotary_width(self):
        return self.partial_rotary_width()

    def combine(self, layer, weights):
        """Normalised whatever norm_topk_prob says."""
        if self.top > 1:
            weights = weights / (weights.sum(axis=-1, keepdims=True) + 1e-20)
        return weights * self.config["routed_scaling_factor"]

    def shared_experts(self, name, x):
        return self.mlp(name + ".shared_experts", x) if self.config["num_shared_experts"] else 0.0


class Afmoe(NormOfHeads):
    """Trinity. Full layers have no positions at all; the output of the attention is gated; four norms a layer."""

    def unpack(self, tensors):
        return split_experts(renamed(tensors, ("mlp.router.gate", "mlp.gate"),
                                     ("mlp.expert_bias", "mlp.gate.e_score_correction_bias")))

    def moe_layers(self):
        return list(range(self.config["num_dense_layers"], self.layers))

    def slides(self, layer):
        kinds = self.config.get("layer_types")
        return kinds[layer] == "sliding_attention" if kinds else (layer + 1) % self.config["global_attn_every_n_layers"] != 0

    def window(self, layer):
        return self.config["sliding_window"] if self.slides(layer) else None

    def rotate(self, layer, x):
        return super().rotate(layer, x) if self.slides(layer) else x

    def attend(self, layer, query, key, value, scale=None):
        return super().attend(layer, query, key, value, scale) * self.output_gate

    def attention(self, layer, x):
        self.output_gate = sigmoid(self.linear(f"model.layers.{layer}.self_attn.gate_proj", x))
        return super().attention(layer, x)

    def combine(self, layer, weights):
        return weights / (weights.sum(axis=-1, keepdims=True) + 1e-20) * self.config["route_scale"]

    def groups(self):
        return 1, 1

    def shared_experts(self, name, x):
        return self.mlp(name + ".shared_experts", x) if self.config["num_shared_experts"] else 0.0

    def embed(self, ids):
        return super().embed(ids) * (np.sqrt(self.config["hidden_size"]) if self.config["mup_enabled"] else 1.0)

    def transform(self, layer, x):
        name = f"model.layers.{layer}"
        attended = self.attention(layer, self.norm(name + ".input_layernorm", x))
        x = x + self.norm(name + ".post_attention_layernorm", attended)
        output, routing = self.feed_forward(layer, self.norm(name + ".pre_mlp_layernorm", x))
        return x + self.norm(name + ".post_mlp_layernorm", output), routing


class MinimaxM2(AllLayersSparse, NormOfFullWidth):
    def unpack(self, tensors):
        return Mixtral.unpack(self, renamed(tensors, ("moe.e_score_correction_bias", "moe.gate.e_score_correction_bias")))

    def rotary_width(self):
        return self.config["rotary_dim"]

    def groups(self):
        return 1, 1

    def combine(self, layer, weights):
        return weights / weights.sum(axis=-1, keepdims=True)

    def shared_experts(self, name, x):
        return 0.0


class Emo(SoftmaxRouter, PlainAttention):
    """Some experts are always used: the last num_shared_experts, with a softmax of their own, or those that
    always_active_experts names. num_experts_per_tok counts them all."""

    def unpack(self, tensors):
        return split_experts(renamed(tensors, ("pre_attention_layernorm", "input_layernorm"),
                                     ("pre_feedforward_layernorm", "post_attention_layernorm")))

    def of_layer(self, key, layer):
        of_layers = self.config.get(key + "_per_layer")
        return of_layers[layer] if of_layers else self.config.get(key)

    def moe_layers(self):
        return [layer for layer in range(self.layers) if self.of_layer("num_experts", layer)]

    def scores(self, layer, logits):
        shared = self.of_layer("num_shared_experts", layer) or 0
        routed = logits.shape[1] - shared
        parts = (logits[:, :routed], logits[:, routed:]) if shared else (logits,)
        return np.concatenate([softmax(part) for part in parts], axis=1)

    def share(self, logits, scores):
        """Of all experts together, although those that are always used have a softmax of their own."""
        return softmax(logits)

    def ranking(self, layer, logits, scores):
        ranking, shared = scores.copy(), self.of_layer("num_shared_experts", layer) or 0
        always = range(scores.shape[1] - shared, scores.shape[1])
        for expert in always or self.of_layer("always_active_experts", layer) or []:
            ranking[:, expert] = np.inf
        return ranking

    def combine(self, layer, weights):
        return weights if self.of_layer("num_shared_experts", layer) else super().combine(layer, weights)


class Llama(DenseModel, PlainAttention):
    pass


class Qwen3(DenseModel, NormOfHeads):
    pass


class Olmo2(DenseModel, NormOfFullWidth):
    """Not the inputs of a sublayer are normalised but its output."""

    def transform(self, layer, x):
        name = f"model.layers.{layer}"
        x = x + self.norm(name + ".post_attention_layernorm", self.attention(layer, x))
        return x + self.norm(name + ".post_feedforward_layernorm", self.mlp(name + ".mlp", x)), None


class GptOss(AllLayersSparse, SoftmaxRouter, PlainAttention):
    def unpack(self, tensors):
        """Experts [E, in, out], or in MXFP4 [E, out, in]; of gate_up_proj gate and up alternate."""
        tensors = renamed(tensors, ("mlp.router", "mlp.gate"))
        for name in [name for name in tensors if name.endswith((".gate_up_proj_blocks", ".down_proj_blocks"))]:
            name = name.removesuffix("_blocks")
            values = unpack_mxfp4(tensors.pop(name + "_blocks"), tensors.pop(name + "_scales"))
            tensors[name] = values.transpose(0, 2, 1)
        for layer in range(self.config["num_hidden_layers"]):
            self.split_layer(tensors, f"model.layers.{layer}.mlp.experts")
        return tensors

    def split_layer(self, tensors, name):
        both, down, both_bias, down_bias = (tensors.pop(f"{name}.{part}") for part in (
            "gate_up_proj", "down_proj", "gate_up_proj_bias", "down_proj_bias"))
        for expert in range(len(both)):
            parts = {"gate_proj": (both[expert, :, 0::2], both_bias[expert, 0::2]),
                     "up_proj": (both[expert, :, 1::2], both_bias[expert, 1::2]), "down_proj": (down[expert], down_bias[expert])}
            for part, (weight, bias) in parts.items():
                tensors[f"{name}.{expert}.{part}.weight"], tensors[f"{name}.{expert}.{part}.bias"] = weight.T, bias

    def yarn_amplitude(self, scaling):
        return yarn_factor(scaling["factor"])

    def window(self, layer):
        kinds = self.config.get("layer_types")
        slides = kinds[layer] == "sliding_attention" if kinds else layer % 2 == 0
        return self.config["sliding_window"] if slides else None

    def unattended(self, layer, highest):
        return np.exp(self.weights[f"model.layers.{layer}.self_attn.sinks"][:, None, None] - highest)

    def router_logits(self, layer, x):
        return super().router_logits(layer, x) + self.weights[f"model.layers.{layer}.mlp.gate.bias"]

    def ranking(self, layer, logits, scores):
        return logits

    def normalises(self):
        """A softmax over all logits, normalised over the chosen, is the softmax over the chosen logits."""
        return True

    def mlp(self, name, x):
        gate = np.minimum(self.linear(name + ".gate_proj", x), self.config["swiglu_limit"])
        up = np.clip(self.linear(name + ".up_proj", x), -self.config["swiglu_limit"], self.config["swiglu_limit"])
        return self.linear(name + ".down_proj", gate * sigmoid(1.702 * gate) * (up + 1))


def unpack_mxfp4(blocks, scales):
    """blocks [..., G, 16] of two 4-bit numbers a byte, the low one first; scales [..., G] -> [..., 32 G]"""
    values = MXFP4_VALUES[np.stack([blocks & 15, blocks >> 4], axis=-1)].reshape(*scales.shape, 32)
    return (values * 2.0 ** (scales.astype(int) - 127)[..., None]).reshape(*scales.shape[:-1], -1)


class FlameMoe(SoftmaxRouter, PlainAttention):
    """A Megatron checkpoint: the arguments of the training run instead of a configuration, and Megatron's names."""

    def read_config(self, directory):
        arguments = json.loads((directory / "args.json").read_text())
        return {**arguments, "num_hidden_layers": arguments["num_layers"], "rms_norm_eps": arguments["norm_epsilon"],
                "num_experts_per_tok": arguments["moe_router_topk"], "head_dim": arguments["kv_channels"],
                "rope_theta": arguments["rotary_base"], "norm_topk_prob": not arguments["moe_router_pre_softmax"],
                "tie_word_embeddings": not arguments["untie_embeddings_and_output_weights"]}

    def unpack(self, tensors):
        tensors = renamed(
            tensors, ("embedding.word_embeddings", "model.embed_tokens"), ("output_layer", "lm_head"),
            ("decoder.final_layernorm", "model.norm"), ("decoder.", "model."), ("mlp.router", "mlp.gate"),
            ("self_attention.linear_proj", "self_attn.o_proj"), ("experts.experts", "experts"),
            ("self_attention.linear_qkv.layer_norm_weight", "input_layernorm.weight"),
            ("mlp.linear_fc1.layer_norm_weight", "post_attention_layernorm.weight"),
            ("pre_mlp_layernorm", "post_attention_layernorm"), (".experts.linear_fc1.weight", ".experts.gate_up_proj"),
            (".experts.linear_fc2.weight", ".experts.down_proj"), ("linear_fc2", "down_proj"))
        for name in [name for name in tensors if name.endswith(("linear_fc1.weight", "linear_qkv.weight"))]:
            self.split_rows(tensors, name, tensors.pop(name))
        return split_experts(tensors)

    def rotary_width(self):
        return int(self.head_dim() * self.config["rotary_percent"])

    def rotate(self, layer, x):
        """As in LatentAttention, but of the first numbers of a head alone."""
        width = self.rotary_width()
        if self.config["rotary_interleaved"]:
            x = np.concatenate([x[..., :width:2], x[..., 1:width:2], x[..., width:]], axis=-1)
        return super().rotate(layer, x)

    def combine(self, layer, weights):
        return super().combine(layer, weights) * (self.config["moe_router_topk_scaling_factor"] or 1)

    def split_rows(self, tensors, name, values):
        """fc1 is [gate; up]; qkv holds for each key head its queries, the key and the value."""
        if "linear_fc1" in name:
            parts = dict(zip(("gate_proj", "up_proj"), np.split(values, 2)))
            return tensors.update({name.replace("linear_fc1", part): rows for part, rows in parts.items()})
        groups, width = self.config["num_query_groups"], values.shape[1]
        rows = values.reshape(groups, -1, self.head_dim(), width)
        for part, heads in (("q_proj", rows[:, :-2]), ("k_proj", rows[:, -2]), ("v_proj", rows[:, -1])):
            tensors[name.replace("self_attention.linear_qkv", "self_attn." + part)] = heads.reshape(-1, width)

    def moe_layers(self):
        frequency = self.config["moe_layer_freq"]
        return [layer for layer in range(self.layers)
                if (frequency[layer] if isinstance(frequency, list) else layer % frequency == 0)]

    def shared_experts(self, name, x):
        return self.mlp(name + ".shared_experts", x) if self.config["moe_shared_expert_intermediate_size"] else 0.0


class Qwen35Moe(GatedSharedExpert, SparseStep, SoftmaxRouter, NormOfHeads):
    """Most layers have a Gated DeltaNet in place of attention. Norms multiply by 1 + weight."""

    def read_config(self, directory):
        config = super().read_config(directory)
        return {**config, **config.get("text_config", {})}

    def unpack(self, tensors):
        return split_experts(renamed(tensors, ("model.language_model.", "model.")))

    def normalises(self):
        return True

    def norm(self, name, x):
        return rms_norm(x, 1 + self.weights[name + ".weight"], self.eps)

    def rotary_width(self):
        return self.partial_rotary_width()

    def is_linear(self, layer):
        kinds = self.config.get("layer_types")
        return kinds[layer] == "linear_attention" if kinds else (layer + 1) % self.config["full_attention_interval"] != 0

    def heads(self, name, x):
        """The rows of q_proj are for each head its query and the gate of its output."""
        dim = self.head_dim()
        query_gate = self.linear(name + ".q_proj", x).reshape(len(x), -1, 2 * dim)
        query, self.output_gate = query_gate[..., :dim], sigmoid(query_gate[..., dim:]).reshape(len(x), -1)
        key, value = (self.split_heads(self.linear(f"{name}.{part}_proj", x)) for part in "kv")
        return self.norm(name + ".q_norm", query), self.norm(name + ".k_norm", key), value

    def attend(self, layer, query, key, value, scale=None):
        return super().attend(layer, query, key, value, scale) * self.output_gate

    def attention(self, layer, x):
        return self.delta_net(f"model.layers.{layer}.linear_attn", x) if self.is_linear(layer) else super().attention(layer, x)

    def convolve(self, name, x):
        """x [T, C]: each channel by itself; the last tap is that of the current token."""
        taps = self.weights[name + ".weight"][:, 0]
        padded = np.concatenate([np.zeros((taps.shape[1] - 1, x.shape[1])), x])
        return sum(padded[tap:tap + len(x)] * taps[:, tap] for tap in range(taps.shape[1]))

    def delta_net(self, name, x):
        tokens, key_heads, value_heads = len(x), self.config["linear_num_key_heads"], self.config["linear_num_value_heads"]
        mixed = silu(self.convolve(name + ".conv1d", self.linear(name + ".in_proj_qkv", x)))
        keys = key_heads * self.config["linear_key_head_dim"]
        query, key, value = np.split(mixed, [keys, 2 * keys], axis=-1)
        query, key = (self.unit_heads(a.reshape(tokens, key_heads, -1), value_heads) for a in (query, key))
        value = value.reshape(tokens, value_heads, -1)
        beta = sigmoid(self.linear(name + ".in_proj_b", x))
        rate = self.linear(name + ".in_proj_a", x) + self.weights[name + ".dt_bias"]
        decay = np.exp(-np.exp(self.weights[name + ".A_log"]) * np.logaddexp(0, rate))
        output = delta_rule(query * query.shape[-1] ** -0.5, key, value, beta, decay)
        gate = self.linear(name + ".in_proj_z", x).reshape(output.shape)
        output = rms_norm(output, self.weights[name + ".norm.weight"], self.eps) * silu(gate)
        return self.linear(name + ".out_proj", output.reshape(tokens, -1))

    def unit_heads(self, x, value_heads):
        """Of length 1, and repeated: several value heads share a key head."""
        x = x / np.sqrt((x * x).sum(axis=-1, keepdims=True) + 1e-6)
        return np.repeat(x, value_heads // x.shape[1], axis=1)


def delta_rule(query, key, value, beta, decay):
    """query, key [T, heads, dk], value [T, heads, dv], beta, decay [T, heads] -> [T, heads, dv]"""
    memory, output = np.zeros((key.shape[1], key.shape[2], value.shape[2])), np.empty_like(value)
    for token in range(len(key)):
        memory = decay[token][:, None, None] * memory
        known = (key[token][:, :, None] * memory).sum(axis=1)
        change = beta[token][:, None] * (value[token] - known)
        memory = memory + key[token][:, :, None] * change[:, None, :]
        output[token] = (query[token][:, :, None] * memory).sum(axis=1)
    return output


class Qwen3Next(Qwen35Moe):
    """As Qwen3.5 but for the rows of the projections of the DeltaNet, which are grouped by key head."""

    def normalises(self):
        return self.config["norm_topk_prob"]

    def unpack(self, tensors):
        heads, dim = self.config["linear_num_key_heads"], self.config["linear_key_head_dim"]
        of_values = self.config["linear_num_value_heads"] // heads * self.config["linear_value_head_dim"]
        for name in [name for name in tensors if "in_proj_qkvz" in name]:
            rows = tensors.pop(name)
            query, key, value, gate = np.split(rows.reshape(heads, -1, rows.shape[1]), np.cumsum([dim, dim, of_values]), axis=1)
            tensors[name.replace("qkvz", "qkv")] = np.concatenate([a.reshape(-1, rows.shape[1]) for a in (query, key, value)])
            tensors[name.replace("qkvz", "z")] = gate.reshape(-1, rows.shape[1])
        for name in [name for name in tensors if "in_proj_ba" in name]:
            rows = tensors.pop(name)
            for part, group in zip("ba", np.split(rows.reshape(heads, -1, rows.shape[1]), 2, axis=1)):
                tensors[name.replace("_ba", "_" + part)] = group.reshape(-1, rows.shape[1])
        return split_experts(tensors)


MODELS = {
    "AfmoeForCausalLM": Afmoe, "BailingMoeV2ForCausalLM": BailingMoeV2, "DeepseekV2ForCausalLM": DeepseekV2,
    "DeepseekV3ForCausalLM": DeepseekV3, "Dots1ForCausalLM": ReferenceModel, "EmoForCausalLM": Emo,
    "Glm4MoeForCausalLM": Glm4Moe, "Glm4MoeLiteForCausalLM": Glm4MoeLite, "GptOssForCausalLM": GptOss,
    "LlamaForCausalLM": Llama, "MiniMaxM2ForCausalLM": MinimaxM2, "MixtralForCausalLM": Mixtral, "Olmo2ForCausalLM": Olmo2,
    "OlmoeForCausalLM": Olmoe, "Qwen2MoeForCausalLM": Qwen2Moe, "Qwen3ForCausalLM": Qwen3, "Qwen3MoeForCausalLM": Qwen3Moe,
    "Qwen3NextForCausalLM": Qwen3Next, "Qwen3_5MoeForConditionalGeneration": Qwen35Moe, "Qwen3_5MoeForCausalLM": Qwen35Moe}


def of(directory):
    """The model of a checkpoint, by the first of its architectures; one with args.json comes from Megatron."""
    directory = pathlib.Path(directory)
    if (directory / "args.json").exists():
        return FlameMoe(directory)
    architecture, = json.loads((directory / "config.json").read_text())["architectures"]
    return MODELS[architecture](directory)
