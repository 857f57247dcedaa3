"""The TPU serving chapter by costline's own physics: what fits on a v5e slice, how fast it decodes, what it costs.

One model and one context as in the chapter; every slice one tensor-parallel group. Knows which cell asks what.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from costline.answers.answer import Used
from costline.answers.reproduce.case import CALIBRATED, DATASHEET, Case, Own, in_ms, parts_s, the_case
from costline.architecture.kv_cache import kv_bytes_per_sequence, kv_bytes_per_token
from costline.architecture.operations import decode_segment
from costline.architecture.sharding import Layout, layout
from costline.architecture.weights import parameters, weight_bytes
from costline.forward.memory import max_batch
from costline.money.price import fleet_usd_per_hour
from costline.money.unit_cost import usd_per_mtok
from costline.published.cells import Table
from costline.published.scaling_book_inputs import BATCHES, GRID, SMALLEST, chip, workload
from costline.quantities import GIB, GIGA, MILLI, PERCENT, as_array, significant

Owns = dict[tuple[str, str], Own]
_MODEL, _CHIP = "llama-3-70b", "tpu-v5e"


@dataclass(frozen=True)
class _Slice:
    """The model in one format for weights and cache on one slice."""

    number_format: str
    chips: int

    @property
    def case(self) -> Case:
        return the_case(_MODEL, _CHIP, self.number_format, self.number_format)

    @property
    def where(self) -> Layout:
        return layout(tp=self.chips)

    @property
    def cache_bytes(self) -> float:
        """Cache of one sequence on all chips, with KV heads that several chips hold."""
        context = workload()["prompt_tokens"]
        one = kv_bytes_per_sequence(self.case.model, context, self.case.formats.kv, tp=self.where.tp)
        return self.chips * float(one)

    @property
    def repeated(self) -> str:
        """Says so where several chips hold the same KV head."""
        copies = self.cache_bytes / _Slice(self.number_format, 1).cache_bytes
        return f"; each KV head lies on {copies:.0f} chips" if copies > 1 else ""

    def room_bytes(self, calibration: str) -> float:
        """Memory of all chips beside the weights: all there is, or what the engine gives to the cache."""
        one = self.case.bare_bytes(self.where) if calibration == DATASHEET else self.case.pool_bytes(self.where)
        return self.chips * float(one)

    def most(self, calibration: str) -> float:
        """Sequences of the chapter's context that fit."""
        pool = as_array(self.room_bytes(calibration) / self.chips)
        context = workload()["prompt_tokens"]
        return float(max_batch(self.case.model, pool, self.case.formats.kv, context_tokens=context, where=self.where))

    def step_s(self, batch: float, calibration: str) -> float:
        """A decode step at the chapter's context."""
        part = decode_segment(batch, workload()["prompt_tokens"])
        return float(self.case.step(part, self.where, calibration).expected_s)

    def usd_per_mtok(self, batch: float, calibration: str) -> float:
        """Cost of output tokens at the chapter's price."""
        usd_per_hour = fleet_usd_per_hour(self.chips, chip().usd_per_hour)
        return float(usd_per_mtok(usd_per_hour, batch / self.step_s(batch, calibration)))

    def memory_why(self) -> str:
        """What differs in the count of memory."""
        case, engine = self.case, self.case.site.engine
        chip_gib, reserve_gib = (
            size / GIB for size in (case.site.chip.visible_memory_bytes, engine.reserve_parallel_bytes)
        )
        return (
            f"a chip has {chip_gib:.0f} GiB, not 16 GB; {parameters(case.model).total / GIGA:.2f}e9 parameters, not "
            f"70e9{self.repeated}; calibrated: the engine uses {PERCENT * engine.memory_fraction:.0f} % less "
            f"{reserve_gib:.0f} GiB a chip, a reserve fitted on GPUs"
        )

    def step_why(self, batch: float) -> str:
        """Where the step goes; the chapter counts weights, cache and arithmetic at datasheet rates."""
        part = decode_segment(batch, workload()["prompt_tokens"])
        step = parts_s(self.case.step(part, self.where, CALIBRATED))
        fits = [self.most(name) for name in (DATASHEET, CALIBRATED)]
        total = significant(sum(step.values()) / MILLI)
        return (
            f"batch {batch:,.0f} on {self.chips} chips: {total} ms ({in_ms(step)}){self.repeated}{self.case.caveat}; "
            f"{fits[0]:,.0f} sequences fit in all memory, {fits[1]:,.0f} beside the engine's reserve"
        )


