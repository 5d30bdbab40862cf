"""Writes small checkpoints of other families with random weights, under the names and configuration keys of the
released models: make_family(directory, "olmoe", seed=1, norm_topk_prob=True).

A family is a class: what its configuration holds, and how its layers differ from those of dots1.
"""
import numpy as np

from checkpoint_maker import SMALL, TORCH_NAMES, RandomTensors, fuse_experts, to_bytes, write_files
from reference_model import SCALED_BLOCK, e4m3_values, widen

ABSENT = object()  # as an option of make_family: the configuration has no such key
SIZES = dict(hidden_size=32, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=4, vocab_size=96,
             hidden_act="silu", max_position_embeddings=4096, eos_token_id=2, tie_word_embeddings=False)
FP4_SIZES = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6])


class Family:
    """Names and shapes of dots1; subclasses say what is different."""

    config = {**SMALL, "scoring_func": "sigmoid", "max_window_layers": 3, "use_sliding_window": False}
    config_name, dtype_key = "config.json", "torch_dtype"
    embedding, final_norm, head = "model.embed_tokens", "model.norm", "lm_head"
    norms = ("input_layernorm", "post_attention_layernorm")
    norm_mean, norm_std = 1.0, 0.2
    self_attn, output = "self_attn", "o_proj"
    qk_norm = "head"  # the width of the norms of queries and keys: of a "head", of "all", or None
    router, router_gain, correction_bias = "mlp.gate", 1.5, "mlp.gate.e_score_correction_bias"
    experts, expert_parts = "mlp.experts.{}", ("gate_proj", "up_proj", "down_proj")
    float32 = ("e_score_correction_bias", "expert_bias")  # ends of the names of tensors that are stored so

    def __init__(self, config, random, score_bias=0.1, extras=False):
        self.config, self.score_bias, self.extras = config, score_bias, extras
        self.tensors = RandomTensors(random)
        self.hidden, self.queries, self.keys = (config[key] for key in (
            "hidden_size", "num_attention_heads", "num_key_value_heads"))
        self.dim = config.get("head_dim") or self.hidden // self.queries

    def build(self):
        size = (self.config["vocab_size"], self.hidden)
        self.tensors[self.embedding + ".weight"] = self.tensors.random.normal(0, self.embedding_std(), size)
        for layer in range(self.config["num_hidden_layers"]):
            self.layer(layer, self.layer_name(layer))
        self.norm(self.final_norm, self.hidden)
        if not self.config["tie_word_embeddings"]:
            self.tensors.matrix(self.head, *size, gain=2.0)
        if self.extras:
            self.other_parts()
        return self.tensors

    def other_parts(self):
        """A layer that predicts a second token, behind the layers of the model."""
        layer, random = self.layer_name(self.config["num_hidden_layers"]), self.tensors
        self.layer(self.config["num_hidden_layers"], layer)
        for name in ("enorm", "hnorm", "shared_head.norm"):
            self.norm(f"{layer}.{name}", self.hidden)
        random.matrix(layer + ".eh_proj", self.hidden, 2 * self.hidden)
        for name in ("embed_tokens", "shared_head.head"):
            random.matrix(f"{layer}.{name}", self.config["vocab_size"], self.hidden)

    def embedding_std(self):
        return 0.5

    def layer_name(self, layer):
        return f"model.layers.{layer}"

    def layer(self, layer, name):
        for norm in self.norms:
            self.norm(f"{name}.{norm}", self.hidden)
        self.attention(layer, f"{name}.{self.self_attn}")
        if self.is_sparse(layer):
            self.mixture(layer, name)
        else:
            self.dense(name)

    def norm(self, name, size):
        self.tensors.vector(name + ".weight", size, self.norm_mean, self.norm_std)

    def attention_shapes(self):
        return {"q_proj": (self.queries * self.dim, self.hidden), "k_proj": (self.keys * self.dim, self.hidden),
                "v_proj": (self.keys * self.dim, self.hidden), self.output: (self.hidden, self.queries * self.dim)}

    def attention(self, layer, name):
        for projection, shape in self.attention_shapes().items():
            self.tensors.matrix(f"{name}.{projection}", *shape)
            if self.has_bias(projection):
                self.tensors.vector(f"{name}.{projection}.bias", shape[0], 0, 0.3)
        if self.qk_norm:
            for projection, heads in (("q_norm", self.queries), ("k_norm", self.keys)):
                self.norm(f"{name}.{projection}", self.dim * (1 if self.qk_norm == "head" else heads))

    def has_bias(self, projection):
        return self.config.get("attention_bias")

    def is_sparse(self, layer):
        return layer >= self.config["first_k_dense_replace"] and layer % self.config.get("moe_layer_freq", 1) == 0

    def expert_count(self, layer):
        return self.config.get("n_routed_experts") or self.config.get("num_experts") or self.config["num_local_experts"]

    def expert_width(self):
        return self.config["moe_intermediate_size"]

    def mixture(self, layer, name):
        count = self.expert_count(layer)
        self.tensors.matrix(f"{name}.{self.router}", count, self.hidden, self.router_gain)
        if self.correction_bias:
            self.tensors.vector(f"{name}.{self.correction_bias}", count, 0, self.score_bias)
        for expert in range(count):
            self.tensors.mlp(f"{name}.{self.experts}".format(expert), self.hidden, self.expert_width(), self.expert_parts)
        self.shared(name)

    def shared(self, name):
        count = self.config.get("n_shared_experts") or self.config.get("num_shared_experts")
        if count:
            self.tensors.mlp(name + ".mlp.shared_experts", self.hidden, count * self.expert_width())

    def dense(self, name):
        self.tensors.mlp(name + ".mlp", self.hidden, self.config["intermediate_size"])

    def name_in_file(self, name):
        return name

    def config_in_file(self):
        return self.config


