"""Erdil 2025: the paper's figures as data. Figure 2 is other people's measurements and is not computed.

Knows which settings of the model give which figure. Knows no physics and draws nothing.
"""

from __future__ import annotations

import numpy as np

from costline.published.cells import FigureData, Series
from costline.published.erdil_2025_data import find_gpu, find_model
from costline.published.erdil_2025_frontier import Frontier, sample_frontier
from costline.published.erdil_2025_grid import frontier, grid
from costline.published.erdil_2025_latency import EARLIER
from costline.published.erdil_2025_toy import infinite_bandwidth_latency_s
from costline.quantities import KILO, MEGA

_DRAFT = "Llama_3_8B"
_SMALL_CACHE_DRAFT = "Llama_3_8B_MQA"
_SHORT, _LONG = 1.0, 100 * KILO


def infinite_bandwidth_frontier(model: str, gpu: str, demand_tokens_per_s: float = np.inf) -> Frontier:
    """The frontier of section 2.2, at one position of context, for an instance whose demand is limited."""
    shape, chip = find_model(model), find_gpu(gpu)
    n_gpu, batch = grid(shape, chip)
    latency_s = np.asarray(infinite_bandwidth_latency_s(model, gpu, n_gpu, batch), dtype=np.float64)
    return sample_frontier(shape, chip, latency_s, (n_gpu, batch), context=1.0, demand_tokens_per_s=demand_tokens_per_s)


def _series(name: str, curve: Frontier) -> Series:
    return Series(name=name, x=tuple(curve.tokens_per_s.tolist()), y=tuple(curve.usd_per_mtok.tolist()))


def _figure(number: int, title: str, series: list[Series], note: str = "") -> FigureData:
    return FigureData(
        name=f"erdil-2025-figure-{number}",
        title=title,
        source=f"[erdil-2025] Figure {number}",
        x_label="interactivity (tokens/s/user)",
        y_label="cost ($ per million output tokens)",
        x_log=False,
        y_log=True,
        series=tuple(series),
        note=note,
    )


def figure_1() -> FigureData:
    """Unlimited network bandwidth, under two demands."""
    series = [
        _series(f"{label} ({demand} token/s)", infinite_bandwidth_frontier(model, "H100", limit))
        for label, model in (("Llama 3 8B", "Llama_3_8B"), ("Llama 3 70B", "Llama_3_70B"))
        for demand, limit in (("1M", MEGA), ("10K", 10 * KILO))
    ]
    return _figure(1, "Speed and cost with unlimited network bandwidth, H100", series)


def figure_3() -> FigureData:
    """Five models, no speculation."""
    models = {
        "GPT-4": "GPT_4",
        "Llama 3.1 405B": "Llama_3_405B",
        "Llama 3 70B": "Llama_3_70B",
        "DeepSeek-V3": "DeepSeek_V3",
        "Mixtral 8x22B": "Mixtral_8x22B",
    }
    note = "The Llama curves are labelled 8-bit in print but come from 16-bit weights"
    return _figure(
        3,
        "Speed and cost without speculative decoding, H100",
        [_series(label, frontier(model, "H100")) for label, model in models.items()],
        note,
    )


def figure_4() -> FigureData:
    """Five models drafted by Llama 3 8B."""
    models = {
        "GPT-4": "GPT_4",
        "Llama 3.1 405B (8-bit)": "Llama_3_405B_8_bit",
        "Llama 3 70B (8-bit)": "Llama_3_70B_8_bit",
        "DeepSeek-V3": "DeepSeek_V3",
        "Mixtral 8x22B": "Mixtral_8x22B",
    }
    series = [_series(label, frontier(model, "H100", _DRAFT)) for label, model in models.items()]
    return _figure(4, "Speed and cost with speculative decoding, H100", series)


def figure_6() -> FigureData:
    """Three GPUs."""
    series = [_series(f"{gpu} SXM", frontier("Llama_3_70B_8_bit", gpu)) for gpu in ("H100", "A100", "V100")]
    return _figure(6, "Speed and cost of Llama 3 70B at 8-bit weights, by GPU", series)


def figure_7() -> FigureData:
    """With and without speculation, by the code of 2025-05-22 as in Table 5."""
    series = [
        _series(label + suffix, frontier(model, "H100", draft, revision=EARLIER))
        for label, model in (("Llama 3 70B", "Llama_3_70B"), ("Llama 3.1 405B", "Llama_3_405B"))
        for suffix, draft in (("", None), (" (S)", _DRAFT))
    ]
    return _figure(7, "Speed and cost with (S) and without speculative decoding, 16-bit weights, H100", series)


def figure_8() -> FigureData:
    """Three weight precisions."""
    models = {"4-bit": "Llama_3_70B_4_bit", "8-bit": "Llama_3_70B_8_bit", "16-bit": "Llama_3_70B"}
    series = [_series(f"{label} weights", frontier(model, "H100")) for label, model in models.items()]
    return _figure(8, "Speed and cost of Llama 3 70B by weight precision, H100", series)


def _by_context(number: int, label: str, model: str, note: str = "") -> FigureData:
    series = [
        _series(name, frontier(model, "H100", _SMALL_CACHE_DRAFT, context=context))
        for name, context in (("short context", _SHORT), ("100K context", _LONG))
    ]
    title = f"Speed and cost of {label} by context length, with speculation, H100"
    return _figure(number, title, series, note)


def figure_9() -> FigureData:
    """Mistral Large 2 at short and long contexts, drafted by a multi-query Llama 3 8B."""
    return _by_context(9, "Mistral Large 2", "Mistral_Large_2")


def figure_10() -> FigureData:
    """DeepSeek-V3 at short and long contexts, drafted by a multi-query Llama 3 8B."""
    note = (
        "The text reads six times cheaper than Mistral Large 2 from this figure; the model gives 2.5 times with "
        "speculation, as drawn, and six without"
    )
    return _by_context(10, "DeepSeek-V3", "DeepSeek_V3", note)
