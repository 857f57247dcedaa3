"""Write docs/reproductions.md and docs/figures/*.svg: published tables and figures, recomputed, with reasons.

python tools/generate_reproductions.py                  write them; some 30 s
python tools/generate_reproductions.py --check          exit 1 and say what is stale, all computed anew
python tools/generate_reproductions.py --check --fast   the same, but for Erdil's tables and figures compare a digest
                                                        of what they are computed from
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from costline.answers.reproduce import PUBLICATIONS, figures_of, own_in_units, tables_of
from costline.answers.reproduce.case import Own
from costline.answers.reproduce.charts import chart
from costline.answers.reproduce.own import without
from costline.answers.reproduce.view import reasons, shown_table
from costline.figures import svg
from costline.published.cells import Cell, Table
from costline.published.erdil_2025_data import printed_rows
from costline.quantities import significant
from costline.render import Table as Shown
from docstrings import PACKAGE
from generate_docs import DOCS
from generate_docs import table as markdown_table

PAGE = DOCS / "reproductions.md"
FIGURES = DOCS / "figures"
SLOW = "erdil-2025"
ORIGIN = "<!-- Written by tools/generate_reproductions.py; change the published models or the physics instead. -->"
INTRODUCTION = """Each table and figure below is a published one, computed anew by the publication's own model
(`src/costline/published/`, quirks and all) and set beside the printed numbers. A computed number *matches* if it rounds
to the printed one. Where a printed number is known not to follow from its own model, the note says why; anything else
is a fault, and `costline reproduce` ends with exit code 1.

*Own* is the same question put to costline's own physics: whole accelerators, legal layouts, the memory that an engine
leaves, latencies of kernels and collectives. *Datasheet* takes every rate at its peak, *calibrated* at what kernels
sustain (`--calibration none` and `default`). A dash says that no such deployment exists. `costline reproduce --own`
prints the same, `--out DIR` writes every cell as CSV and every figure.

Where Erdil's speeds move, the reason splits the change in two: *by size* is the study's own model at the deployment
that costline finds, over the printed speed; *by physics* is costline over the study's model there. A pass is one
forward pass, a round a pass over drafted tokens with the draft's own passes before it; a lane is the accelerators
that share each layer (tp · dp)."""


def markdown(shown: Shown) -> str:
    """A table of an answer as Markdown."""
    rows = [[str(row[column.key]).strip() for column in shown.columns] for row in shown.rows]
    return markdown_table([column.heading for column in shown.columns], rows)


# Parts of the page; those of one publication follow one another


def summary(publications: Mapping[str, Sequence[Table]]) -> str:
    """Cells by publication."""
    rows: list[tuple[object, ...]] = []
    for name, tables in {**publications, "all": [table for group in publications.values() for table in group]}.items():
        cells = [cell for table in tables for cell in table.cells]
        surprises = sum(len(table.surprises) for table in tables)
        matching = sum(cell.matches for cell in cells)
        known = sum(not (cell.matches or cell.expected_match) for cell in cells)
        rows.append((name, len(tables), len(cells), matching, known, surprises))
    return markdown_table(("publication", "tables", "cells", "match", "differ as known", "unexpected"), rows)


def figure_parts(publication: str) -> Iterator[tuple[str, str]]:
    """The SVG and the link of each figure; writing them is left to the caller."""
    for name, compute in figures_of(publication).items():
        drawn = chart(compute())
        yield svg(drawn), f"![{drawn.title}](figures/{name}.svg)"


def own_part(table: Table, owns: Mapping[tuple[str, str], Own]) -> str:
    """Costline's own numbers for a table and why they differ, or why there are none."""
    if not owns:
        return f"Own: none; {without(table.name)}."
    rows = [(*place, significant(own.datasheet), significant(own.calibrated)) for place, own in owns.items()]
    header = ("row", "column", "own, datasheet", "own, calibrated")
    return f"{markdown_table(header, rows)}\n\n{markdown(reasons(table, owns))}"