class Olmoe(Family):
    config = {**SIZES, "architectures": ["OlmoeForCausalLM"], "model_type": "olmoe", "attention_bias": False, "clip_qkv": None,
              "intermediate_size": 24, "norm_topk_prob": False, "num_experts": 16, "num_experts_per_tok": 4,
              "output_router_logits": False, "rms_norm_eps": 1e-5, "rope_scaling": None, "rope_theta": 10000.0,
              "router_aux_loss_coef": 0.01}
    qk_norm, correction_bias, router_gain = "all", None, 2.0

    def is_sparse(self, layer):
        return True

    def expert_width(self):
        return self.config["intermediate_size"]


class QwenMoe(Family):
    correction_bias, router_gain = None, 2.0

    def is_sparse(self, layer):
        return layer not in self.config.get("mlp_only_layers", []) and (layer + 1) % self.config["decoder_sparse_step"] == 0

    def gated_shared(self, name):
        self.tensors.mlp(name + ".mlp.shared_expert", self.hidden, self.config["shared_expert_intermediate_size"])
        self.tensors.matrix(name + ".mlp.shared_expert_gate", 1, self.hidden)


class Qwen2Moe(QwenMoe):
    config = {**SIZES, "architectures": ["Qwen2MoeForCausalLM"], "model_type": "qwen2_moe", "intermediate_size": 48,
              "max_window_layers": 2, "sliding_window": 16, "use_sliding_window": False, "decoder_sparse_step": 1,
              "moe_intermediate_size": 24, "shared_expert_intermediate_size": 40, "num_experts_per_tok": 4,
              "num_experts": 15, "norm_topk_prob": False, "rms_norm_eps": 1e-6, "rope_theta": 1e6}
    qk_norm, shared = None, QwenMoe.gated_shared

    def has_bias(self, projection):
        return projection != "o_proj"


class Qwen3Moe(QwenMoe):
    config = {**SIZES, "architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe", "attention_bias": False,
              "decoder_sparse_step": 1, "head_dim": 16, "intermediate_size": 48, "max_window_layers": 3,
              "mlp_only_layers": [], "moe_intermediate_size": 24, "norm_topk_prob": True, "num_experts": 16,
              "num_experts_per_tok": 4, "num_key_value_heads": 2, "rms_norm_eps": 1e-6, "rope_scaling": None,
              "rope_theta": 1e6, "sliding_window": None, "use_sliding_window": False}


class Mixtral(Family):
    config = {**SIZES, "architectures": ["MixtralForCausalLM"], "model_type": "mixtral", "intermediate_size": 24,
              "num_experts_per_tok": 2, "num_key_value_heads": 2, "num_local_experts": 8, "rms_norm_eps": 1e-5,
              "rope_theta": 1e6, "router_aux_loss_coef": 0.02, "sliding_window": None}
    qk_norm, correction_bias, router, router_gain = None, None, "block_sparse_moe.gate", 2.0
    experts, expert_parts = "block_sparse_moe.experts.{}", ("w1", "w3", "w2")

    def is_sparse(self, layer):
        return True

    def expert_width(self):
        return self.config["intermediate_size"]


