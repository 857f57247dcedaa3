"""Erdil 2025 against costline: why a row of its tables moves, term by term at the same size.

Knows both models' passes and how to set them side by side. Knows no table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from costline.answers.reproduce.case import CALIBRATED, in_ms, parts_s, the_case
from costline.answers.reproduce.own_search import Found, Question, draft_step_s
from costline.architecture.operations import decode_segment
from costline.published.erdil_2025_data import find_gpu, find_model
from costline.published.erdil_2025_latency import LATER, Revision, speculative_latency_s, token_latency_s
from costline.published.erdil_2025_printed import parameters_read
from costline.quantities import MILLI, significant

_KERNELS_PER_LAYER = 4
_MODELS: Mapping[str, tuple[str, str]] = {
    "Mixtral_8x22B": ("mixtral-8x22b", "bf16"),
    "Llama_3_70B": ("llama-3-70b", "bf16"),
    "Llama_3_70B_8_bit": ("llama-3-70b", "fp8"),
    "Llama_3_70B_4_bit": ("llama-3-70b", "int4"),
    "Llama_3_405B": ("llama-3.1-405b", "bf16"),
    "Llama_3_405B_8_bit": ("llama-3.1-405b", "fp8"),
    "GPT_4": ("gpt-4-rumoured", "bf16"),
    "DeepSeek_V3": ("deepseek-v3", "fp8"),
}
"""The study's models as catalogued, with the number format of the weights."""
_CHIPS: Mapping[str, str] = {"H100": "h100-sxm", "A100": "a100-80gb-sxm", "V100": "v100-16gb-sxm"}
_DRAFT, _DRAFT_HERE = "Llama_3_8B", "llama-3-8b"


@dataclass(frozen=True)
class Row:
    """What a row asks, in the study's names."""

    model: str
    gpu: str = "H100"
    is_drafted: bool = False
    revision: Revision = LATER

    @property
    def question(self) -> Question:
        """The same for costline; 8-bit weights are int8 where there is no fp8."""
        name, weights = _MODELS[self.model]
        chip = _CHIPS[self.gpu]
        case = the_case(name, chip, "int8" if weights == "fp8" and self.gpu != "H100" else weights)
        draft = the_case(_DRAFT_HERE, chip, "bf16") if self.is_drafted else None
        return Question(case, draft, find_gpu(self.gpu).usd_per_hour)

    def study_pass_s(self, found: Found, *, model: str = "", tokens: int = 1, pipeline: bool = True) -> float:
        """One pass by the study's model on as many accelerators with the same batch."""
        name, options = model or self.model, {"pipeline": pipeline}
        size = (found.devices, found.batch)
        return float(token_latency_s(name, self.gpu, *size, new_tokens=tokens, revision=self.revision, **options))

    def study_token_s(self, found: Found) -> float:
        """Least time of a token by the study's model at that size."""
        if not self.is_drafted:
            return self.study_pass_s(found)
        models = find_model(self.model), find_model(_DRAFT)
        size, acceptance = (found.devices, found.batch, 0.0), self.question.acceptance
        gpu, revision = find_gpu(self.gpu), self.revision
        return float(speculative_latency_s(*models, gpu, size, acceptance=acceptance, revision=revision))


def _study_parts_s(row: Row, found: Found) -> dict[str, float]:
    """A pass by the study's model, and the passes of its draft.

    Its weights are read once for each pipeline stage; where it has stages, their number is not known here.
    """
    model, gpu = find_model(row.model), find_gpu(row.gpu)
    whole = row.study_pass_s(found, tokens=found.drafted)
    parts = {"kernels": _KERNELS_PER_LAYER * model.layers * gpu.kernel_s}
    if whole < row.study_pass_s(found, tokens=found.drafted, pipeline=False):
        parts["weights by stages, network and rest"] = whole - sum(parts.values())
    else:
        read_bytes = model.weight_bytes * float(parameters_read(model, found.batch * found.drafted))
        parts["weights"] = read_bytes / (found.devices * gpu.hbm_bytes_per_s * gpu.derate_hbm)
        parts["network and rest"] = whole - sum(parts.values())
    if found.drafted > 1:
        parts["drafts"] = found.drafted * row.study_pass_s(found, model=_DRAFT)
    return parts


def _own_parts_s(row: Row, found: Found) -> dict[str, float]:
    """The same by costline."""
    part = decode_segment(found.batch / found.where.pp, 0, found.drafted)
    parts = parts_s(row.question.case.step(part, found.where, CALIBRATED))
    if found.drafted > 1:
        parts["drafts"] = found.drafted * float(draft_step_s(row.question, found.where, found.batch, CALIBRATED))
    return parts


def _moved_s(own: Mapping[str, float], study: Mapping[str, float]) -> dict[str, float]:
    """Seconds by which costline's parts exceed the study's."""
    moved = {"launch and host time": own["launch and host"] - study["kernels"]}
    if "drafts" in own:
        moved["the draft's passes"] = own["drafts"] - study["drafts"]
    if "weights" in study:
        moved["reading the weights"] = own["weights"] - study["weights"]
    whole = sum(own.values()) - sum(study.values())
    name = "network and rest" if "weights" in study else "weights, network and rest"
    return moved | {name: whole - sum(moved.values())}


def speed_why(row: Row, found: Found, published_tokens_per_s: float) -> str:
    """How much of a change of speed is the size and how much the physics, and both models' terms at that size."""
    own, study = _own_parts_s(row, found), _study_parts_s(row, found)
    moved = _moved_s(own, study)
    most = max(moved, key=lambda name: abs(moved[name]))
    there = 1 / row.study_token_s(found)
    by_size, by_physics = (significant(x, 2) for x in (there / published_tokens_per_s, 1 / found.token_s / there))
    own_ms, study_ms = (significant(sum(parts.values()) / MILLI) for parts in (own, study))
    what = "pass" if found.drafted == 1 else "round"
    return (
        f"×{by_size} by size ({found.label}), ×{by_physics} by physics: a {what} there is {own_ms} ms ({in_ms(own)}), "
        f"in the study's model {study_ms} ms ({in_ms(study)}); most by {most}, {moved[most] / MILLI:+.1f} ms"
        f"{row.question.case.caveat}"
    )


def size_why(found: Found, other: Found | None, *, is_fewer: bool) -> str:
    """What another size than the one found would bring: a wider lane, or fewer accelerators."""
    start = f"{found.label}: whole accelerators; layouts divide heads and experts"
    if other is None:
        return f"{start}; no {'wider layout divides them' if is_fewer else 'smaller size holds the weights'}"
    speed, cost = significant(1 / other.token_s), significant(other.usd_per_mtok)
    side = "A wider lane" if is_fewer else "Fewer"
    return f"{start}. {side}, {other.devices:.0f} ({other.label}), gives {speed} tokens/s at ${cost} per Mtok"


def cost_why(found: Found, printed: Mapping[str, float]) -> str:
    """Cost is accelerators x time / batch: by how much each moved."""
    factors = {
        "GPUs": found.devices / printed["GPUs"],
        "time": found.token_s * printed["tokens per second"],
        "batch": found.batch / printed["batch"],
    }
    words = ", ".join(f"{name} ×{significant(value, 2)}" for name, value in factors.items())
    return f"{found.label}: GPUs × time / batch, with {words}"
