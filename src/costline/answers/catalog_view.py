"""catalog: list, show, check, schema and add — facts as answers, each value with its source."""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from costline.answers.answer import Answer
from costline.answers.choices import the_model
from costline.answers.price_words import age_of
from costline.answers.scenario import ModelBlock, Scenario
from costline.architecture.kv_cache import kv_bytes_per_token
from costline.architecture.weights import parameters
from costline.catalog import find, load, models
from costline.catalog import schema as catalog_schema
from costline.catalog.engines import engine_facts
from costline.catalog.read import DATA, directories
from costline.catalog.records import Chip, EngineMemory, Model, Offer, System
from costline.catalog.write import model_file_text
from costline.errors import InputError, UnknownIdError
from costline.render import Column, Form, Table, write_files

Row = dict[str, Any]


def _model_row(model: Model) -> Row:
    counts = parameters(model)
    return {
        "id": model.id,
        "name": model.name,
        "aliases": list(model.aliases),
        "hf_id": model.hf_id,
        "family": model.family,
        "layers": sum(group.count for group in model.layers),
        "parameters": {"total": counts.total, "active": counts.active},
        "kv_bytes_per_token": {name: kv_bytes_per_token(model, name) for name in ("bf16", "fp8")},
        "max_context_tokens": model.max_context_tokens,
        "checkpoint_formats": dict(model.checkpoint_formats),
        "source": model.provenance[""].source,
    }


def _chip_row(chip: Chip) -> Row:
    names = ("id", "name", "vendor", "family", "launch", "status", "memory_bytes", "visible_memory_bytes",
             "hbm_bytes_per_s", "tdp_w", "system")  # fmt: skip
    row: Row = {name: getattr(chip, name) for name in names}
    return {
        **row,
        "aliases": list(chip.aliases),
        "dense_flop_per_s": dict(chip.dense_flop_per_s),
        "sparse_flop_per_s": dict(chip.sparse_flop_per_s),
        "source": chip.provenance[""].source,
    }


def _system_row(system: System) -> Row:
    row = _plain_row(system)
    row["fabric"] = dataclasses.asdict(system.fabric)
    row["slices"] = ["x".join(str(side) for side in piece.shape) for piece in system.slices]
    return row


def _engine_row(memory: EngineMemory) -> Row:
    row: Row = _plain_row(memory)
    facts = engine_facts().get(memory.id)
    if facts is None:
        return row
    known: Row = {key: value for key, value in _plain_row(facts).items() if key not in row}
    known["limits"] = [dataclasses.asdict(item) for item in facts.limits]
    known["graph_strides"] = [dataclasses.asdict(item) for item in facts.graph_strides]
    known |= {"default_memory_fraction": facts.memory_fraction, "facts_notes": facts.notes}
    return {**row, **known, "facts_source": facts.provenance[""].source}


def _plain_row(record: Any) -> Row:
    names = [field.name for field in dataclasses.fields(record) if field.name != "provenance"]
    row = {name: getattr(record, name) for name in names}
    known: Mapping[str, Any] = getattr(record, "provenance", {})
    if "" in known:
        row["source"] = known[""].source
    return row


_NUMBERS: dict[str, Form] = {
    "memory_bytes": "bytes", "hbm_bytes_per_s": "bytes", "max_context_tokens": "count", "layers": "count",
    "usd_per_accelerator_hour": "usd", "g_co2e_per_kwh": "number", "pue": "number", "usd_per_kwh": "number",
    "accelerators_per_node": "count", "tdp_w": "count", "total": "large", "active": "large", "kv_bf16": "count",
    "bf16": "large", "fp8": "large", "stale": "flag",
}  # fmt: skip
_SHOWN: dict[str, tuple[str, ...]] = {
    "models": ("id", "name", "layers", "total", "active", "kv_bf16", "max_context_tokens", "source"),
    "accelerators": ("id", "name", "memory_bytes", "hbm_bytes_per_s", "bf16", "fp8", "tdp_w", "source"),
    "systems": ("id", "chip", "accelerators_per_node", "topology", "domain_size", "source"),
    "offers": ("id", "chip", "provider", "term", "usd_per_accelerator_hour", "region", "date", "stale", "source"),
    "grids": ("id", "name", "level", "g_co2e_per_kwh", "year", "source"),
    "pues": ("id", "operator", "pue", "year", "source"),
    "tariffs": ("id", "region", "sector", "usd_per_kwh", "period", "source"),
    "engines": ("id", "release", "memory_fraction", "block_tokens", "prefix_caching", "asynchronous", "source"),
    "workloads": ("id", "name", "source"),
    "sources": ("key", "title", "url", "retrieved"),
}