def table_part(table: Table) -> str:
    """A published table beside what is computed."""
    return f"### {table.name}\n\n{table.title}. {table.source}.\n\n{markdown(shown_table(table, {}))}"


def page(publications: Mapping[str, Sequence[Table]], links: Mapping[str, Sequence[str]]) -> str:
    """The whole page."""
    blocks = ["# Published models reproduced", ORIGIN, INTRODUCTION, summary(publications)]
    for name, tables in publications.items():
        blocks.append(f"## {PUBLICATIONS[name][1]}")
        blocks += [f"<!-- from {digest()} -->"] if name == SLOW else []
        blocks += links[name]
        for table in tables:
            own = own_part(table, own_in_units(table))
            blocks += [table_part(table), *([own] if own not in blocks else [])]
    return "\n\n".join(blocks) + "\n"


# What is stale


def digest() -> str:
    """What Erdil's tables are computed and drawn from: code without comments, and the study's data."""
    code = [*sorted((PACKAGE / "published").glob("erdil_2025*.py")), PACKAGE / "published" / "cells.py"]
    texts = [ast.dump(ast.parse(path.read_text(encoding="utf-8"))) for path in code]
    texts.append((PACKAGE / "catalog/data/published/erdil_2025.yml").read_text(encoding="utf-8"))
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def as_printed(name: str) -> Table:
    """One of Erdil's Tables 2 to 6 with its printed numbers in the place of computed ones: enough to ask costline."""
    key = name.removeprefix(f"{SLOW}-").replace("-", "_")
    cells: list[Cell] = []
    for label, _, *numbers in printed_rows(key):
        columns = ("tokens per second", "cost per million tokens", "GPUs", "batch") if len(numbers) > 2 else (
            "tokens per second", "GPUs",
        )  # fmt: skip
        cells += [
            Cell(row=label, column=column, published=number, computed=number)
            for column, number in zip(columns, numbers, strict=True)
        ]
    return Table(name=name, title="", source="", cells=tuple(cells))


def fast_faults() -> Iterator[str]:
    """What is stale, without Erdil's search: the other publications, every own number, and Erdil's digest."""
    written = PAGE.read_text(encoding="utf-8")
    if f"<!-- from {digest()} -->" not in written:
        yield f"{SLOW} is computed from other code or data"
    for name in tables_of(SLOW):
        if not without(name) and own_part(table := as_printed(name), own_in_units(table)) not in written:
            yield f"{name}, own numbers"
    for publication in PUBLICATIONS:
        if publication == SLOW:
            continue
        for name, compute in tables_of(publication).items():
            table = compute()
            if table_part(table) not in written or own_part(table, own_in_units(table)) not in written:
                yield name
        for name, (drawn, link) in zip(figures_of(publication), figure_parts(publication), strict=True):
            if link not in written or drawn != _text(FIGURES / f"{name}.svg"):
                yield f"{name}.svg"
    yield from (f"{name}.svg is missing" for name in figures_of(SLOW) if not _text(FIGURES / f"{name}.svg"))


def rendered() -> dict[Path, str]:
    """Every file that is written, with its text."""
    publications = {name: [compute() for compute in tables_of(name).values()] for name in PUBLICATIONS}
    drawn = {name: dict(zip(figures_of(name), figure_parts(name), strict=True)) for name in PUBLICATIONS}
    links = {name: [link for _, link in parts.values()] for name, parts in drawn.items()}
    pictures = {FIGURES / f"{stem}.svg": text for parts in drawn.values() for stem, (text, _) in parts.items()}
    return {PAGE: page(publications, links), **pictures}


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def main(arguments: list[str]) -> int:
    """Write the page and its figures, or with --check say which are stale."""
    if "--check" in arguments:
        if "--fast" in arguments:
            faults = list(fast_faults())
        else:
            faults = [path.name for path, text in rendered().items() if _text(path) != text]
        for fault in faults:
            print(f"docs/reproductions.md: {fault}; run python tools/generate_reproductions.py", file=sys.stderr)
        return 1 if faults else 0
    FIGURES.mkdir(exist_ok=True)
    for path, text in rendered().items():
        path.write_text(text, encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
