"""The compiled search loses no candidate, and sorting finds what scanning thresholds finds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.published.erdil_2025_data import Gpu, Model, find_gpu, find_model, gpus, models
from costline.published.erdil_2025_frontier import frontier_cells, thresholds_s
from costline.published.erdil_2025_grid import frontier, grid
from costline.published.erdil_2025_latency import (
    EARLIER,
    LATER,
    Revision,
    least_latency_s,
    speculative_latency_s,
    token_latency_s,
)

NCCL = ((0.6e-6, 5e-6, 6.8e-6, 0.5), (1.25e-6, 8.5e-6, 14e-6, 0.95), (28e-6, 28e-6, 0.0, 1.0))
COARSE = 24


def collective_s(gpu: Gpu, ranks: float, nodes: float, sent: float, *, is_reduce: bool) -> float:
    """One collective, written from the study's table of protocols."""
    if ranks <= 1:
        return 0.0
    hops, duplex = (2, 1) if is_reduce else (1, 2)
    if gpu.collective == "ring":
        return hops * (ranks - 1) * 1e-6 + (ranks - 1) * sent / (ranks * gpu.inter_node_bytes_per_s) / duplex
    per_node = ranks / nodes - 1
    assert ranks / gpu.node <= nodes * (1 + 1e-12)
    times = []
    for intra_s, inter_s, start_s, usable in NCCL:
        start = 0.0 if gpu.collective == "nccl_zero_latency" else start_s
        intra = nodes * max(0, per_node) * sent / (ranks * gpu.intra_node_bytes_per_s * usable)
        inter = (nodes - 1) * sent / (ranks * gpu.inter_node_bytes_per_s * usable)
        times.append(hops * (intra_s * per_node + inter_s * math.log2(nodes)) + start + max(intra, inter) / duplex)
    return min(times)


@dataclass(frozen=True)
class Candidate:
    """One layout, pipeline degree and attention scale-down, timed term by term without any short cut."""

    model: Model
    gpu: Gpu
    n_gpu: float
    batch: float
    context: float
    tokens: float
    is_earlier: bool

    def matmul_bytes(self, rows: float, inner: float, columns: float, group: float) -> float:
        if self.is_earlier:
            t1, t2 = max(1, group * math.sqrt(rows / inner)), max(1, group * math.sqrt(inner / rows))
        else:
            t1 = min(max(math.sqrt(rows * group / inner), 1), group)
            t2 = group / t1
        m = self.model
        return rows * inner * m.weight_bytes + (t1 * inner + t2 * rows) * columns * m.activation_bytes

    def layer_bytes(self, columns: float, group: float, ff_group: float) -> tuple[float, float]:
        m, s = self.model, self.model.sparsity
        heads = m.heads * m.head_dim
        used = (1 - (1 - 1 / s) ** columns) * m.experts * (m.up + m.down)
        ff = used * self.matmul_bytes(m.d_model, m.d_ff, columns / s, ff_group)
        inputs = [(m.qkv_width, m.d_model)]
        if any(m.mla):
            inputs = [(sum(m.mla), m.d_model), (m.qkv_width, sum(m.mla))]
        matrices = [*inputs, (m.d_model, heads)]
        return ff, sum(self.matmul_bytes(rows, inner, columns, group) for rows, inner in matrices)

    def network_s(self, is_2d: bool, stages: float, group: float, ff_group: float, experts: float) -> float:
        m, gpu = self.model, self.gpu
        stage, sent = self.n_gpu / stages, self.batch / stages * self.tokens * m.activation_bytes

        def reduces(size: float, widths: list[float], share: float | None) -> float:
            nodes = math.ceil(size / gpu.node)
            ranks, nodes = (math.sqrt(size), math.sqrt(nodes)) if is_2d else (size, nodes)
            cut = size / ranks if share is None else share / ranks
            return sum(collective_s(gpu, ranks, nodes, w * sent / cut, is_reduce=True) for w in widths)

        qkv = [m.qkv_width] if is_2d else []
        up = [m.active_experts * m.up * m.d_ff] if is_2d else []
        total = reduces(group, [m.d_model, *qkv], None)
        total += reduces(ff_group, [m.active_experts * m.down * m.d_model, *up], stage)
        if m.experts > 1:
            ranks = min(m.active_experts, experts)
            copies = m.active_experts if self.is_earlier else ranks
            nodes = math.ceil(ranks / gpu.node)
            total += 2 * collective_s(gpu, ranks, nodes, m.d_model * sent * copies / stage, is_reduce=False)
        hop = collective_s(gpu, 2, 2, m.d_model * sent / stage, is_reduce=False)
        return m.layers * total + (stages - 1) * hop

    def latency_s(self, is_2d: bool, stages: float, scale: float) -> float:
        m, gpu, s = self.model, self.gpu, self.model.sparsity
        micro, stage = self.batch / stages, self.n_gpu / stages
        held = self.batch if self.is_earlier else micro
        room = self.n_gpu * gpu.hbm_bytes - m.kv_bytes_per_position * self.context * held
        if room < m.weights_bytes or stages > min(self.n_gpu, self.batch):
            return math.inf
        experts = min(stage, m.experts) if micro >= 2 * s else 1
        group, ff_group = stage / scale, max(1, stage / max(1, experts))
        ff_bytes, attention_bytes = self.layer_bytes(micro * self.tokens, group, ff_group)
        read = m.kv_bytes_per_position * self.context * micro + m.weight_bytes * m.unembedding_parameters
        read += m.layers * (ff_bytes + scale * attention_bytes)
        memory_s = stages * read / (self.n_gpu * gpu.hbm_bytes_per_s * gpu.derate_hbm)
        sequences = self.batch * self.tokens
        scores = 4 * m.attention_dim * m.heads * m.layers * self.context * sequences
        ff_flop = 2 * m.feedforward_parameters / s * sequences
        projections = 2 * m.active_parameters * sequences - ff_flop
        rate = gpu.peak_flop_per_s(m.weight_bytes) * gpu.derate_flop
        arithmetic_s = (ff_flop + scores + scale * projections) / (self.n_gpu * rate)
        network_s = self.network_s(is_2d, stages, group, ff_group, experts)
        return 4 * m.layers * gpu.kernel_s + network_s + max(memory_s, arithmetic_s)

    def least_s(self) -> float:
        deepest = self.model.layers if self.is_earlier else min(self.batch, self.model.layers)
        stages = [1.0, *np.logspace(0, np.log2(max(deepest, 1)), 10, base=2).tolist()]
        best = math.inf
        for is_2d, stage in product((True, False), stages):
            steps = 1 if self.is_earlier else 6
            for scale in np.logspace(0, np.log2(self.n_gpu / stage), steps, base=2).tolist():
                best = min(best, self.latency_s(is_2d, stage, scale))
        return best