class DeepseekV3(Family):
    config = {**SIZES, "architectures": ["DeepseekV3ForCausalLM"], "model_type": "deepseek_v3", "attention_bias": False,
              "first_k_dense_replace": 1, "intermediate_size": 48, "kv_lora_rank": 16, "moe_intermediate_size": 16,
              "moe_layer_freq": 1, "n_group": 4, "n_routed_experts": 16, "n_shared_experts": 1, "norm_topk_prob": True,
              "num_experts_per_tok": 4, "num_nextn_predict_layers": 1, "q_lora_rank": 24, "qk_nope_head_dim": 12,
              "qk_rope_head_dim": 8, "rms_norm_eps": 1e-6, "rope_scaling": None, "rope_theta": 10000,
              "routed_scaling_factor": 2.5, "scoring_func": "sigmoid", "topk_group": 2, "topk_method": "noaux_tc",
              "v_head_dim": 10}

    def attention(self, layer, name):
        keys, rope, rank = self.config["qk_nope_head_dim"], self.config["qk_rope_head_dim"], self.config["kv_lora_rank"]
        query = (self.queries * (keys + rope), self.config["q_lora_rank"] or self.hidden)
        if self.config["q_lora_rank"] is None:
            self.tensors.matrix(name + ".q_proj", *query)
        else:
            self.tensors.matrix(name + ".q_a_proj", query[1], self.hidden)
            self.norm(name + ".q_a_layernorm", query[1])
            self.tensors.matrix(name + ".q_b_proj", *query)
        self.tensors.matrix(name + ".kv_a_proj_with_mqa", rank + rope, self.hidden)
        self.norm(name + ".kv_a_layernorm", rank)
        self.tensors.matrix(name + ".kv_b_proj", self.queries * (keys + self.config["v_head_dim"]), rank)
        self.tensors.matrix(name + ".o_proj", self.hidden, self.queries * self.config["v_head_dim"])


class DeepseekV2(DeepseekV3):
    yarn = dict(beta_fast=32, beta_slow=1, factor=40, mscale=0.707, mscale_all_dim=0.707,
                original_max_position_embeddings=4096, type="yarn")
    config = {**{key: value for key, value in DeepseekV3.config.items() if key != "num_nextn_predict_layers"},
              "architectures": ["DeepseekV2ForCausalLM"], "model_type": "deepseek_v2", "aux_loss_alpha": 0.001, "n_group": 1,
              "n_shared_experts": 2, "norm_topk_prob": False, "q_lora_rank": None, "rope_scaling": yarn,
              "routed_scaling_factor": 1.0, "scoring_func": "softmax", "topk_group": 1, "topk_method": "greedy"}
    correction_bias, router_gain = None, 2.0


class Glm4MoeLite(DeepseekV3):
    config = {**{key: value for key, value in DeepseekV3.config.items() if key not in ("moe_layer_freq", "scoring_func")},
              "architectures": ["Glm4MoeLiteForCausalLM"], "model_type": "glm4_moe_lite", "n_group": 1,
              "partial_rotary_factor": 1.0, "rms_norm_eps": 1e-5, "rope_theta": 1000000, "routed_scaling_factor": 1.8,
              "topk_group": 1}

    def is_sparse(self, layer):
        kinds = self.config.get("mlp_layer_types")
        return kinds[layer] == "sparse" if kinds and layer < len(kinds) else super().is_sparse(layer)


class Glm4Moe(Family):
    config = {**SIZES, "architectures": ["Glm4MoeForCausalLM"], "model_type": "glm4_moe", "attention_bias": True,
              "first_k_dense_replace": 1, "head_dim": 16, "intermediate_size": 48, "moe_intermediate_size": 16, "n_group": 1,
              "n_routed_experts": 16, "n_shared_experts": 1, "norm_topk_prob": True, "num_experts_per_tok": 4,
              "num_key_value_heads": 2, "num_nextn_predict_layers": 1, "partial_rotary_factor": 0.5, "rms_norm_eps": 1e-5,
              "rope_scaling": None, "rope_theta": 1000000, "routed_scaling_factor": 1.0, "topk_group": 1,
              "use_qk_norm": False, "eos_token_id": [1, 2, 3]}

    @property
    def qk_norm(self):
        return "head" if self.config["use_qk_norm"] else None

    def has_bias(self, projection):
        return self.config["attention_bias"] and projection != "o_proj"


class BailingMoeV2(Family):
    config = {**SIZES, "architectures": ["BailingMoeV2ForCausalLM"], "model_type": "bailing_moe", "first_k_dense_replace": 1,
              "head_dim": 16, "intermediate_size": 48, "moe_intermediate_size": 16, "norm_topk_prob": True,
              "num_experts_per_tok": 4, "num_experts": 16, "num_key_value_heads": 2, "rope_theta": 600000,
              "rope_scaling": None, "use_bias": False, "use_rmsnorm": True, "rms_norm_eps": 1e-6, "num_shared_experts": 1,
              "use_qkv_bias": False, "partial_rotary_factor": 0.5, "router_dtype": "fp32",
              "moe_router_enable_expert_bias": True, "routed_scaling_factor": 2.5, "n_group": 4, "topk_group": 2,
              "use_qk_norm": True, "score_function": "sigmoid", "moe_shared_expert_intermediate_size": 16}
    embedding, self_attn, correction_bias = "model.word_embeddings", "attention", "mlp.gate.expert_bias"

    def attention(self, layer, name):
        self.tensors.matrix(name + ".query_key_value", (self.queries + 2 * self.keys) * self.dim, self.hidden)
        self.tensors.matrix(name + ".dense", self.hidden, self.queries * self.dim)
        self.norm(name + ".query_layernorm", self.dim)
        self.norm(name + ".key_layernorm", self.dim)


