"""What every question returns: plain data, tables, charts and the sources it used; frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from costline.figures_chart import Chart
from costline.render import Table, csv_text, json_text, plain, plain_text, write_file

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
        """Writes `result.json`, `table.csv` and every chart as `.html` and `.svg` into `folder`; returns the paths."""
        from costline.figures import write as write_chart

        place = Path(folder)
        paths = [place / "result.json"]
        write_file(paths[0], json_text(self.data))
        for index, table in enumerate(self.tables):
            paths.append(place / ("table.csv" if index == 0 else f"table-{index + 1}.csv"))
            write_file(paths[-1], csv_text(table))
        for stem, chart in self.charts.items():
            paths += write_chart(chart, place, stem) or [place / f"{stem}.html", place / f"{stem}.svg"]
        return paths

    def _repr_html_(self) -> str:
        from html import escape

        lines = "".join(f"<p>{escape(line)}</p>" for line in self.summary.splitlines())
        return lines + "".join(table.html() for table in self.tables)

    def __str__(self) -> str:
        return "\n".join([*(plain_text(table) for table in self.tables), self.summary])