def points(seed: int, count: int) -> list[tuple[float, float, float, float]]:
    rng = np.random.default_rng(seed)
    n_gpu, batch = 2 ** rng.uniform(0, 14, count), 2 ** rng.uniform(0, 16, count)
    context, tokens = rng.choice([0.0, 1.0, 5000.0], count), rng.choice([1.0, 2.0, 5.0], count)
    return list(zip(n_gpu.tolist(), batch.tolist(), context.tolist(), tokens.tolist(), strict=True))


def check(model: Model, gpu: Gpu, revision: Revision, shaped: list[tuple[float, float, float, float]]) -> int:
    computed = least_latency_s(model, gpu, tuple(np.array(shaped).T), revision=revision)
    expected = [Candidate(model, gpu, *point, revision == EARLIER).least_s() for point in shaped]
    np.testing.assert_allclose(computed, expected, rtol=1e-12, err_msg=f"{model.name} {gpu.name} {revision}")
    return int(np.isfinite(computed).sum())


@pytest.mark.parametrize("model", sorted(models()))
def test_the_search_finds_the_least_of_all_candidates(model: str):
    seed = sorted(models()).index(model)
    assert check(find_model(model), find_gpu("H100"), LATER, points(seed, 12)) > 2
    assert check(find_model(model), find_gpu("H100"), EARLIER, points(seed + 100, 6)) > 0


@pytest.mark.parametrize("gpu", sorted(gpus()))
def test_every_gpu_has_its_own_rates_and_protocols(gpu: str):
    shaped = [(4096.0, batch, 0.0, 1.0) for batch in (1.0, 37.0, 4000.0)] + points(7, 10)
    assert check(find_model("Llama_3_8B"), find_gpu(gpu), LATER, shaped) > 2


def test_nodes_and_expert_switches_fall_where_the_study_puts_them():
    edges = [8.0, math.nextafter(8.0, 9.0), 16.0, 32.0, 64.0]
    shaped = [(n_gpu, batch, 0.0, 1.0) for n_gpu in edges for batch in (15.999, 16.0, 8.0, 7.999)]
    for model in ("GPT_4", "Mixtral_8x22B", "Llama_3_70B_8_bit"):
        check(find_model(model), find_gpu("H100"), LATER, shaped)


@given(
    st.sampled_from(sorted(models())),
    st.lists(st.tuples(st.floats(0.5, 5e4), st.floats(0.5, 5e4)), min_size=2, max_size=5),
)
def test_a_grid_is_a_loop_of_scalars(model: str, pairs: list[tuple[float, float]]):
    n_gpu, batch = np.array(pairs).T
    table = token_latency_s(model, "H100", n_gpu[:, None], batch[None, :])
    for row, column in product(range(len(pairs)), repeat=2):
        alone = token_latency_s(model, "H100", n_gpu[row], batch[column])
        # NumPy's powers of an array and of one number may differ in the last bit.
        assert alone == pytest.approx(table[row, column], rel=1e-14)


