"""What every question returns: plain data, tables, charts and the sources it used; frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from costline.figures_chart import Chart
from costline.render import Table, csv_text, json_text, plain, plain_text, record_csv, write_files

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


@dataclass(frozen=True)
class Used:
    """One fact or equation that an answer used: what, its value, where it is from."""

    what: str
    value: str
    kind: str
    source: str
    retrieved: str


@dataclass(frozen=True)
class Answer:
    """An answer: `data` is what `--json` prints; tables and charts are views of it."""

    question: str
    data: Mapping[str, Any]
    tables: tuple[Table, ...] = ()
    charts: Mapping[str, Chart] = field(default_factory=dict[str, Chart])
    """By file stem; the first is the main one."""
    summary: str = ""
    """The answer in words, a few lines."""
    sources: tuple[Used, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict[str, str])
    """Further files of the answer, by name."""

    def to_dict(self) -> dict[str, Any]:
        """The answer as JSON's own types."""
        return plain(self.data)

    def table(self, index: int = 0) -> Table:
        """A table of the answer; the first is the main one. Prints as text, shows as HTML in a notebook."""
        return self.tables[index]

    def figure(self, name: str | None = None) -> Figure:
        """A chart of the answer as a Plotly figure; the first is the main one."""
        from costline.figures import plotly_figure

        return plotly_figure(self.charts[name or next(iter(self.charts))])

    def write(self, folder: str | Path) -> list[Path]:
        """Writes the answer into `folder`, all files or none; returns the paths.

        `result.json`; the tables as shown (`table.csv`, `table-2.csv` …); every list of records in the data with all
        its keys (`plans.csv`, `frontier.csv` …); every chart as `.html` and `.svg`.
        """
        return write_files(Path(folder), self._texts())

    def _texts(self) -> dict[str, str]:
        from costline.figures import html, svg

        texts = {"result.json": json_text(self.data), **self.files}
        for index, table in enumerate(self.tables):
            texts["table.csv" if index == 0 else f"table-{index + 1}.csv"] = csv_text(table)
        for key, rows in self.data.items():
            if isinstance(rows, list) and rows and isinstance(rows[0], Mapping):
                texts[f"{key}.csv"] = record_csv(cast(list[Mapping[str, Any]], rows))
        for stem, chart in self.charts.items():
            texts |= {f"{stem}.html": html(chart), f"{stem}.svg": svg(chart)}
        return texts

    def _repr_html_(self) -> str:
        from html import escape

        lines = "".join(f"<p>{escape(line)}</p>" for line in self.summary.splitlines())
        return lines + "".join(table.html() for table in self.tables)

    def __str__(self) -> str:
        return "\n".join([*(plain_text(table) for table in self.tables), self.summary])