class Afmoe(Family):
    config = {**SIZES, "architectures": ["AfmoeForCausalLM"], "model_type": "afmoe", "global_attn_every_n_layers": 4,
              "head_dim": 12, "intermediate_size": 48, "layer_types": ["sliding_attention"] * 3 + ["full_attention"],
              "moe_intermediate_size": 16, "mup_enabled": True, "n_group": 1, "num_dense_layers": 2,
              "num_expert_groups": 1, "num_experts": 16, "num_experts_per_tok": 4, "num_hidden_layers": 4,
              "num_key_value_heads": 2, "num_limited_groups": 1, "num_shared_experts": 1, "rms_norm_eps": 1e-5,
              "rope_scaling": None, "rope_theta": 10000, "route_norm": True, "route_scale": 2.826,
              "score_func": "sigmoid", "sliding_window": 12, "topk_group": 1}
    norms = ("input_layernorm", "post_attention_layernorm", "pre_mlp_layernorm", "post_mlp_layernorm")
    router, correction_bias = "mlp.router.gate", "mlp.expert_bias"

    def embedding_std(self):
        return 0.5 / np.sqrt(self.hidden) if self.config["mup_enabled"] else 0.5

    def attention_shapes(self):
        return {**super().attention_shapes(), "gate_proj": (self.queries * self.dim, self.hidden)}

    def is_sparse(self, layer):
        return layer >= self.config["num_dense_layers"]


class MinimaxM2(Mixtral):
    config = {**SIZES, "architectures": ["MiniMaxM2ForCausalLM"], "model_type": "minimax_m2", "attn_type_list": [1, 1, 1],
              "head_dim": 12, "intermediate_size": 16, "mtp_transformer_layers": 1, "num_experts_per_tok": 4,
              "num_key_value_heads": 2, "num_local_experts": 16, "num_mtp_modules": 3, "qk_norm_type": "per_layer",
              "rms_norm_eps": 1e-6, "rope_theta": 5000000, "rotary_dim": 8, "scoring_func": "sigmoid",
              "shared_intermediate_size": 0, "use_mtp": True, "use_qk_norm": True, "use_routing_bias": True}
    qk_norm, router_gain, correction_bias = "all", 1.5, "block_sparse_moe.e_score_correction_bias"
    float32 = ("e_score_correction_bias", "block_sparse_moe.gate.weight")


class Emo(Olmoe):
    config = {**SIZES, "architectures": ["EmoForCausalLM"], "model_type": "emo", "always_active_experts": None,
              "always_active_experts_per_layer": None, "attention_bias": False, "dense_intermediate_size": None,
              "dense_mlp_bias": False, "intermediate_size": 16, "norm_topk_prob": False, "num_experts": 16,
              "num_experts_per_layer": None, "num_experts_per_tok": 4, "num_shared_experts": 1,
              "num_shared_experts_per_layer": None, "rms_norm_eps": 1e-5, "rope_scaling": None, "rope_theta": 500000}
    norms, qk_norm = ("pre_attention_layernorm", "pre_feedforward_layernorm"), None

    def expert_count(self, layer):
        of_layers = self.config["num_experts_per_layer"]
        return of_layers[layer] if of_layers else self.config["num_experts"]

    def is_sparse(self, layer):
        return self.expert_count(layer) > 0

    def shared(self, name):
        """Among the experts."""

    def dense(self, name):
        width = self.config["dense_intermediate_size"]
        self.tensors.mlp(name + ".mlp", self.hidden, width)
        for part, rows in (("gate_proj", width), ("up_proj", width), ("down_proj", self.hidden)):
            if self.config["dense_mlp_bias"]:
                self.tensors.vector(f"{name}.mlp.{part}.bias", rows, 0, 0.3)


class Dense(Family):
    def is_sparse(self, layer):
        return False


class Llama(Dense):
    llama3 = dict(factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32, rope_type="llama3")
    config = {**SIZES, "architectures": ["LlamaForCausalLM"], "model_type": "llama", "attention_bias": False,
              "intermediate_size": 64, "mlp_bias": False, "num_key_value_heads": 2, "pretraining_tp": 1, "rms_norm_eps": 1e-5,
              "rope_scaling": llama3, "rope_theta": 500000.0}
    qk_norm = None

    def dense(self, name):
        super().dense(name)
        for part in ("gate_proj", "up_proj", "down_proj"):
            if self.config["mlp_bias"]:
                self.tensors.vector(f"{name}.mlp.{part}.bias", len(self.tensors[f"{name}.mlp.{part}.weight"]), 0, 0.3)