@given(
    st.sampled_from(["Llama_3_70B_8_bit", "GPT_4", "DeepSeek_V3"]),
    st.floats(1, 5e4),
    st.floats(1, 5e4),
    st.floats(0, 1e5),
)
def test_more_work_is_never_faster_and_more_choice_never_slower(model: str, n_gpu: float, batch: float, context: float):
    where = (model, "H100", n_gpu, batch)
    base = token_latency_s(*where, context)
    assert token_latency_s(*where, context, new_tokens=3) >= base * (1 - 1e-12)
    assert token_latency_s(*where, context + 100) >= base * (1 - 1e-12)
    assert token_latency_s(*where, context, pipeline=False) >= base
    assert token_latency_s(*where, context, scale_down=False) >= base


def test_what_does_not_fit_is_infinite():
    assert token_latency_s("Llama_3_70B", "H100", 1, 8) == np.inf
    assert token_latency_s("Llama_3_8B", "H100", 0.5, 8) == np.inf
    assert token_latency_s("Llama_3_8B", "H100", 8, 0.5) == np.inf
    assert token_latency_s("Llama_3_70B", "H100", 2, 8, 1e6) == np.inf
    needed = find_model("Llama_3_70B").weights_bytes / find_gpu("H100").hbm_bytes
    just = token_latency_s("Llama_3_70B", "H100", [needed * (1 - 1e-9), needed * (1 + 1e-9)], 8)
    assert np.isinf(just).tolist() == [True, False]


def test_only_latencies_below_the_limit_are_found():
    model, gpu = find_model("Llama_3_70B"), find_gpu("H100")
    shaped = (np.array([8.0, 16.0, 32.0]), 64.0, 0.0, 1.0)
    free = least_latency_s(model, gpu, shaped)
    assert np.isinf(least_latency_s(model, gpu, shaped, limit_s=free)).all()
    np.testing.assert_array_equal(least_latency_s(model, gpu, shaped, limit_s=free * (1 + 1e-9)), free)


@pytest.mark.parametrize("context", [0.0, 20_000.0])
def test_speculation_takes_the_best_number_of_drafted_tokens(context: float):
    model, draft, gpu = find_model("Mixtral_8x22B"), find_model("Llama_3_8B"), find_gpu("H100")
    shaped = (*grid(model, gpu, COARSE), context)
    draft_s = least_latency_s(draft, gpu, (*shaped, 1.0))
    expected = least_latency_s(model, gpu, (*shaped, 1.0))
    for count in (2, 3, 4, 5):
        verify_s = least_latency_s(model, gpu, (*shaped, float(count)))
        expected = np.minimum(expected, (verify_s + count * draft_s) * (1 - 0.8) / (1 - 0.8**count))
    np.testing.assert_array_equal(speculative_latency_s(model, draft, gpu, shaped, acceptance=0.8), expected)


def test_nothing_accepted_is_no_speculation():
    plain, hopeless = (frontier("Llama_3_70B", "H100", *draft, grid_size=COARSE) for draft in ((), ("Llama_3_8B", 0.0)))
    np.testing.assert_array_equal(hopeless.latency_s, plain.latency_s)


def scanned_cells(latency: np.ndarray, cost: np.ndarray, admissible: np.ndarray, limits: np.ndarray) -> list[tuple]:
    """(latency, cost) of the points that the study's own scan of thresholds records."""
    found: list[tuple[float, float]] = []
    for limit in limits:
        within = (latency <= limit) & admissible
        if not within.any() or not np.isfinite(cost[within].min()):
            continue
        least = cost[within].min()
        fastest = latency[cost == least].min()
        if fastest not in [point[0] for point in found]:
            found.append((float(fastest), float(least)))
    return found


@given(st.integers(0, 10_000), st.booleans())
def test_sorting_finds_what_scanning_finds_even_with_ties(seed: int, is_capped: bool):
    rng = np.random.default_rng(seed)
    latency = rng.integers(1, 12, 60).astype(np.float64)
    cost = rng.integers(1, 9, 60).astype(np.float64)
    cost[rng.random(60) < 0.1] = np.inf
    admissible = rng.random(60) < 0.7 if is_capped else np.ones(60, dtype=bool)
    limits = np.sort(rng.uniform(0.5, 14, 25))
    cells = frontier_cells(latency, cost, admissible, limits)
    computed = list(zip(latency[cells].tolist(), cost[cells].tolist(), strict=True))
    assert computed == scanned_cells(latency, cost, admissible, limits)


@pytest.mark.parametrize("demand", [np.inf, 3000.0])
def test_sorting_finds_what_scanning_finds_on_a_real_grid(demand: float):
    model, gpu = find_model("GPT_4"), find_gpu("H100")
    n_gpu, batch = grid(model, gpu, 60)
    latency = least_latency_s(model, gpu, (n_gpu, batch, 0.0, 1.0))
    cost, admissible = n_gpu * latency / batch, batch / latency <= demand
    limits = thresholds_s(float(latency.min()))
    cells = frontier_cells(latency, cost, admissible, limits)
    computed = list(zip(latency.flat[cells].tolist(), cost.flat[cells].tolist(), strict=True))
    assert computed == scanned_cells(latency, cost, admissible, limits)
    assert len(computed) >= 50