def _listers() -> dict[str, Callable[[], list[Row]]]:
    def plain(records: Callable[[], Mapping[str, Any]]) -> Callable[[], list[Row]]:
        return lambda: [_plain_row(record) for record in records().values()]

    return {
        "models": lambda: [_model_row(model) for model in models.models().values()],
        "accelerators": lambda: [_chip_row(chip) for chip in load.chips().values()],
        "systems": lambda: [_system_row(system) for system in load.systems().values()],
        "offers": lambda: [{**_plain_row(offer), **age_of(offer)} for offer in load.offers().values()],
        "grids": plain(load.grids),
        "pues": plain(load.pues),
        "tariffs": plain(load.tariffs),
        "engines": lambda: [_engine_row(engine) for engine in load.engines().values()],
        "workloads": plain(load.workloads),
        "sources": plain(load.sources),
    }


def listing(kind: str) -> Answer:
    """All records of a kind. Raises UnknownIdError naming the kinds."""
    known = _listers()
    if kind not in known:
        raise UnknownIdError("kind of catalog entry", kind, known)
    rows = known[kind]()
    columns = tuple(Column(key, key.replace("_", " "), _NUMBERS.get(key, "text")) for key in _SHOWN[kind])
    table = Table(f"{len(rows)} {kind}", columns, tuple(_flat(row) for row in rows))
    return Answer("catalog list", {kind: rows}, (table,))


def _flat(row: Row) -> Row:
    nested = {
        **row.get("parameters", {}),
        **{name: row["dense_flop_per_s"].get(name) for name in ("bf16", "fp8") if "dense_flop_per_s" in row},
    }
    if "kv_bytes_per_token" in row:
        nested["kv_bf16"] = row["kv_bytes_per_token"]["bf16"]
    if isinstance(row.get("fabric"), Mapping):
        nested |= {name: row["fabric"][name] for name in ("topology", "domain_size")}
    return {**row, **nested}


_FINDERS: tuple[tuple[str, Callable[[str], Any]], ...] = (
    ("accelerator", find.chip),
    ("model", models.find_model),
    ("system", find.system),
    ("offer", find.offer),
    ("engine", find.engine),
    ("workload", find.workload),
    ("grid", find.grid),
    ("pue", find.pue),
    ("tariff", find.tariff),
)
_RECORDS: dict[str, Callable[[], Mapping[str, Any]]] = {
    "accelerator": load.chips, "system": load.systems, "offer": load.offers,
    "engine": load.engines, "workload": load.workloads, "grid": load.grids, "pue": load.pues, "tariff": load.tariffs,
}  # fmt: skip


def one(name: str) -> Answer:
    """Everything known of one id or other name, of whatever kind; ids come first.

    Raises UnknownIdError naming the nearest.
    """
    for kind, records in _RECORDS.items():
        if name in records():
            return _shown(kind, records()[name])
    for kind, finder in _FINDERS:
        try:
            record = finder(name)
        except UnknownIdError:
            continue
        return _shown(kind, record)
    raise UnknownIdError("catalog entry", name, [*load.chips(), *models.models(), *load.systems()])


def _shown(kind: str, record: Any) -> Answer:
    row = _model_row(record) if isinstance(record, Model) else _plain_row(record)
    if isinstance(record, Chip):
        row = _chip_row(record)
    if isinstance(record, EngineMemory):
        row = _engine_row(record)
    provenance = {key or "default": dataclasses.asdict(value) for key, value in record.provenance.items()}
    data: Row = {kind: {**row, "provenance": provenance}}
    if isinstance(record, Model):
        data[kind]["layer_groups"] = [dataclasses.asdict(group) for group in record.layers]
        data[kind]["parameters_by_component"] = dict(parameters(record).by_component)
        data[kind]["notes"] = record.notes
    if isinstance(record, Chip):
        data[kind]["offers"] = [_offer_row(offer) for offer in find.offers_for(record.id)]
        data[kind]["notes"] = record.notes
    rows = tuple(
        {"field": key, "value": _text(value), "source": _source_of(record, key)}
        for key, value in data[kind].items()
        if key not in ("provenance", "offers", "layer_groups")
    )
    columns = (Column("field", "field"), Column("value", "value"), Column("source", "source"))
    return Answer("catalog show", data, (Table(f"{kind} {record.id}", columns, rows),))