class Qwen3(Dense):
    config = {**SIZES, "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "attention_bias": False, "head_dim": 12,
              "intermediate_size": 64, "max_window_layers": 3, "num_key_value_heads": 2, "rms_norm_eps": 1e-6,
              "rope_scaling": None, "rope_theta": 1000000, "sliding_window": None, "use_sliding_window": False}


class Olmo2(Dense):
    config = {**SIZES, "architectures": ["Olmo2ForCausalLM"], "model_type": "olmo2", "attention_bias": False,
              "intermediate_size": 64, "rms_norm_eps": 1e-6, "rope_scaling": None, "rope_theta": 500000}
    norms, qk_norm = ("post_attention_layernorm", "post_feedforward_layernorm"), "all"


class GptOss(Family):
    """Some of the values of gate and up are beyond swiglu_limit."""

    yarn = dict(beta_fast=32.0, beta_slow=1.0, factor=32.0, original_max_position_embeddings=4096, rope_type="yarn", truncate=False)
    config = {**SIZES, "architectures": ["GptOssForCausalLM"], "model_type": "gpt_oss", "attention_bias": True,
              "experts_per_token": 2, "head_dim": 8, "initial_context_length": 4096, "intermediate_size": 32,
              "layer_types": ["sliding_attention", "full_attention", "sliding_attention"], "num_experts_per_tok": 2,
              "num_key_value_heads": 2, "num_local_experts": 8, "rms_norm_eps": 1e-5, "rope_scaling": yarn,
              "rope_theta": 150000, "sliding_window": 12, "swiglu_limit": 7.0}
    qk_norm, router_gain = None, 1.5

    def is_sparse(self, layer):
        return True

    def attention(self, layer, name):
        super().attention(layer, name)
        self.tensors.vector(name + ".sinks", self.queries, 0, 1)

    def mixture(self, layer, name):
        count, width, random = self.expert_count(layer), self.config["intermediate_size"], self.tensors.random
        self.tensors.matrix(name + ".mlp.router", count, self.hidden, self.router_gain)
        self.tensors.vector(name + ".mlp.router.bias", count, 0, 0.3)
        experts = name + ".mlp.experts."
        self.tensors[experts + "gate_up_proj"] = random.normal(0, 4 / np.sqrt(self.hidden), (count, self.hidden, 2 * width))
        self.tensors[experts + "down_proj"] = random.normal(0, 0.1 / np.sqrt(width), (count, width, self.hidden))
        self.tensors.vector(experts + "gate_up_proj_bias", (count, 2 * width), 0, 0.5)
        self.tensors.vector(experts + "down_proj_bias", (count, self.hidden), 0, 0.2)


class FlameMoe(Family):
    """Megatron's names and, in place of a configuration, its arguments."""

    config = dict(num_layers=3, hidden_size=32, ffn_hidden_size=48, moe_ffn_hidden_size=16, num_attention_heads=4,
                  num_query_groups=4, group_query_attention=False, kv_channels=8, num_experts=16, moe_router_topk=3,
                  moe_shared_expert_intermediate_size=32, moe_layer_freq=[0, 1, 1], norm_epsilon=1e-6,
                  normalization="RMSNorm", rotary_base=10000, rotary_percent=1.0, rotary_interleaved=False,
                  position_embedding_type="rope", swiglu=True, add_bias_linear=False,
                  untie_embeddings_and_output_weights=True, moe_router_dtype="fp32", moe_router_pre_softmax=True,
                  moe_router_score_function="softmax", moe_router_topk_scaling_factor=None, moe_router_num_groups=None,
                  moe_router_group_topk=None, moe_router_enable_expert_bias=False, moe_shared_expert_gate=False,
                  padded_vocab_size=96, max_position_embeddings=2048)
    config_name, dtype_key = "args.json", "params_dtype"
    embedding, final_norm, head = "embedding.word_embeddings", "decoder.final_layernorm", "output_layer"
    router_gain = 2.0

    def __init__(self, config, random, score_bias=0.1, extras=False):
        self.arguments = config
        super().__init__({**config, "num_hidden_layers": config["num_layers"], "num_key_value_heads": config["num_query_groups"],
                          "head_dim": config["kv_channels"], "vocab_size": config["padded_vocab_size"],
                          "tie_word_embeddings": not config["untie_embeddings_and_output_weights"]}, random, score_bias, extras)

    def config_in_file(self):
        return self.arguments

    def layer_name(self, layer):
        return f"decoder.layers.{layer}"

    def is_sparse(self, layer):
        return self.config["moe_layer_freq"][layer]

    def fc(self, name, width):
        self.tensors.matrix(name + ".linear_fc1", 2 * width, self.hidden)
        self.tensors.matrix(name + ".linear_fc2", self.hidden, width)

    def layer(self, layer, name):
        self.tensors.matrix(name + ".self_attention.linear_proj", self.hidden, self.queries * self.dim)
        self.tensors.vector(name + ".self_attention.linear_qkv.layer_norm_weight", self.hidden, 1, 0.2)
        self.tensors.matrix(name + ".self_attention.linear_qkv", (self.queries + 2 * self.keys) * self.dim, self.hidden)
        if not self.is_sparse(layer):
            self.tensors.vector(name + ".mlp.linear_fc1.layer_norm_weight", self.hidden, 1, 0.2)
            return self.fc(name + ".mlp", self.config["ffn_hidden_size"])
        self.norm(name + ".pre_mlp_layernorm", self.hidden)
        count, width, random = self.config["num_experts"], self.config["moe_ffn_hidden_size"], self.tensors.random
        self.tensors.matrix(name + ".mlp.router", count, self.hidden, self.router_gain)
        experts = name + ".mlp.experts.experts."
        self.tensors[experts + "linear_fc1.weight"] = random.normal(0, self.hidden ** -0.5, (count, 2 * width, self.hidden))
        self.tensors[experts + "linear_fc2.weight"] = random.normal(0, width ** -0.5, (count, self.hidden, width))
        if self.config["moe_shared_expert_intermediate_size"]:
            self.fc(name + ".mlp.shared_experts", self.config["moe_shared_expert_intermediate_size"])


