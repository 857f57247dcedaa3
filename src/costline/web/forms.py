"""The pages and the fields of their forms, as data. A field's name is the place of its value in the question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["number", "text", "model", "models", "accelerator", "accelerators", "choice", "flag"]
Values = Mapping[str, list[str]]
KINDS = ("models", "accelerators", "systems", "offers", "grids", "pues", "tariffs", "engines", "workloads", "sources")
"""Kinds of catalog entries."""


@dataclass(frozen=True)
class Field:
    """One field: where its value stands in the question, and how a person is asked for it."""

    name: str
    label: str
    kind: Kind = "number"
    default: tuple[str, ...] = ()
    """What the page asks for where an address says nothing at all."""
    hint: str = ""
    """What holds where the field is left empty."""
    choices: tuple[str, ...] = ()
    stops: tuple[str, ...] = ()
    """Where a slider may stand."""


@dataclass(frozen=True)
class Group:
    """Fields that belong together."""

    title: str
    fields: tuple[Field, ...]
    folded: bool = False


@dataclass(frozen=True)
class Page:
    """One page: the question it asks, and its form."""

    path: str
    title: str
    question: str
    lead: str
    groups: tuple[Group, ...]
    live: bool = False
    """Asked anew while a slider moves."""

    @property
    def fields(self) -> tuple[Field, ...]:
        """All fields in their order."""
        return tuple(field for group in self.groups for field in group.fields)

    @property
    def defaults(self) -> list[tuple[str, str]]:
        """The question that the page starts with."""
        return [(field.name, text) for field in self.fields for text in field.default]


WEIGHTS = ("auto", "checkpoint", "bf16", "fp8", "int8", "int4", "nvfp4", "mxfp4")
CACHES = ("auto", "bf16", "fp8", "int8")
RATES = ("default", "none")
_BATCHES = ("1", "2", "4", "8", "12", "16", "24", "32", "48", "64", "96", "128", "192", "256", "512", "1024", "2048")
_CONTEXTS = ("128", "256", "512", "1024", "2048", "4096", "8192", "16384", "32768", "65536", "131072")
_CHIPS = ("h100-sxm", "b200-sxm", "mi300x")


def _scenario_groups(model: str, chips: tuple[str, ...], rate: str) -> tuple[Group, ...]:
    return (
        Group("What is served", (
            Field("model.id", "Model", "model", (model,)),
            Field("workload.input_tokens", "Input tokens", default=("2048",)),
            Field("workload.output_tokens", "Output tokens", default=("512",)),
            Field("workload.request_rate", "Requests per second", default=(rate,), hint="full load"),
        )),
        Group("Targets, 99th percentile", (
            Field("slo.ttft_p99_ms", "TTFT, ms", default=("2000",), hint="any"),
            Field("slo.tpot_p99_ms", "TPOT, ms", default=("50",), hint="any"),
            Field("slo.e2e_p99_ms", "Whole request, ms", hint="any"),
        )),
        Group("Where it may run", (
            Field("system.accelerator", "Accelerators", "accelerators", chips),
            Field("system.max_accelerators", "Most of one replica", default=("16",), hint="64"),
            Field("price.accelerator_usd_per_hour", "USD per accelerator-hour", hint="the reference offer"),
        )),
    )  # fmt: skip


_ADVANCED = Group("Advanced", (
    Field("model.weights", "Weights", "choice", choices=WEIGHTS, hint="auto"),
    Field("model.kv_cache", "KV cache", "choice", choices=CACHES, hint="auto"),
    Field("workload.concurrency", "In flight, instead of a rate", hint="none"),
    Field("workload.prefix.cached_tokens", "Cached input tokens", hint="0"),
    Field("deployment.tp", "Tensor parallel", hint="auto"), Field("deployment.pp", "Pipeline stages", hint="auto"),
    Field("deployment.dp", "Attention data parallel", hint="auto"),
    Field("deployment.ep", "Expert parallel", hint="auto"), Field("deployment.batch", "Most sequences", hint="auto"),
    Field("preference.speed_exponent", "Worth of speed", hint="0: cheapest first"),
    Field("calibration", "Rates", "choice", choices=RATES, hint="default"),
    Field("top", "Plans to show", hint="8"),
), folded=True)  # fmt: skip

PLAN = Page(
    "plan", "Plan", "plan", "Which deployment serves your load within its targets at the least cost, and why.",
    (*_scenario_groups("llama-3.1-70b", _CHIPS, "10"), _ADVANCED),
)  # fmt: skip
FRONTIER = Page("frontier", "Frontier", "frontier", "Speed against cost of models on accelerators, at full load.", (
    Group("Compare", (
        Field("models", "Models", "models", ("llama-3.1-70b", "llama-3.1-8b")),
        Field("accelerators", "Accelerators", "accelerators", ("h100-sxm", "b200-sxm", "mi300x")),
    )),
    Group("Requests", (
        Field("input_tokens", "Input tokens", default=("2048",), hint="2048"),
        Field("output_tokens", "Output tokens", default=("512",), hint="512"),
        Field("max_accelerators", "Most of one replica", default=("8",), hint="16"),
        Field("weights", "Weights", "choice", choices=WEIGHTS, hint="auto"),
        Field("price", "USD per accelerator-hour", hint="the reference offers"),
        Field("slo.ttft_p99_ms", "TTFT p99, ms", hint="any"), Field("slo.tpot_p99_ms", "TPOT p99, ms", hint="any"),
    )),
))  # fmt: skip
EXPLORER = Page("explorer", "Explorer", "estimate", "Move a slider and see what one configuration does.", (
    Group("Configuration", (
        Field("model", "Model", "model", ("llama-3.1-70b",)),
        Field("accelerator", "Accelerator", "accelerator", ("h100-sxm",), hint="h100-sxm"),
        Field("tp", "Chips (tensor parallel)", default=("4",), hint="1", stops=("1", "2", "4", "8", "16", "32", "64")),
        Field("batch", "Batch", default=("32",), hint="1", stops=_BATCHES),
        Field("context", "Context, tokens", default=("4096",), hint="4096", stops=_CONTEXTS),
        Field("weights", "Weights", "choice", ("fp8",), "checkpoint", WEIGHTS[1:], ("bf16", "fp8", "int4")),
        Field("kv", "KV cache", "choice", ("bf16",), "bf16", choices=CACHES[1:], stops=("bf16", "fp8")),
    )),
    Group("More", (
        Field("pp", "Pipeline stages", hint="1"), Field("dp", "Attention data parallel", hint="1"),
        Field("ep", "Expert parallel", hint="1, or tp·dp"), Field("price", "USD per accelerator-hour",
              hint="the reference offer"), Field("calibration", "Rates", "choice", choices=RATES, hint="default"),
    ), folded=True),
), live=True)  # fmt: skip
COMPARE = Page(
    "compare", "Compare", "compare", "An API, rented or owned accelerators: what each costs, and where that turns.",
    (*_scenario_groups("llama-3.3-70b", ("h100-sxm",), "20"), Group("Ways to pay", (
        Field("compare.api.provider", "API provider", "text", hint="the cheapest"),
        Field("compare.own.years", "Years of use, owned", hint="as catalogued"),
        Field("compare.own.usd_per_accelerator", "USD per accelerator, bought", hint="as catalogued"),
        Field("compare.utilization", "Share of capacity used", hint="computed from the load"),
        Field("compare.months", "Months of cash flow", hint="36"),
    ))),
)  # fmt: skip
SIMULATE = Page(
    "simulate", "Simulate", "simulate", "What users of a deployment would see under load, and where it tips over.",
    (*_scenario_groups("llama-3.1-8b", ("h100-sxm",), "10"), Group("Deployment and run", (
        Field("deployment.replicas", "Replicas", default=("2",), hint="auto"),
        Field("deployment.tp", "Tensor parallel", default=("1",), hint="auto"),
        Field("deployment.batch", "Most sequences", hint="auto"),
        Field("workload.arrivals", "Arrivals", "choice", choices=("poisson", "constant", "at_once"), hint="poisson"),
        Field("workload.requests", "Requests", default=("500",), hint="as many as p99 needs"),
        Field("workload.seed", "Seed", hint="0"),
    ))),
)  # fmt: skip
SENSITIVITY = Page(
    "sensitivity", "Sensitivity", "sensitivity", "What the cost of the best plan hangs on, and by how much.",
    (*_scenario_groups("llama-3.1-8b", ("h100-sxm",), "10"),),
)  # fmt: skip
REPRODUCTIONS = Page("reproductions", "Reproductions", "reproduce", "Published tables, printed beside computed.", (
    Group("Publication", (
        Field("name", "Publication, table or figure", "text", ("scaling-book-serving",), "scaling-book-serving"),
        Field("own", "Also by costline's own physics", "flag"),
    )),
))  # fmt: skip
PAGES: Mapping[str, Page] = {page.path: page for page in (
    PLAN, FRONTIER, EXPLORER, SIMULATE, COMPARE, SENSITIVITY, REPRODUCTIONS,
)}  # fmt: skip
MENU = (
    ("plan", "Plan"), ("frontier", "Frontier"), ("explorer", "Explorer"), ("simulate", "Simulate"),
    ("compare", "Compare"), ("sensitivity", "Sensitivity"), ("catalog", "Catalog"), ("reproductions", "Reproductions"),
)  # fmt: skip


def values_of(page: Page, pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    """What each name of a query holds."""
    found: dict[str, list[str]] = {}
    for name, text in pairs:
        found.setdefault(name, []).append(text)
    return found


def beside(page: Page, values: Values) -> list[tuple[str, str]]:
    """Names of a query that the form has no field for: kept as they are, so that nothing of a link is lost."""
    known = {field.name for field in page.fields}
    return [(name, text) for name, texts in values.items() if name not in known for text in texts]
