"""Erdil 2025: the numbers that stand in the paper's running text, recomputed.

Knows where a number of the text follows from the paper's model and where it does not.
"""

from __future__ import annotations

from costline.published.cells import Cell, Table
from costline.published.erdil_2025_data import find_gpu, find_model
from costline.published.erdil_2025_grid import frontier
from costline.published.erdil_2025_latency import EARLIER
from costline.published.erdil_2025_printed import all_reduce_bandwidth_s
from costline.published.erdil_2025_toy import least_sharded_latency_s, optimal_gpus, square_root_law_tokens_per_s
from costline.quantities import GIGA, HOUR_S, KILO, MEGA, MICRO, MILLI, PERCENT

_CONTEXT = 100 * KILO
_TEXT_USD_PER_HOUR = 2.0


def _toy_cells() -> list[Cell]:
    """Section 2."""
    gpt4, hbm = find_model("GPT_4"), find_gpu("H100").hbm_bytes_per_s
    spec = (gpt4.weights_bytes, gpt4.layers, hbm)
    fastest = float(optimal_gpus(*spec) * least_sharded_latency_s(*spec))
    by_law = [float(square_root_law_tokens_per_s(400, 8, size)) for size in (70, 405)]
    palm_ms = [4.0 / float(square_root_law_tokens_per_s(1, 8, size)) for size in (62, 540)]
    note = "the law from 8B at 4 ms; the paper calls the agreement almost exact"
    return [
        Cell(row="footnote 1", column="bytes per layer, 70e9 weights in 80 layers", published=1.75,
             computed=70 * GIGA * 2 / 80 / GIGA, unit="GB", decimals=2),
        Cell(row="footnote 1", column="GPUs whose 50 MB caches hold a layer", published=35,
             computed=70 * GIGA * 2 / 80 / (50 * MEGA)),
        Cell(row="Eq. 17", column="cost at the least latency over least cost, GPT-4", published=3,
             computed=fastest / (gpt4.weights_bytes / hbm)),
        Cell(row="section 2.2.3", column="70B from 8B at 400 token/s", published=135, computed=by_law[0],
             unit="token/s"),
        Cell(row="section 2.2.3", column="405B from 8B at 400 token/s", published=56, computed=by_law[1],
             unit="token/s"),
        Cell(row="section 2.2.3", column="PaLM 62B latency", published=13, computed=palm_ms[0], unit="ms",
             expected_match=False, note=note),
        Cell(row="section 2.2.3", column="PaLM 540B latency", published=32, computed=palm_ms[1], unit="ms",
             expected_match=False, note=note),
    ]  # fmt: skip


def _model_cells() -> list[Cell]:
    """Section 3."""
    h100, deepseek = find_gpu("H100"), find_model("DeepSeek_V3")
    sweep_s = h100.hbm_bytes / h100.hbm_bytes_per_s
    reduce_s = float(all_reduce_bandwidth_s(2 * 10 * KILO * 100, 8, 112 * GIGA))
    return [
        Cell(row="Eq. 24", column="bandwidth time of one all-reduce", published=16, computed=reduce_s / MICRO,
             unit="µs"),
        Cell(row="section 3.1", column="arithmetic of latent attention over plain", published=4,
             computed=deepseek.attention_dim / deepseek.head_dim),
        Cell(row="section 3.5", column="reading all of an H100's memory", published=24, computed=sweep_s / MILLI,
             unit="ms"),
        Cell(row="section 3.5", column="speed at which all memory is read once a token", published=41,
             computed=1 / sweep_s, unit="token/s"),
    ]  # fmt: skip