class Qwen3Next(QwenMoe):
    """With an epsilon so large that what a head of the DeltaNet reads is not divided by its length where it is
    nearly 0: rounding would grow with it."""

    linear = dict(full_attention_interval=4, linear_conv_kernel_dim=4, linear_key_head_dim=8, linear_num_key_heads=2,
                  linear_num_value_heads=4, linear_value_head_dim=12)
    config = {**SIZES, **linear, "architectures": ["Qwen3NextForCausalLM"], "model_type": "qwen3_next", "attention_bias": False,
              "decoder_sparse_step": 1, "head_dim": 16, "intermediate_size": 48, "mlp_only_layers": [],
              "moe_intermediate_size": 16, "norm_topk_prob": True, "num_experts": 10, "num_experts_per_tok": 4,
              "num_hidden_layers": 4, "num_key_value_heads": 2, "partial_rotary_factor": 0.25, "rms_norm_eps": 1e-4,
              "rope_scaling": None, "rope_theta": 10000000, "shared_expert_intermediate_size": 20, "use_sliding_window": False}
    norm_mean, shared = 0.0, QwenMoe.gated_shared

    def is_linear(self, layer):
        kinds = self.config.get("layer_types")
        return kinds[layer] == "linear_attention" if kinds else (layer + 1) % self.config["full_attention_interval"] != 0

    def layer(self, layer, name):
        self.self_attn = "linear_attn" if layer is not None and self.is_linear(layer) else "self_attn"
        super().layer(layer, name)

    def is_sparse(self, layer):
        return layer is None or super().is_sparse(layer)

    def attention_shapes(self):
        shapes = super().attention_shapes()
        return {**shapes, "q_proj": (2 * self.queries * self.dim, self.hidden)}

    def attention(self, layer, name):
        if self.self_attn == "self_attn":
            return super().attention(layer, name)
        heads = self.config["linear_num_value_heads"]
        keys = self.config["linear_num_key_heads"] * self.config["linear_key_head_dim"]
        values = heads * self.config["linear_value_head_dim"]
        self.projections(name, keys, values, heads)
        self.tensors.vector(name + ".conv1d.weight", (2 * keys + values, 1, self.config["linear_conv_kernel_dim"]), 0, 0.5)
        self.tensors.matrix(name + ".out_proj", self.hidden, values)
        self.tensors.vector(name + ".norm.weight", self.config["linear_value_head_dim"], 1, 0.2)
        self.tensors.vector(name + ".dt_bias", heads, 0, 0.5)
        self.tensors[name + ".A_log"] = np.log(self.tensors.random.uniform(0.05, 2, heads))

    def projections(self, name, keys, values, heads):
        self.tensors.matrix(name + ".in_proj_qkvz", 2 * keys + 2 * values, self.hidden)
        self.tensors.matrix(name + ".in_proj_ba", 2 * heads, self.hidden)

    def other_parts(self):
        """Multi-token prediction."""
        self.layer(None, "mtp.layers.0")
        self.tensors.matrix("mtp.fc", self.hidden, 2 * self.hidden)
        for name in ("norm", "pre_fc_norm_embedding", "pre_fc_norm_hidden"):
            self.norm("mtp." + name, self.hidden)


