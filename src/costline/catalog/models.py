"""Model architectures by name: an id, an alias or a Hugging Face id; a miss names the nearest.

Knows how model files are laid out and which names mean the same. Reads only the files that a name needs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from costline.catalog.model_fields import MODEL
from costline.catalog.read import DATA, files, read_section
from costline.catalog.records import LayerGroup, Model
from costline.catalog.shapes import Entry
from costline.errors import CatalogError, UnknownIdError, nearest_names

FOLDER = "models"
_DROPPED = re.compile(r"(?<![a-z0-9])(instruct|chat|base|hf|it|bf16|meta|nvidia|litgpt)(?![a-z0-9])")
_ENTRY = re.compile(r"^  ([^\s#:]+):", re.MULTILINE)
_NAMES = re.compile(r"^    (?:(?:name|hf_id): (.+)|aliases: \[(.+)\])$", re.MULTILINE)
_INHERITED = (
    "hidden", "vocab", "tied_embeddings", "position_embeddings", "max_context_tokens", "layers",
    "final_norm_parameters", "extra_parameters", "checkpoint_formats", "mtp_layers", "published", "notes",
)  # fmt: skip


def find_model(name: str) -> Model:
    """The model of that id, alias or Hugging Face id, any case, punctuation and ``-Instruct`` ignored.

    >>> find_model("meta-llama/Llama-3.1-8B-Instruct").id, find_model("Mixtral 8x7B").id
    ('llama-3.1-8b', 'mixtral-8x7b')
    """
    id = _ids_by_name().get(normal(name))
    if id is None:
        ids = _ids_by_name()
        near = dict.fromkeys(ids[key] for key in nearest_names(normal(name), ids, 12))
        raise UnknownIdError("model", name, list(near)[:3])
    return _model(id)


def models() -> dict[str, Model]:
    """All models by id."""
    return {id: _model(id) for id in _files_by_id()}


def normal(name: str) -> str:
    """A name without organisation, case, punctuation and words that do not change the architecture.

    >>> normal("meta-llama/Llama-3.1-8B-Instruct"), normal("Llama 3.1 8B")
    ('llama318b', 'llama318b')
    """
    bare = name.strip().lower().rpartition("/")[2] or name.lower()
    kept = re.sub(r"[^a-z0-9]+", "", _DROPPED.sub("", bare.replace("_", "-")))
    return kept or re.sub(r"[^a-z0-9]+", "", bare)


@lru_cache(maxsize=1)
def _files_by_id() -> dict[str, Path]:
    """The file of each model, the last of several directories winning."""
    return {id: path for id, path, _ in _scan()}


@lru_cache(maxsize=1)
def _ids_by_name() -> dict[str, str]:
    """Id by normal name; ids win over other names, later directories over earlier."""
    found = list(_scan())
    named = {normal(name): id for id, _, names in found for name in names}
    return named | {normal(id): id for id, _, _ in found}


def _scan() -> Iterator[tuple[str, Path, list[str]]]:
    """Id, file and names of each entry; the packaged files are skimmed, since reading them all takes too long."""
    for path in files(FOLDER):
        if not path.is_relative_to(DATA):
            yield from ((id, path, _names(entry)) for id, entry in _entries(path).items())
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        _, _, section = text.partition(f"\n{FOLDER}:")
        starts = list(_ENTRY.finditer(section))
        for start, after in zip(starts, [*starts[1:], None], strict=True):
            body = section[start.end() : after.start() if after else None]
            yield start[1].strip("\"'"), path, [name for match in _NAMES.finditer(body) for name in _split(match)]


def _names(entry: Entry) -> list[str]:
    return [name for name in (entry.values["name"], entry.values["hf_id"], *entry.values["aliases"]) if name]


def _split(match: re.Match[str]) -> list[str]:
    words = [match[1]] if match[1] else match[2].split(",")
    return [word.strip().strip("\"'") for word in words]


@lru_cache(maxsize=64)
def _entries(path: Path) -> dict[str, Entry]:
    return read_section(path, FOLDER, MODEL)


@lru_cache(maxsize=512)
def _model(id: str) -> Model:
    path = _files_by_id()[id]
    entry = _entries(path)[id]
    values = _inherited(entry, ())
    for key in ("hidden", "vocab", "max_context_tokens", "layers"):
        if not values[key]:
            raise CatalogError(f"{entry.where}: {id} lacks the key {key!r}; add it, or the id that it extends")
    own = {key: value for key, value in entry.values.items() if key not in (*_INHERITED, "extends")}
    own["family"] = own["family"] or path.stem
    hidden: int = values["hidden"]
    values["layers"] = tuple(_with_norms(group, hidden) for group in values["layers"])
    defaults: dict[str, Any] = {
        "tied_embeddings": False, "position_embeddings": 0, "final_norm_parameters": hidden, "extra_parameters": 0,
        "checkpoint_formats": {"": "bf16"}, "mtp_layers": 0, "published": {}, "notes": "",
    }  # fmt: skip
    stated = {key: value for key, value in values.items() if value is not None}
    return Model(id=id, **{**own, **defaults, **stated}, provenance=_provenance(entry))


def _base(entry: Entry, below: tuple[str, ...]) -> Entry | None:
    """The entry that `entry` extends; `below` are the ids on the way to it."""
    id: str = entry.values["extends"]
    if not id:
        return None
    if id == entry.id or id in below:
        raise CatalogError(f"{entry.where}: {entry.id} extends {id}, which extends it; break the circle")
    if id not in _files_by_id():
        near = ", ".join(nearest_names(id, _files_by_id()))
        raise CatalogError(f"{entry.where}: {entry.id} extends {id!r}, which is no id; nearest: {near}")
    return _entries(_files_by_id()[id])[id]


def _inherited(entry: Entry, below: tuple[str, ...]) -> dict[str, Any]:
    """The values of an entry, those it leaves out taken from the one that it extends."""
    base = _base(entry, below)
    values = _inherited(base, (*below, entry.id)) if base else dict.fromkeys(_INHERITED)
    return values | {key: entry.values[key] for key in _INHERITED if entry.values[key] is not None}


def _provenance(entry: Entry) -> dict[str, Any]:
    """Provenance by field, of inherited fields that of the entry they come from."""
    base = _base(entry, ())
    if base is None:
        return entry.provenance
    default = _provenance(base)
    taken = {key: default.get(key, default[""]) for key in _INHERITED if entry.values[key] is None}
    return taken | entry.provenance


def _with_norms(group: LayerGroup, hidden: int) -> LayerGroup:
    return replace(group, norm_parameters=2 * hidden) if group.norm_parameters < 0 else group
