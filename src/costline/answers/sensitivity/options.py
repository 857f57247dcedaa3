"""What could be chosen otherwise: number formats, degrees, batch, chunk, and another accelerator."""

from __future__ import annotations

from typing import Any

from costline.answers.plan.what_helps import RELAX
from costline.answers.scenario import Scenario
from costline.answers.search.rows import plan_of
from costline.answers.sensitivity.around import Around
from costline.answers.sensitivity.what_if import Effect, WhatIf, ranged
from costline.catalog import find
from costline.catalog.load import chips

WEIGHTS = ("bf16", "fp8", "int8", "int4", "nvfp4")
CACHES = ("bf16", "fp8")
UNITS = {"fp8": "fp8", "nvfp4": "fp4"}
"""Formats that are worth a try only where the accelerator multiplies them."""
TENTH = 0.1
LOSSY = ("int4", "nvfp4")
MOST_RIVALS, SMALLEST_SHARE = 4, 0.4
NO_PRICE = {"accelerator_usd_per_hour": None, "offer": None}
"""The reference offer of each accelerator."""


def options(base: Around, question: Scenario | None = None) -> list[Effect]:
    """Effects of choices; with the question as it was asked, of pools and drafts too."""
    own = [*_weights(base), *_caches(base), *_degrees(base), _batch(base), _chunk(base)]
    beside = [] if question is None else [*_pools(question), *_drafts(question)]
    return [*own, *beside, *_accelerators(base)]


def _choice(name: str, label: str, now: str, *, other: str, blocks: dict[str, Any], note: str = "") -> Effect:
    return Effect(
        name=name, group="options", label=label, unit="", base=now,
        high=WhatIf(value=other, words=other, blocks=blocks), note=note,
    )  # fmt: skip


def _weights(base: Around) -> list[Effect]:
    group = base.group
    has = {name for name, rate in group.site.chip.dense_flop_per_s.items() if rate}
    tried = [name for name in WEIGHTS if UNITS.get(name, "bf16") in has and name != group.option.label]
    return [
        _choice(
            f"weights_{name}", "weights", group.option.label, other=name, blocks={"model": {"weights": name}},
            note="check quality" if name in LOSSY else "",
        )
        for name in tried
    ]  # fmt: skip


def _caches(base: Around) -> list[Effect]:
    now = base.group.option.formats.kv
    return [
        _choice(f"kv_{name}", "KV cache", now, other=name, blocks={"model": {"kv_cache": name}})
        for name in CACHES
        if name != now
    ]


def _degrees(base: Around) -> list[Effect]:
    now = plan_of(base.group, base.row)
    lane = now.tp * now.dp

    def cut(value: float) -> WhatIf:
        tp = int(value)
        degrees = {"tp": tp, "pp": now.pp, "dp": now.dp, "ep": tp * now.dp if now.ep == lane and lane > 1 else now.ep}
        return WhatIf(value=tp, words=f"TP{tp}", blocks={"deployment": degrees}, resized=True)

    effect = Effect(
        name="tp", group="options", label="tensor parallel degree", unit="", base=now.tp, at=cut,
        note="chosen anew: batch and replicas for that degree",
    )  # fmt: skip
    most = base.scenario.system.max_accelerators // (now.pp * now.dp)
    return [ranged(effect, now.tp // 2 or None, 2 * now.tp if 2 * now.tp <= most else None)]


def _batch(base: Around) -> Effect:
    now = plan_of(base.group, base.row).batch

    def sized(value: float) -> WhatIf:
        block = {"deployment": {"batch": int(value)}}
        return WhatIf(value=int(value), words=f"{int(value)}", blocks=block, resized=True)

    effect = Effect(
        name="batch", group="options", label="most sequences of a replica", unit="sequences", base=now, at=sized,
        note="chosen anew: layout and replicas for that batch",
    )  # fmt: skip
    most = base.scenario.deployment.engine.max_sequences
    return ranged(effect, now // 2 or None, min(2 * now, most))


def _chunk(base: Around) -> Effect:
    now = base.scenario.deployment.engine.max_batched_tokens

    def chunked(value: float) -> WhatIf:
        block = {"deployment": {"engine": {"max_batched_tokens": int(value)}}}
        return WhatIf(value=int(value), words=f"{int(value):,} tokens", blocks=block)

    effect = Effect(
        name="chunk_tokens", group="options", label="prompt tokens of one step", unit="tokens", base=now, at=chunked
    )
    return ranged(effect, max(now / RELAX, 1.0), now * RELAX)


def _accelerators(base: Around) -> list[Effect]:
    """Other accelerators on sale, one by one: those with the most bandwidth and the most FLOP/s for the money."""
    now = base.group.site.chip.id
    found: list[Effect] = []
    for chip in _rivals(base):
        blocks = {"system": {"accelerator": [chip]}, "price": NO_PRICE}
        what = WhatIf(value=chip, words=chip, blocks=blocks, held=False)
        label = "another accelerator"
        found.append(Effect(name=f"accelerator_{chip}", group="options", label=label, unit="", base=now, high=what))
    return found


def _pools(question: Scenario) -> list[Effect]:
    """Prefill and decode on machines of their own, unless the question rules it out."""
    fixed = question.deployment
    if fixed.disaggregated is False or fixed.replicas != "auto":
        return []
    block = {"deployment": {"disaggregated": True, "kv_transfer": fixed.kv_transfer, "cp": fixed.cp}}
    what = WhatIf(value="separate pools", words="separate pools", blocks=block, held=False)
    return [
        Effect(name="disaggregated", group="options", label="prefill and decode", unit="", base="together", high=what)
    ]


def _drafts(question: Scenario) -> list[Effect]:
    """The draft that the question allows, a little less and more often right."""
    draft = question.deployment.speculation
    if draft is None:
        return []

    def accepted(value: float) -> WhatIf:
        given = {**draft.model_dump(), "acceptance": value}
        words = f"{draft.draft}, {value:.2f} accepted"
        return WhatIf(value=value, words=words, blocks={"deployment": {"speculation": given}}, held=False)

    chance = Effect(name="draft", group="options", label="drafted tokens", unit="accepted", base="none", at=accepted)
    return [ranged(chance, max(draft.acceptance - TENTH, 0.0), min(draft.acceptance + TENTH, 1.0))]


def _rivals(base: Around) -> list[str]:
    """Ids by turns from both orders; parts with far less memory than the plan's are no alternative."""
    now = base.group.site.chip
    ratios: list[tuple[str, float, float]] = []
    for chip in chips().values():
        offer = find.reference_offer(chip.id)
        roomy = chip.memory_bytes >= SMALLEST_SHARE * now.memory_bytes
        if chip.id != now.id and chip.status == "shipping" and chip.dense_flop_per_s and offer and roomy:
            price, peak = offer.usd_per_accelerator_hour, max(rate for rate in chip.dense_flop_per_s.values() if rate)
            ratios.append((chip.id, chip.hbm_bytes_per_s / price, peak / price))
    by_bandwidth = sorted(ratios, key=lambda one: -one[1])
    by_arithmetic = sorted(ratios, key=lambda one: -one[2])
    turns = (one[0] for pair in zip(by_bandwidth, by_arithmetic, strict=True) for one in pair)
    return list(dict.fromkeys(turns))[:MOST_RIVALS]