class Qwen35Moe(Qwen3Next):
    """The language model in a model of text and images; with text_only by itself."""

    config = {**{key: value for key, value in Qwen3Next.config.items() if key not in (
        "decoder_sparse_step", "mlp_only_layers", "norm_topk_prob", "rope_theta", "rope_scaling", "intermediate_size")},
        "architectures": ["Qwen3_5MoeForConditionalGeneration"], "model_type": "qwen3_5_moe",
        "layer_types": ["linear_attention"] * 3 + ["full_attention"], "mtp_num_hidden_layers": 1, "text_only": False,
        "rope_parameters": {"mrope_interleaved": True, "mrope_section": [1, 1, 0], "partial_rotary_factor": 0.25,
                            "rope_theta": 10000000, "rope_type": "default"}}
    float32, dtype_key = ("A_log", "linear_attn.norm.weight"), "dtype"

    def is_sparse(self, layer):
        return True

    def projections(self, name, keys, values, heads):
        for part, rows in (("qkv", 2 * keys + values), ("z", values), ("b", heads), ("a", heads)):
            self.tensors.matrix(f"{name}.in_proj_{part}", rows, self.hidden)

    def name_in_file(self, name):
        return name if self.config["text_only"] else name.replace("model.", "model.language_model.")

    def other_parts(self):
        super().other_parts()
        self.tensors.vector("visual.patch_embed.proj.weight", (4, 3, 2, 4, 4), 0, 0.1)

    def config_in_file(self):
        config = {key: value for key, value in self.config.items() if key != "text_only"}
        if self.config["text_only"]:
            return {**config, "architectures": ["Qwen3_5MoeForCausalLM"], "model_type": "qwen3_5_moe_text"}
        outside = ("architectures", "model_type", "tie_word_embeddings")
        text = {key: value for key, value in config.items() if key not in ("architectures", "model_type")}
        return {**{key: config[key] for key in outside}, "text_config": {**text, "model_type": "qwen3_5_moe_text"}}


FAMILIES = {
    "afmoe": Afmoe, "bailing_moe_v2": BailingMoeV2, "deepseek_v2": DeepseekV2, "deepseek_v3": DeepseekV3, "dots1": Family,
    "emo": Emo, "flame_moe": FlameMoe, "glm4_moe": Glm4Moe, "glm4_moe_lite": Glm4MoeLite, "gpt_oss": GptOss, "llama": Llama,
    "minimax_m2": MinimaxM2, "mixtral": Mixtral, "olmo2": Olmo2, "olmoe": Olmoe, "qwen2_moe": Qwen2Moe, "qwen3": Qwen3,
    "qwen3_5_moe": Qwen35Moe, "qwen3_moe": Qwen3Moe, "qwen3_next": Qwen3Next}


def tie_experts(family):
    """Experts 1 and 3 of every layer get the rows of expert 5 in the router: exactly the same logits and scores."""
    for name, values in family.tensors.items():
        if name.endswith((family.router + ".weight", family.correction_bias or family.router + ".weight")):
            values[1] = values[3] = values[5]


def is_quantised(family, name, values):
    outside = (family.embedding, family.head, family.router + ".weight", "shared_expert_gate", "embed_tokens", "shared_head")
    return values.ndim == 2 and name.endswith(".weight") and not any(part in name for part in outside)


def to_e4m3(values):
    """The patterns of the nearest numbers."""
    positive = e4m3_values()[:127]
    nearest = np.searchsorted((positive[1:] + positive[:-1]) / 2, np.abs(values))
    return (nearest + np.where(values < 0, 128, 0)).astype(np.uint8)


def scale_rows(values, scale_dtype, largest):
    """8-bit weights, none above `largest`, and their scales [rows, 1]."""
    scale = np.abs(values).max(axis=1, keepdims=True) / largest
    stored = np.frombuffer(to_bytes(scale, scale_dtype), np.uint16 if scale_dtype == "BF16" else np.float32)
    return to_e4m3(np.clip(values / widen(scale_dtype, stored)[:, None], -448, 448)), (scale, scale_dtype)


