"""Templates of the application, every value escaped."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined


@cache
def environment() -> Environment:
    """The templates that ship with the application."""
    return Environment(loader=PackageLoader("costline.web"), autoescape=True, undefined=StrictUndefined,
                       trim_blocks=True, lstrip_blocks=True)  # fmt: skip


def rendered(template: str, **values: object) -> str:
    """A template with its values."""
    return environment().get_template(template).render(**values)
