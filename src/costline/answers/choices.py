"""Turns names in a question into records: the model, accelerators, number formats and prices to consider."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from costline.answers.scenario import ModelBlock, PriceBlock, Scenario
from costline.architecture.formats import KV_FORMATS, format_name
from costline.architecture.operations import Formats
from costline.architecture.weights import COMPONENTS, parameters
from costline.catalog import find
from costline.catalog.efficiency import efficiency
from costline.catalog.hugging_face import model_from_file
from costline.catalog.load import chips
from costline.catalog.models import find_model
from costline.catalog.records import Chip, Model, Offer
from costline.deployment.plan import Option, Site
from costline.errors import InputError, UnknownIdError
from costline.forward.rates import Rates, expected_rates, ideal_rates


@dataclass(frozen=True)
class Price:
    """What an hour of one accelerator costs, and where the number is from."""

    usd_per_hour: float
    offer: Offer | None
    """None: the user gave the number."""


def the_model(block: ModelBlock) -> Model:
    """The catalogued model, or the one that a config.json describes."""
    if block.id is not None:
        return find_model(block.id)
    try:
        return model_from_file(Path(block.config or ""))
    except OSError as error:  # a path that no file system holds
        raise InputError(f"config={block.config!r} cannot be read ({error.strerror}); check the path") from None


def check_context(model: Model, tokens: float, field: str) -> None:
    """Raises InputError if a sequence is longer than the model allows (0 = not stated)."""
    longest = model.max_context_tokens
    if 0 < longest < tokens:
        raise InputError(
            f"{field}={tokens:,.0f} exceeds max_context_tokens={longest:,} of {model.id}; "
            "shorten it or choose a model with a longer context"
        )


def the_site(accelerator: str, engine: str) -> Site:
    """An accelerator in the system that it usually comes in, under an engine."""
    chip = find.chip(accelerator)
    return Site(chip, find.system(chip.system), find.engine(engine))


def the_rates(site: Site, calibration: str) -> Rates:
    """Datasheet rates, or what kernels sustain on the chip's family."""
    if calibration == "none":
        return ideal_rates(site.chip, site.system)
    return expected_rates(site.chip, site.system, efficiency(site.chip), site.engine.engine)


def the_price(block: PriceBlock, chip: Chip) -> Price | None:
    """The price that the user gave, the offer they named, or the reference offer; None if there is none."""
    given = block.accelerator_usd_per_hour
    if isinstance(given, Mapping):
        prices = {find.chip(name).id: price for name, price in given.items()}
        if chip.id in prices:
            return Price(prices[chip.id], None)
    elif given is not None:
        return Price(float(given), None)
    if block.offer is not None:
        named = find.offer(block.offer)
        if named.chip != chip.id:
            raise InputError(f"price.offer={block.offer!r} is for {named.chip}, not {chip.id}; name an offer for it")
        return Price(named.usd_per_accelerator_hour, named)
    reference = find.reference_offer(chip.id)
    return Price(reference.usd_per_accelerator_hour, reference) if reference else None


def activation_format(chip: Chip, weights: Mapping[str, str], wanted: str) -> str:
    """Input format of the linear layers: as wanted, else the narrowest that engines pair with the weights here."""
    if wanted != "auto":
        return format_name(wanted)
    formats = set(weights.values())
    has = {name for name, rate in chip.dense_flop_per_s.items() if rate}
    if formats & {"nvfp4", "fp4"} and "fp4" in has:
        return "fp4"
    if formats & {"fp8", "fp8_block", "mxfp8"} and "fp8" in has:
        return "fp8"
    if "mxfp4" in formats and "fp4" in has and "fp8" in has:
        return "fp8"
    return "bf16"


def weight_table(model: Model, wanted: str | Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """A label and formats by component for `bf16`, `checkpoint`, or a table such as {"": fp8, head: bf16}."""
    if isinstance(wanted, Mapping):
        for component in wanted:
            if component and component not in (*COMPONENTS, "default"):
                raise UnknownIdError("component of model.weights", component, COMPONENTS)
        given = {"" if name == "default" else name: format_name(value) for name, value in wanted.items()}
        table = {"": "bf16", **given}
        return _label(model, table), table
    if wanted == "checkpoint":
        table = {"": "bf16", **model.checkpoint_formats}
        return _label(model, table), table
    name = format_name(wanted)
    return name, {"": name}


def _label(model: Model, table: Mapping[str, str]) -> str:
    """The format that holds most parameters, marked as a mix where others hold some."""
    counts: dict[str, int] = {}
    for component, count in parameters(model).by_component.items():
        if count and component not in ("norms", "router"):
            name = table.get(component, table[""])
            counts[name] = counts.get(name, 0) + count
    main = max(counts, key=lambda name: counts[name])
    return main if len(counts) == 1 else f"{main} mix"


def options(model: Model, chip: Chip, block: ModelBlock) -> list[Option]:
    """Number formats to consider on this accelerator.

    `auto` means what serves without loss of quality that a user would have to check first: the checkpoint as released,
    and fp8 where a 16-bit checkpoint meets a chip with fp8 units.
    """
    kv = "bf16" if block.kv_cache == "auto" else kv_format(block.kv_cache)
    wanted: list[str | Mapping[str, str]] = [block.weights]
    if block.weights == "auto":
        released = weight_table(model, "checkpoint")[1]
        wanted = ["checkpoint"]
        if set(released.values()) <= {"bf16", "fp16", "fp32"} and chip.dense_flop_per_s.get("fp8"):
            wanted.append("fp8")
    found: list[Option] = []
    for one in wanted:
        label, weights = weight_table(model, one)
        found.append(Option(label, Formats(weights, kv, activation_format(chip, weights, block.activations))))
    return found


def kv_format(name: str) -> str:
    """A cache format by any of its names; raises InputError if engines cannot store it."""
    known = format_name(name)
    if known not in KV_FORMATS:
        raise InputError(f"kv_cache={name!r} is not a cache format; use one of {', '.join(KV_FORMATS)}")
    return known


def sites(scenario: Scenario) -> list[Site]:
    """The accelerators of a scenario, each once, in the order given."""
    engine = scenario.deployment.engine.name
    found: dict[str, Any] = {}
    names = scenario.system.accelerator
    if names == ["all"]:
        names = [chip.id for chip in chips().values() if chip.status == "shipping" and chip.dense_flop_per_s]
    for name in names:
        site = the_site(name, engine)
        found.setdefault(site.chip.id, site)
    return list(found.values())
