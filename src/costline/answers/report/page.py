"""The report as one HTML file: no script, no font, no picture from elsewhere; figures inline as SVG.

Knows HTML; every number is in what it is given.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files

from costline.answers.report.steps import Step
from costline.figures import svg
from costline.figures_chart import Chart
from costline.render import Table


def page(title: str, sections: Iterable[str]) -> str:
    """A whole document."""
    style = (files("costline.answers.report") / "report.css").read_text(encoding="utf-8")
    body = "\n".join(sections)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n"
        "</body>\n</html>\n"
    )


def section(heading: str, *parts: str) -> str:
    """A section under its heading."""
    return f"<section>\n<h2>{escape(heading)}</h2>\n" + "\n".join(part for part in parts if part) + "\n</section>"


def paragraphs(lines: Iterable[str]) -> str:
    """Lines of words, one paragraph each."""
    return "\n".join(f"<p>{escape(line)}</p>" for line in lines)


def bullets(lines: Iterable[str]) -> str:
    """Lines of words as a list."""
    return "<ul>\n" + "\n".join(f"<li>{escape(line)}</li>" for line in lines) + "\n</ul>"


def figure(chart: Chart) -> str:
    """A chart, drawn in place."""
    return f"<figure>\n{svg(chart)}</figure>"


def table(shown: Table) -> str:
    """A table that scrolls where it is wider than the screen."""
    note = f"<p class=\"note\">{escape(shown.note)}</p>" if shown.note else ""
    return f'<div class="wide numbers" tabindex="0">{shown.html()}</div>{note}'


def listed(rows: Sequence[Mapping[str, str]], headings: Mapping[str, str]) -> str:
    """Rows of text under headings; values that are web addresses become links."""
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings.values())
    body = "".join("<tr>" + "".join(f"<td>{_cell(row[key])}</td>" for key in headings) + "</tr>\n" for row in rows)
    return f'<div class="wide listed" tabindex="0"><table><tr>{head}</tr>\n{body}</table></div>'


def _cell(value: str) -> str:
    if value.startswith(("https://", "http://")):
        return f'<a href="{escape(value)}">{escape(value)}</a>'
    return escape(value)


def code(text: str) -> str:
    """Text as it is, to copy."""
    return f"<pre>{escape(text)}</pre>"


def step(number: int, one: Step) -> str:
    """One of the six steps."""
    return (
        f'<div class="step">\n<h3>{number}. {escape(one.title)}: <em>{escape(one.decision)}</em></h3>\n'
        f"{bullets(one.because)}\n{table(one.table) if one.table else ''}</div>"
    )