def _source_of(record: Any, field: str) -> str:
    known: Mapping[str, Any] = record.provenance
    if isinstance(record, EngineMemory) and not hasattr(record, field):
        facts = engine_facts().get(record.id)
        field = field.removeprefix("default_")
        known = facts.provenance if facts else known
    provenance = known.get(field) or known[""]
    return f"{provenance.source} ({provenance.kind}, {provenance.retrieved})"


def _offer_row(offer: Offer) -> Row:
    names = ("id", "provider", "term", "usd_per_accelerator_hour", "region", "date")
    return {**{name: getattr(offer, name) for name in names}, **age_of(offer)}


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        pairs = cast(Mapping[str, Any], value).items()
        return ", ".join(f"{key or 'default'}: {_text(inner)}" for key, inner in pairs if inner is not None)
    if isinstance(value, list | tuple):
        return ", ".join(_text(inner) for inner in cast(tuple[Any, ...], value))
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def schema(kind: str) -> dict[str, Any]:
    """JSON Schema of the scenario or of a kind of fact file."""
    if kind == "scenario":
        return Scenario.model_json_schema()
    if kind not in catalog_schema.ALL:
        raise UnknownIdError("kind of catalog entry", kind, ["scenario", *catalog_schema.ALL])
    return catalog_schema.json_schema(kind)


def checked(today: datetime.date | None = None) -> Answer:
    """Faults of the catalog: `error:` lines must be mended, `warning:` lines should be looked at."""
    day = (today or datetime.date.today()).isoformat()
    found = catalog_schema.check(day)
    errors = [line.removeprefix("error: ") for line in found if line.startswith("error:")]
    warnings = [line.removeprefix("warning: ") for line in found if line.startswith("warning:")]
    rows = tuple(
        {"severity": word, "what": line} for word, lines in (("error", errors), ("warning", warnings)) for line in lines
    )
    title = f"Catalog: {len(errors)} errors, {len(warnings)} warnings"
    table = Table(title, (Column("severity", ""), Column("what", "what")), rows)
    return Answer("catalog check", {"errors": errors, "warnings": warnings}, (table,))


def add_model(config: str | Path, identity: str | None, folder: str | Path | None) -> Answer:
    """Reads a config.json and writes it as a model of a catalog folder; raises InputError if there is no folder."""
    own = [str(place) for place in directories() if place != DATA]
    if folder is None and not own:
        raise InputError("catalog add needs a folder of your own: give --to DIR, or set COSTLINE_CATALOG=DIR")
    if identity == "":
        raise InputError("id='' is empty; give a name with --id, or leave it out to take the file's")
    model = the_model(ModelBlock.model_construct(id=None, config=str(config)))
    model = dataclasses.replace(model, id=identity, name=identity) if identity else model
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,99}", model.id):
        rule = "must be at most 100 lower case letters, digits, '.', '_' and '-'"
        raise InputError(f"id={model.id!r} {rule}; give one with --id")
    known = models.models().get(model.id)
    if known is not None:
        raise InputError(f"id={model.id!r} is already {known.name}; give another with --id")
    place = Path(folder or own[0])
    path = place / "models" / f"{model.id}.yml"
    text = model_file_text(model, retrieved=datetime.date.today().isoformat(), note=f"Read from {Path(config).name}.")
    write_files(path.parent, {path.name: text}, option="--to")
    row = _model_row(model)
    listed = str(place.resolve()) in [str(Path(one).resolve()) for one in own]
    hint = "" if listed else f"Set COSTLINE_CATALOG={place} to use it."
    columns = (Column("id", "added"), Column("total", "parameters", "count"), Column("active", "active", "count"))
    table = Table(f"wrote {path}", columns, ({**row, **row["parameters"]},), hint)
    return Answer("catalog add model", {"model": row, "path": str(path)}, (table,))
