"""What the model could look like: KV heads, latent attention, experts, layers. Its quality is not in question here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from costline.answers.sensitivity.around import Around
from costline.answers.sensitivity.what_if import Effect, WhatIf, ranged
from costline.catalog.records import Attention, Latent, LayerGroup, Model, Moe

LATENT = Latent(q_rank=None, kv_rank=512, nope_dim=128, rope_dim=64)
"""Ranks of DeepSeek's models: one latent vector of 512 and 64 rotated numbers serve all heads."""
LATENT_NOTE = "a latent of 512 + 64 numbers for all heads, as DeepSeek-V2 has; of the same quality by assumption"
SAME_NOTE = "quality changes too; check it"
MORE_LAYERS = 1.25


def architecture(base: Around) -> list[Effect]:
    """Effects of the model's shape."""
    return [*_kv_heads(base.model), *_latent(base.model), *_experts(base.model), _layers(base.model)]


def _grouped(model: Model) -> list[Attention]:
    """Attention with heads of keys and values of its own."""
    found = [group.attention for group in model.layers if group.attention is not None]
    return [one for one in found if one.latent is None and not one.cached_once]


def _routed(model: Model) -> Iterator[Moe]:
    return (group.moe for group in model.layers if group.moe is not None)


def _with_attention(model: Model, change: Callable[[Attention], Attention]) -> Model:
    own = _grouped(model)

    def moved(group: LayerGroup) -> LayerGroup:
        return replace(group, attention=change(group.attention)) if group.attention in own else group

    return replace(model, layers=tuple(map(moved, model.layers)))


def _with_experts(model: Model, change: Callable[[Moe], Moe]) -> Model:
    def moved(group: LayerGroup) -> LayerGroup:
        return replace(group, moe=change(group.moe)) if group.moe is not None else group

    return replace(model, layers=tuple(map(moved, model.layers)))


def _kv_heads(model: Model) -> list[Effect]:
    grouped = _grouped(model)
    if not grouped:
        return []
    now, heads = max(one.kv_heads for one in grouped), max(one.heads for one in grouped)

    def with_heads(value: float) -> WhatIf:
        count = int(value)
        words = {1: "1 (MQA)", heads: f"{count} (MHA)"}.get(count, f"{count}")
        return WhatIf(
            value=count, words=words,
            model=lambda old: _with_attention(old, lambda one: replace(one, kv_heads=min(count, one.heads))),
        )  # fmt: skip

    effect = Effect(
        name="kv_heads", group="architecture", label="KV heads", unit="heads", base=now, at=with_heads, note=SAME_NOTE
    )
    return [ranged(effect, 1, heads)]


def _latent(model: Model) -> list[Effect]:
    if not _grouped(model):
        return []

    def latent(one: Attention) -> Attention:
        return replace(
            one, latent=LATENT, kv_heads=one.heads, head_dim=LATENT.nope_dim + LATENT.rope_dim,
            value_dim=LATENT.nope_dim,
        )  # fmt: skip

    what = WhatIf(value="mla", words="MLA", model=lambda old: _with_attention(old, latent))
    return [
        Effect(
            name="attention_mla", group="architecture", label="latent attention (MLA)", unit="", base="grouped query",
            high=what, note=LATENT_NOTE,
        )
    ]  # fmt: skip


def _experts(model: Model) -> list[Effect]:
    routed = list(_routed(model))
    if not routed:
        return []
    experts, top_k = max(one.experts for one in routed), max(one.top_k for one in routed)
    each = Effect(
        name="experts", group="architecture", label="experts, each as wide", unit="experts", base=experts,
        at=lambda value: WhatIf(
            value=int(value), words=f"{int(value)}",
            model=lambda old: _with_experts(old, lambda one: replace(one, experts=int(value))),
        ),
        note=f"active parameters stay, total ones change; {SAME_NOTE}",
    )  # fmt: skip
    chosen = Effect(
        name="top_k", group="architecture", label="experts of a token", unit="experts", base=top_k,
        at=lambda value: WhatIf(
            value=int(value), words=f"{int(value)}",
            model=lambda old: _with_experts(old, lambda one: replace(one, top_k=int(value))),
        ),
        note=SAME_NOTE,
    )  # fmt: skip
    return [ranged(each, max(experts // 2, top_k), 2 * experts), ranged(chosen, top_k // 2 or None, 2 * top_k)]


def _layers(model: Model) -> Effect:
    now = sum(group.count for group in model.layers)

    def stacked(value: float) -> WhatIf:
        def deeper(old: Model) -> Model:
            return replace(old, layers=tuple(
                replace(group, count=max(round(group.count * value / now), 1)) for group in old.layers
            ))  # fmt: skip

        return WhatIf(value=int(value), words=f"{int(value)}", model=deeper)

    effect = Effect(
        name="layers", group="architecture", label="layers", unit="layers", base=now, at=stacked, note=SAME_NOTE
    )
    return ranged(effect, round(now / MORE_LAYERS), round(now * MORE_LAYERS))
