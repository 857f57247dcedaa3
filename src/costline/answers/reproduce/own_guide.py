"""The optimisation guide's memory table by costline's own count: Llama 2 70B in 16 bits on A100, one sequence of 4,096.

Knows which cell asks what.
"""

from __future__ import annotations

from costline.answers.answer import Used
from costline.answers.reproduce.case import CALIBRATED, DATASHEET, Case, Own, the_case
from costline.architecture.kv_cache import kv_bytes_per_sequence
from costline.architecture.operations import decode_segment
from costline.architecture.sharding import Layout, layout
from costline.architecture.weights import parameters, weight_bytes
from costline.deployment.grid import Fixed, layouts
from costline.published.cells import Table
from costline.quantities import GIB, GIGA, significant

NAMES = frozenset({"optimization-guide-memory"})
CONTEXT_TOKENS = 4096
_MODEL, _CHIP, _FASTER = "llama-2-70b", "a100-80gb-sxm", "h100-sxm"


def _case(chip: str = _CHIP) -> Case:
    return the_case(_MODEL, chip, "bf16")


def _cache_bytes(case: Case, where: Layout) -> float:
    return float(kv_bytes_per_sequence(case.model, CONTEXT_TOKENS, case.formats.kv, tp=where.tp))


def _fewest(case: Case, calibration: str) -> int:
    """Accelerators of the smallest tensor-parallel group that holds weights and cache."""
    cut = layouts(case.model, case.site.system, max_accelerators=64, fixed=Fixed(pp=1))
    for tp in cut.tp:
        where = layout(tp=tp)
        free = case.bare_bytes(where) if calibration == DATASHEET else case.pool_bytes(where)
        if free >= _cache_bytes(case, where):
            return int(tp)
    raise AssertionError(f"{case.model.id} fits on 64 accelerators")


def _step_s(chip: str, where: Layout, calibration: str) -> float:
    return float(_case(chip).step(decode_segment(1, CONTEXT_TOKENS), where, calibration).expected_s)


def _speed(where: Layout) -> Own:
    """How much faster the newer GPU decodes."""
    cases = _case(_FASTER), _case()
    peaks = [case.site.chip.hbm_bytes_per_s for case in cases]
    shares = [case.rates[CALIBRATED].hbm_bytes_per_s / peak for case, peak in zip(cases, peaks, strict=True)]
    return Own(
        _step_s(_CHIP, where, DATASHEET) / _step_s(_FASTER, where, DATASHEET),
        _step_s(_CHIP, where, CALIBRATED) / _step_s(_FASTER, where, CALIBRATED),
        f"bandwidth ×{significant(peaks[0] / peaks[1])}; kernels sustain {shares[0]:.0%} of it on H100, "
        f"{shares[1]:.0%} on A100, and launches take as long on both",
    )


def own_cells(table: Table) -> dict[tuple[str, str], Own]:
    """The cells of the memory table by row and column."""
    case = _case()
    weights, cache = weight_bytes(case.model, case.formats.weights), _cache_bytes(case, layout())
    few, many = _fewest(case, DATASHEET), _fewest(case, CALIBRATED)
    engine, memory_bytes = case.site.engine, case.site.chip.visible_memory_bytes
    reserve = many * engine.reserve_parallel_bytes
    kept = f"the engine keeps {engine.reserve_parallel_bytes / GIB:.0f} GiB a GPU for activations and graphs"
    count, heads = f"{parameters(case.model).total / GIGA:.2f}e9 parameters", "8 KV heads of 128, not 64"
    call, gpus = "printed call", "A100 80GB"
    return {
        (call, "weights"): Own(weights, weights, count),
        (call, "cache"): Own(cache, cache, heads),
        (call, "activations"): Own(None, reserve, f"not counted one by one: {kept}"),
        (call, "total"): Own(weights + cache, weights + cache + reserve, f"{count}; {heads}; {kept}"),
        (gpus, "GPUs"): Own(few, many, f"calibrated: in {engine.memory_fraction:.0%} of the memory; {kept}"),
        (gpus, "memory of them"): Own(few * memory_bytes, many * memory_bytes, "80 GiB each, not 80 GB"),
        ("H100 over A100", "speed"): _speed(layout(tp=many)),
    }


def own_sources(table: Table) -> tuple[Used, ...]:
    """Facts and equations behind them."""
    return tuple(dict.fromkeys([*_case().sources(0.0), *_case(_FASTER).sources(0.0)]))
