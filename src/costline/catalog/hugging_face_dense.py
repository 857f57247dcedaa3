"""Families with dense layers of softmax attention: from their `config.json` to layers.

Knows what sets each family apart: biases, norms, windows.
"""

from __future__ import annotations

from dataclasses import replace

from costline.catalog.hugging_face_fields import Fields
from costline.catalog.hugging_face_parts import attention_of
from costline.catalog.hugging_face_stack import (
    WINDOW,
    Stack,
    even,
    every,
    kinds_of,
    one_window,
    qwen_windows,
    stack,
    with_windows,
)


def llama(f: Fields) -> Stack:
    """Llama and all that share its shape; a window, if there is one, holds for every layer."""
    return even(f, attention_of(f), one_window(f))


def phi3(f: Fields) -> Stack:
    """Phi-3 and Phi-4: Llama's shape with fused matrices and no biases."""
    return even(f, attention_of(f, qkv_bias=False, output_bias=False), one_window(f))


def qwen2(f: Fields) -> Stack:
    """Qwen 2, 2.5 and MiMo-7B: biases on queries, keys and values only."""
    return even(f, attention_of(f, qkv_bias=True, output_bias=False), qwen_windows(f))


def olmo2(f: Fields) -> Stack:
    """OLMo 2: norms over all queries and all keys."""
    return even(f, attention_of(f, qk_norm="full"), one_window(f))


def gemma(f: Fields) -> Stack:
    """Gemma 1: Llama's shape with tied embeddings."""
    return replace(even(f, attention_of(f), one_window(f)), tied=True)


def gemma2(f: Fields) -> Stack:
    """Gemma 2: windows in every other layer, norms before and after each block."""
    attentions = with_windows(f, attention_of(f), kinds_of(f, every(f, 2, WINDOW)))
    return replace(stack(f, attentions, norms=4), tied=True)


def gemma3(f: Fields) -> Stack:
    """Gemma 3: five windowed layers to a full one, norms on queries and keys."""
    step = f.count("sliding_window_pattern", "_sliding_window_pattern", default=6)
    attentions = with_windows(f, attention_of(f, qk_norm="head"), kinds_of(f, every(f, step, WINDOW)))
    return replace(stack(f, attentions, norms=4), tied=True)
