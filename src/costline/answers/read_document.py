"""A question's document as plain values, whatever it asks: a file, a mapping, keyword blocks over it.

The file is read as strictly as a scenario's (see `read_scenario`). Knows no field.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from costline.answers import read_scenario


def read_document(source: str | Path | Mapping[str, Any] | None, blocks: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values of the document, key by key those of the blocks where they are given."""
    if source is None:
        given: Mapping[str, Any] = {}
    elif isinstance(source, Mapping):
        given = source
    else:
        given = read_scenario._load_yaml(Path(source))  # pyright: ignore[reportPrivateUsage]
    return read_scenario._merged(given, blocks)  # pyright: ignore[reportPrivateUsage]