def _speculation_and_precision_cells() -> list[Cell]:
    """Sections 4.1, 4.2 and the prefill remark of 4.3."""
    h100, llama = find_gpu("H100"), find_model("Llama_3_70B")
    gain: dict[str, float] = {}
    for name in ("Llama_3_70B", "Llama_3_405B"):
        drafted, plain = (frontier(name, "H100", draft, revision=EARLIER) for draft in ("Llama_3_8B", None))
        gain[name] = drafted.preferred().tokens_per_s / plain.preferred().tokens_per_s
    sustained = h100.peak_flop_per_s(llama.weight_bytes) * h100.derate_flop
    full_usd_per_mtok = MEGA * 2 * llama.active_parameters / sustained * h100.usd_per_hour / HOUR_S
    share = full_usd_per_mtok / frontier("Llama_3_70B", "H100").preferred().usd_per_mtok
    return [
        Cell(row="section 4.1", column="speed gain of speculation, 70B", published=66,
             computed=PERCENT * (gain["Llama_3_70B"] - 1), unit="%", expected_match=False,
             note="Table 5 itself gives 38 %"),
        Cell(row="section 4.1", column="speed gain of speculation, 405B", published=2, computed=gain["Llama_3_405B"],
             note="at a cost 12 % higher, where the text says a fixed cost"),
        Cell(row="section 4.2", column="speed gain of halving the precision", published=26,
             computed=PERCENT * (2 ** (1 / 3) - 1), unit="%"),
        Cell(row="section 4.3", column="cost of 70B at full utilization", published=0.11, computed=full_usd_per_mtok,
             unit="USD/Mtok", decimals=2, expected_match=False,
             note="0.118 at 2.10 USD/h; 0.111 at 2 USD/h and 70e9 weights; full means 70 % of peak"),
        Cell(row="section 4.3", column="utilization of 16-bit weights in Table 6", published=17,
             computed=PERCENT * share, unit="%"),
    ]  # fmt: skip


def _long_context_cells() -> list[Cell]:
    """Section 4.3."""
    mistral, deepseek, h100 = find_model("Mistral_Large_2"), find_model("DeepSeek_V3"), find_gpu("H100")
    kv_bytes = mistral.kv_bytes_per_position * _CONTEXT
    kv_usd_per_mtok = MEGA * kv_bytes / h100.hbm_bytes_per_s * _TEXT_USD_PER_HOUR / HOUR_S
    return [
        Cell(row="section 4.3", column="KV cache per token, Mistral Large 2", published=360,
             computed=mistral.kv_bytes_per_position / KILO, unit="kB"),
        Cell(row="section 4.3", column="KV cache at 100K tokens, Mistral Large 2", published=36,
             computed=kv_bytes / GIGA, unit="GB"),
        Cell(row="section 4.3", column="weights, Mistral Large 2", published=244,
             computed=mistral.weights_bytes / GIGA, unit="GB", expected_match=False,
             note="244 is twice 122e9; the code's architecture has 122.6e9 weights"),
        Cell(row="section 4.3", column="batch at which the cache outweighs the weights", published=7,
             computed=mistral.weights_bytes / kv_bytes),
        Cell(row="section 4.3", column="cost of reading the KV cache", published=6.06, computed=kv_usd_per_mtok,
             unit="USD/Mtok", decimals=2, expected_match=False,
             note="6.06 follows from 36 GB; the cache is 36.04 GB"),
        Cell(row="section 4.3", column="KV cache per token, DeepSeek-V3", published=60,
             computed=deepseek.kv_bytes_per_position / KILO, unit="kB", decimals=-1),
        Cell(row="section 4.3", column="KV cache of Mistral Large 2 over DeepSeek-V3", published=6,
             computed=mistral.kv_bytes_per_position / deepseek.kv_bytes_per_position),
    ]  # fmt: skip


def text_numbers() -> Table:
    """Every number of the running text that the model, or arithmetic on its inputs, gives."""
    cells = [*_toy_cells(), *_model_cells(), *_speculation_and_precision_cells(), *_long_context_cells()]
    return Table(
        name="erdil-2025-text",
        title="Numbers of the running text",
        source="[erdil-2025] sections 2-4",
        cells=tuple(cells),
    )