def scale_blocks(values, largest):
    """8-bit weights, none above `largest`, and the scales of their blocks of 128 x 128; the last ones may be partial."""
    blocks = [-(-size // SCALED_BLOCK) for size in values.shape]
    scale, stored = np.empty(blocks), np.empty(values.shape, np.uint8)
    for row in range(blocks[0]):
        for col in range(blocks[1]):
            block = np.s_[row * SCALED_BLOCK:(row + 1) * SCALED_BLOCK, col * SCALED_BLOCK:(col + 1) * SCALED_BLOCK]
            scale[row, col] = np.float32(np.abs(values[block]).max() / largest)
            stored[block] = to_e4m3(np.clip(values[block] / scale[row, col], -448, 448))
    return stored, (scale, "F32")


def to_mxfp4(values):
    """[..., n] -> blocks [..., n / 32, 16] of two 4-bit numbers a byte and scales [..., n / 32], powers of two."""
    values = values.reshape(*values.shape[:-1], -1, 32)
    exponent = np.floor(np.log2(np.abs(values).max(axis=-1))) - 2
    scaled = values / 2 ** exponent[..., None]
    nearest = np.searchsorted((FP4_SIZES[1:] + FP4_SIZES[:-1]) / 2, np.abs(scaled)) + np.where(scaled < 0, 8, 0)
    return nearest[..., 0::2] | nearest[..., 1::2] << 4, exponent + 127


def quantised(family, typed, scales, scale_dtype, largest):
    """typed: name -> (array, dtype), with the weights in 8 ("block", "row") or 4 bits ("mxfp4")."""
    result = {}
    for name, (values, dtype) in typed.items():
        if scales == "mxfp4" and name.endswith((".gate_up_proj", ".down_proj")):
            blocks, exponents = to_mxfp4(values.transpose(0, 2, 1))
            result[name + "_blocks"], result[name + "_scales"] = (blocks, "U8"), (exponents, "U8")
        elif scales != "mxfp4" and is_quantised(family, name, values):
            stored, scale = scale_rows(values, scale_dtype, largest) if scales == "row" else scale_blocks(values, largest)
            result[name], result[name + ("_scale" if scales == "row" else "_scale_inv")] = (stored, "F8_E4M3"), scale
        else:
            result[name] = (values, dtype)
    return result


def quantization_config(scales):
    if scales == "block":
        return {"activation_scheme": "dynamic", "fmt": "e4m3", "quant_method": "fp8", "weight_block_size": [128, 128]}
    if scales == "mxfp4":
        others = ["model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens", "lm_head"]
        return {"modules_to_not_convert": others, "quant_method": "mxfp4"}
    weights = {"dynamic": False, "num_bits": 8, "observer": "minmax", "strategy": "channel", "symmetric": True, "type": "float"}
    inputs = {"dynamic": True, "num_bits": 8, "strategy": "token", "symmetric": True, "type": "float"}
    return {"config_groups": {"group_0": {"input_activations": inputs, "targets": ["Linear"], "weights": weights}},
            "format": "float-quantized", "ignore": ["lm_head"], "quant_method": "compressed-tensors",
            "quantization_status": "compressed"}


def as_transformers_5(config):
    """rope_parameters in place of rope_theta, rope_scaling and partial_rotary_factor; dtype in place of torch_dtype."""
    config = {**config, "dtype": config["torch_dtype"]}
    scaling = dict(config.pop("rope_scaling", None) or {})
    parameters = {"rope_type": scaling.pop("type", "default"), "rope_theta": config.pop("rope_theta"), **scaling}
    if "partial_rotary_factor" in config:
        parameters["partial_rotary_factor"] = config.pop("partial_rotary_factor")
    config.pop("torch_dtype")
    return {**config, "rope_parameters": parameters}


def build_family(name, seed, score_bias=0.1, extras=False, ties=False, **options):
    config = {key: value for key, value in {**FAMILIES[name].config, **options}.items() if value is not ABSENT}
    family = FAMILIES[name](config, np.random.default_rng(seed), score_bias, extras)
    family.build()
    if ties:
        tie_experts(family)
    return family


def typed_tensors(family, dtype, bias_dtype="F32", fused=False, scales=None, scale_dtype="BF16", largest=448):
    """name -> (array, dtype), as stored."""
    tensors = fuse_experts(family.tensors) if fused else family.tensors
    typed = {family.name_in_file(name): (values, bias_dtype if name.endswith(family.float32) else dtype)
             for name, values in tensors.items()}
    return quantised(family, typed, scales, scale_dtype, largest) if scales else typed


def make_family(directory, name, seed, dtype="BF16", bias_dtype="F32", shards=1, fused=False, scales=None,
                scale_dtype="BF16", largest=448, transformers5=False, **options):
    """A random checkpoint.

    bias_dtype: of the few tensors that are released in F32. fused: a layer's experts in two tensors. scales: "block"
    (F8_E4M3 with weight_scale_inv), "row" (F8_E4M3 with weight_scale in scale_dtype), "mxfp4" (gpt_oss). largest: of
    the 8-bit numbers; where it is small many are subnormal.
    transformers5: its configuration keys. score_bias: the spread of the correction bias; 3 makes many selection
    scores negative. extras: tensors of multi-token prediction or vision. ties: three experts with equal scores.
    Other options replace keys of the family's configuration; ABSENT leaves one out.
    """
    family = build_family(name, seed, **options)
    typed = typed_tensors(family, dtype, bias_dtype, fused, scales, scale_dtype, largest)
    config = {**family.config_in_file(), **({"quantization_config": quantization_config(scales)} if scales else {})}
    text = config.get("text_config", config)
    text[family.dtype_key] = TORCH_NAMES[dtype]
    write_files(directory, family.config_name, as_transformers_5(config) if transformers5 else config, typed, shards)
