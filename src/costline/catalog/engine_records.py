"""What is known of a serving engine: its defaults, formats and flags, and the flags of a command line. No formula."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from costline.catalog.records import Provenance


@dataclass(frozen=True)
class EngineLimits:
    """Limits that an engine takes on devices from some memory size on."""

    from_memory_bytes: float
    max_batched_tokens: int | None = None
    """Tokens of one step, or of a chunk of a prompt."""
    max_sequences: int | None = None
    graph_batch: int | None = None
    """Largest decode batch that is captured."""
    graph_batch_tp4: int | None = None
    """The same from a tensor parallel degree of 4 on, where it differs."""


@dataclass(frozen=True)
class GraphStride:
    """From which batch on graphs are captured at which distance."""

    start: int
    step: int


@dataclass(frozen=True)
class EngineFacts:
    """What a release of an engine does unless it is told otherwise, and what its settings are called."""

    id: str
    package: str
    release: str
    released: str
    memory_fraction: float | None
    """None: the engine derives it, by `memory_rule`."""
    memory_rule: str
    block_tokens: int
    """Tokens of one block of the cache."""
    chunked_prefill: bool | None
    """None: not known."""
    mixed_steps: bool | None
    """Chunks of prompts run in the steps that decode."""
    prefix_caching: bool | None
    asynchronous: bool | None
    """The next step is scheduled while one runs."""
    limits: tuple[EngineLimits, ...]
    """Ascending by memory."""
    graph_batches: tuple[int, ...]
    """Smallest captured decode batches, before the strides."""
    graph_strides: tuple[GraphStride, ...]
    graph_most: Mapping[str, int]
    """Largest captured batch by chip family; `""` = of the others."""
    weight_formats: Mapping[str, tuple[str, ...]]
    """By chip family."""
    cache_formats: Mapping[str, tuple[str, ...]]
    flags: Mapping[str, str]
    """The engine's name of each setting of a plan."""
    port: int
    health: str
    """Path that answers once the server is ready."""
    images: Mapping[str, str]
    """Container image by vendor of the accelerator."""
    image_tag: str
    notes: str
    provenance: Mapping[str, Provenance] = field(default_factory=dict[str, Provenance])


@dataclass(frozen=True)
class Flag:
    """One flag of a command line, or one key of a settings object."""

    type: str
    """flag, int, float, str, list, json or any."""
    of: str = ""
    """Type of a list's items."""
    choices: tuple[str, ...] = ()
    """All values that it takes; none = any."""
    known: tuple[str, ...] = ()
    """Values that it takes where plugins may add more."""
    negatable: bool = False
    """Has a form with `--no-`."""
    repeats: bool = False
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Program:
    """A command line as a release of its package parses it."""

    id: str
    package: str
    version: str
    flags: Mapping[str, Flag]
    objects: Mapping[str, Mapping[str, Flag]]
    """Keys of flags whose value is an object, dotted where they nest."""
    provenance: Mapping[str, Provenance] = field(default_factory=dict[str, Provenance])
