"""Families before Llama, with plain two-matrix blocks and shifted norms: from their `config.json` to layers.

Knows GPT-2, GPT-J, GPT-NeoX, Phi-1 and 2, BLOOM, Falcon and Nemotron-4.
"""

from __future__ import annotations

from dataclasses import replace

from costline.catalog.hugging_face_fields import Fields
from costline.catalog.hugging_face_parts import attention_of, depth_of, hidden_of, mlp_of
from costline.catalog.hugging_face_stack import Stack
from costline.catalog.records import Attention, LayerGroup


def gpt2(f: Fields) -> Stack:
    """GPT-2: learned positions, biases everywhere, tied embeddings."""
    one = _layer(f, _biased(f), norms=2, parallel=False)
    positions = f.count("n_positions", "max_position_embeddings")
    return replace(_plain(f, one), tied=True, position_embeddings=positions)


def gptj(f: Fields) -> Stack:
    """GPT-J: attention and feed-forward side by side, one norm, a head with biases."""
    attention = attention_of(f, qkv_bias=False, output_bias=False)
    stack = _plain(f, _layer(f, attention, norms=1, parallel=True))
    return replace(stack, extra_parameters=f.count("vocab_size"), notes=("the head's biases count as extra",))


def gpt_neox(f: Fields) -> Stack:
    """GPT-NeoX and Pythia: attention and feed-forward side by side, two norms."""
    bias = f.flag("attention_bias", default=True)
    attention = attention_of(f, qkv_bias=bias, output_bias=bias)
    return _plain(f, _layer(f, attention, norms=2, parallel=f.flag("use_parallel_residual", default=True)))


def phi(f: Fields) -> Stack:
    """Phi-1, 1.5 and 2: attention and feed-forward side by side, one norm, biases everywhere."""
    stack = _plain(f, _layer(f, _biased(f), norms=1, parallel=True))
    return replace(stack, extra_parameters=f.count("vocab_size"), notes=("the head's biases count as extra",))


def bloom(f: Fields) -> Stack:
    """BLOOM: biases everywhere, a norm after the embedding, tied embeddings."""
    stack = _plain(f, _layer(f, _biased(f), norms=2, parallel=False))
    return replace(
        stack, tied=True, extra_parameters=2 * hidden_of(f), notes=("the norm after the embedding counts as extra",)
    )


def falcon(f: Fields) -> Stack:
    """Falcon: multi-query or grouped attention beside the feed-forward, tied embeddings."""
    new = f.flag("new_decoder_architecture", default=False)
    parallel = new or f.flag("parallel_attn", default=True)
    heads = f.count("num_attention_heads", "n_head")
    single = f.flag("multi_query", default=True) and not new
    groups = 1 if single else f.count("num_kv_heads", "n_head_kv", default=heads)
    bias = f.flag("bias", default=False)
    attention = attention_of(f, kv_heads=groups, qkv_bias=bias, output_bias=bias)
    norms = f.count("num_ln_in_parallel_attn", default=2 if new else 1) if parallel else 2
    one = _layer(f, attention, norms=norms, parallel=parallel, bias=bias)
    return replace(_plain(f, one), tied=True)


def nemotron(f: Fields) -> Stack:
    """Nemotron-4: squared ReLU, norms with shift."""
    return _plain(f, _layer(f, attention_of(f), norms=2, parallel=False, bias=f.flag("mlp_bias", default=False)))


def _biased(f: Fields) -> Attention:
    return attention_of(f, qkv_bias=True, output_bias=True)


def _layer(f: Fields, attention: Attention, *, norms: int, parallel: bool, bias: bool = True) -> LayerGroup:
    """A layer with `norms` shifted norms and a two-matrix block, four times the hidden width unless stated."""
    hidden = hidden_of(f)
    mlp = mlp_of(f, matrices=2, default=4 * hidden, bias=bias)
    return LayerGroup(1, attention, mlp=mlp, norm_parameters=2 * norms * hidden, parallel=parallel)


def _plain(f: Fields, layer: LayerGroup) -> Stack:
    return Stack([layer] * depth_of(f), final_norm=2 * hidden_of(f))
