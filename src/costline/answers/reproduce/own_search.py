"""The deployments that costline finds for a study's question: decode alone, no context, speed against cost.

Whole accelerators in legal layouts; weights, draft and one token of each sequence lie within the memory that an engine
leaves. Knows no publication.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from costline.answers.reproduce.case import Case
from costline.architecture.operations import decode_segment
from costline.architecture.sharding import Layout, layout
from costline.deployment.grid import batch_sizes, layouts
from costline.forward.memory import max_batch, weight_bytes_per_device
from costline.money.price import fleet_usd_per_hour
from costline.money.unit_cost import usd_per_mtok
from costline.quantities import Array, as_array

MOST_ACCELERATORS = 2**10
LARGEST_BATCH = 2**16


@dataclass(frozen=True)
class Question:
    """What is searched, and how drafts are accepted and speed is valued."""

    case: Case
    draft: Case | None
    usd_per_hour: float
    acceptance: float = 0.8
    most_drafted: int = 5
    alpha: float = 3.0
    """How the worth of a token grows with its speed."""


@dataclass(frozen=True)
class Found:
    """One deployment."""

    where: Layout
    batch: float
    drafted: int
    """Tokens that a pass verifies; 1 = no draft."""
    token_s: float
    usd_per_mtok: float

    @property
    def devices(self) -> float:
        """Accelerators."""
        return float(self.where.devices)

    @property
    def label(self) -> str:
        """How engineers write it."""
        degrees = (("TP", self.where.tp), ("PP", self.where.pp), ("DP", self.where.dp), ("EP", self.where.ep))
        cut = " ".join(f"{name}{float(degree):.0f}" for name, degree in degrees if degree > 1) or "TP1"
        draft = f", {self.drafted} tokens drafted" if self.drafted > 1 else ""
        return f"{cut}, batch {self.batch:,.0f}{draft}"


def _draft_layout(where: Layout, case: Case) -> Layout:
    """The draft runs on the tensor group of each lane, inside one node."""
    return layout(tp=np.minimum(where.tp, float(case.site.system.fabric.domain_size)))


def _instances(asked: Question) -> tuple[Layout, Array]:
    """Every layout and batch that fits."""
    case, draft = asked.case, asked.draft
    cut = layouts(case.model, case.site.system, max_accelerators=MOST_ACCELERATORS)
    extra: Array | float = 0.0
    if draft is not None:
        extra = weight_bytes_per_device(draft.model, draft.formats.weights, _draft_layout(cut, case))
    fits = max_batch(case.model, case.pool_bytes(cut, extra), case.formats.kv, context_tokens=1, where=cut)
    sizes = batch_sizes(LARGEST_BATCH)
    keep = (sizes <= fits[:, None]) & (sizes >= (cut.pp * cut.dp)[:, None])
    row, size = np.nonzero(keep)
    return Layout(cut.tp[row], cut.pp[row], cut.dp[row], cut.ep[row]), sizes[size]


def draft_step_s(asked: Question, where: Layout, batch: Array | float, calibration: str) -> Array:
    """One pass of the draft over the sequences of one tensor group; 0 without a draft."""
    if asked.draft is None:
        return as_array(0.0)
    part = decode_segment(batch / where.pp / where.dp, 0)
    return asked.draft.step(part, _draft_layout(where, asked.case), calibration).expected_s


def _token_s(asked: Question, where: Layout, batch: Array, calibration: str) -> tuple[Array, Array]:
    """Least time of a token over numbers of drafted tokens, and that number.

    A pass that verifies k tokens after k draft steps keeps (1 - a^k) / (1 - a) of them [erdil-2025] Eq. 46.
    """
    lane = batch / where.pp

    def verify_s(tokens: int) -> Array:
        return asked.case.step(decode_segment(lane, 0, tokens), where, calibration).expected_s

    least = verify_s(1)
    drafted = np.ones(least.shape)
    if asked.draft is not None:
        draft_s = draft_step_s(asked, where, batch, calibration)
        for tokens in range(2, asked.most_drafted + 1):
            kept = (1 - asked.acceptance**tokens) / (1 - asked.acceptance)
            token_s = (verify_s(tokens) + tokens * draft_s) / kept
            drafted = np.where(token_s < least, float(tokens), drafted)
            least = np.minimum(least, token_s)
    return least, drafted


@dataclass(frozen=True)
class Deployments:
    """Everything that was tried, as columns."""

    where: Layout
    batch: Array
    drafted: Array
    token_s: Array
    usd_per_mtok: Array
    worth: Array
    """speed^alpha / cost; only its order means anything."""

    def best(self, *, is_preferred: bool, wider_than: float = 0.0, fewer_than: float = np.inf) -> Found | None:
        """The one of most worth, or the fastest (the cheapest of equals), in a lane and on accelerators so bounded."""
        is_asked = (self.where.tp * self.where.dp > wider_than) & (self.where.devices < fewer_than)
        rows = np.flatnonzero(is_asked)
        if not rows.size:
            return None
        worth, cost, token_s = self.worth[rows], self.usd_per_mtok[rows], self.token_s[rows]
        index = rows[np.argmax(worth) if is_preferred else np.lexsort((cost, token_s))[0]]
        cut = Layout(self.where.tp[index], self.where.pp[index], self.where.dp[index], self.where.ep[index])
        size = float(self.batch[index]), int(self.drafted[index])
        return Found(cut, *size, float(self.token_s[index]), float(self.usd_per_mtok[index]))


def search(asked: Question, calibration: str) -> Deployments:
    """Every deployment with its speed and its cost."""
    where, batch = _instances(asked)
    token_s, drafted = _token_s(asked, where, batch, calibration)
    cost = usd_per_mtok(fleet_usd_per_hour(where.devices, asked.usd_per_hour), batch / token_s)
    return Deployments(where, batch, drafted, token_s, cost, token_s**-asked.alpha / cost)
