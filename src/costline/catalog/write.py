"""Writes a model as an entry of a catalog folder of the user's own. Knows the file's layout; reads nothing."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from costline.catalog.records import LayerGroup, Model

SOURCE = "user-config"
_PLAIN = ("hidden", "vocab", "tied_embeddings", "position_embeddings", "max_context_tokens", "final_norm_parameters",
          "extra_parameters", "mtp_layers")  # fmt: skip


def model_file_text(model: Model, *, retrieved: str, note: str) -> str:
    """A whole model file that holds this one model."""
    lines = [
        f"# {model.name}: added from a config.json.",
        f"source: {SOURCE}",
        "kind: published",
        f"retrieved: {retrieved}",
        "",
        "models:",
        f"  {model.id}:",
        f"    name: {_text(model.name)}",
    ]
    if model.hf_id:
        lines.append(f"    hf_id: {_text(model.hf_id)}")
    if model.aliases:
        lines.append(f"    aliases: [{', '.join(_text(alias) for alias in model.aliases)}]")
    lines += [f"    {name}: {_text(getattr(model, name))}" for name in _PLAIN]
    lines.append(f"    checkpoint_formats: {_text(dict(model.checkpoint_formats))}")
    lines.append(f"    notes: {_text(' '.join(part for part in (model.notes, note) if part))}")
    lines.append("    layers:")
    lines += [f"      - {_text(_without_defaults(group))}" for group in model.layers]
    return "\n".join(lines) + "\n"


def _text(value: Any) -> str:
    """JSON is YAML: one line, exact."""
    return json.dumps(value, ensure_ascii=False)


def _without_defaults(record: LayerGroup | Any) -> dict[str, Any]:
    """A record as a table of what differs from its defaults."""
    found: dict[str, Any] = {}
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        always = field.name == "norm_parameters"
        if always or field.default is dataclasses.MISSING or value != field.default:
            found[field.name] = _without_defaults(value) if dataclasses.is_dataclass(value) else value
    return found