def _both(compute: Callable[[str], float | None], why: str) -> Own:
    return Own(compute(DATASHEET), compute(CALIBRATED), why)


def _topology() -> Owns:
    out: Owns = {}
    for name, chips in SMALLEST.items():
        one = _Slice(name, chips)
        case, why = one.case, one.memory_why()
        weights, cache = weight_bytes(case.model, case.formats.weights), kv_bytes_per_token(case.model, case.formats.kv)
        legal = sorted({piece.accelerators for piece in case.site.system.slices})

        def smallest(calibration: str, name: str = name, legal: Iterable[int] = legal) -> float | None:
            return next((size for size in legal if _Slice(name, size).room_bytes(calibration) > 0), None)

        out[name, "weights"] = Own(weights, weights, why)
        scales = "; int4 with a 16-bit scale for each 128" if name == "int4" else ""
        out[name, "KV per token"] = Own(cache, cache, f"keys and values of 8 heads of 128 in 80 layers{scales}")
        out[name, "slice"] = _both(smallest, why)
        out[name, "memory left"] = _both(one.room_bytes, why)
    return out


def _max_batch() -> Owns:
    slices = [_Slice(name, chips) for name, chips in (*SMALLEST.items(), ("int8", 16))]
    return {(f"{one.number_format} on {GRID[one.chips]}", "batch"): _both(one.most, one.memory_why()) for one in slices}


def _at_batch(row: str, one: _Slice, batch: float | None, columns: Iterable[str]) -> Owns:
    """Cells of a decode step at a batch, or (None) at the largest that fits; None where it does not fit."""
    values: Mapping[str, Callable[[float, str], float]] = {
        "cache": lambda size, calibration: size * one.cache_bytes,
        "step": one.step_s,
        "throughput": lambda size, calibration: size / one.step_s(size, calibration),
        "throughput per chip": lambda size, calibration: size / one.step_s(size, calibration) / one.chips,
        "cost": one.usd_per_mtok,
    }
    most = {calibration: one.most(calibration) for calibration in (DATASHEET, CALIBRATED)}
    sizes = {name: fits if batch is None else batch for name, fits in most.items()}

    def cell(column: str) -> Own:
        def at(calibration: str) -> float | None:
            size = sizes[calibration]
            return values[column](size, calibration) if 0 < size <= most[calibration] else None

        return _both(at, one.step_why(max(sizes[CALIBRATED], 1)))

    return {(row, column): cell(column) for column in columns}


def _decode_latency() -> Owns:
    batch = workload()["decode_batch"]
    columns = ("step", "throughput", "throughput per chip")
    return _at_batch("4x2", _Slice("int8", 8), batch, columns) | _at_batch("4x4", _Slice("int8", 16), batch, ("step",))


def _pareto() -> Owns:
    columns = ("cache", "step", "throughput", "throughput per chip", "cost")
    rows = [_at_batch(f"batch {batch}", _Slice("int8", 16), batch, columns) for batch in BATCHES]
    return {place: own for row in rows for place, own in row.items()}


def _cost() -> Owns:
    out: Owns = {}
    for name, chips in (*SMALLEST.items(), ("int8", 16), ("bf16", 32)):
        one, row = _Slice(name, chips), f"{name} on {GRID[chips]}"
        out[row, "batch"] = _both(one.most, one.memory_why())
        out |= _at_batch(row, one, None, ("throughput", "cost"))
    return out


_TABLES: Mapping[str, Callable[[], Owns]] = {
    "scaling-book-serving-topology": _topology,
    "scaling-book-serving-max-batch": _max_batch,
    "scaling-book-serving-decode-latency": _decode_latency,
    "scaling-book-serving-cost": _cost,
    "scaling-book-serving-pareto": _pareto,
}
"""What computes each table."""
NAMES = frozenset(_TABLES)


def own_cells(table: Table) -> Owns:
    """The cells that costline can compute, by row and column."""
    return _TABLES[table.name]()


def own_sources(table: Table) -> tuple[Used, ...]:
    """Facts and equations behind them."""
    return _Slice("int8", SMALLEST["int8"]).case.sources(chip().usd_per_hour)
