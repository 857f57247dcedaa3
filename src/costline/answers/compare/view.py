"""Tables of a comparison: layout only, every number is in the data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

from costline.answers.price_words import dollars, price_table, quantity
from costline.quantities import PERCENT, format_count, significant
from costline.render import Column, Table

Row = Mapping[str, Any]
WORDS = {"api": "the API", "rent": "renting", "own": "owning"}
SHOWN_MONTHS = (0, 1, 3, 6, 12, 18, 24, 36, 48, 60, 72, 84, 96, 120)

_OPTIONS = (
    Column("name", "option"),
    Column("accelerators", "chips", "count", minor=4),
    Column("used", "used", minor=3),
    Column("usd_per_month", "$/month", "usd"),
    Column("span", "from … to"),
    Column("usd_per_mtok_input", "$/Mtok in", "usd", minor=1),
    Column("usd_per_mtok_output", "$/Mtok out", "usd", minor=1),
    Column("usd_per_mtok", "$/Mtok all", "usd"),
    Column("usd_per_request", "a request", "usd", minor=5),
)
_BREAK_EVEN = (
    Column("what", "break-even"),
    Column("volume", "from tokens a month"),
    Column("for_good", "and for good from", minor=1),
    Column("use", "at utilisation of"),
    Column("month", "paid back in months"),
    Column("sold", "or if sold then", minor=2),
)
_HANGS_ON = (
    Column("label", "it hangs on"),
    Column("value", "taken as"),
    Column("span", "from … to"),
    Column("at_low", "saves a month at the first"),
    Column("at_high", "at the last"),
    Column("flips", "the decision turns at"),
)
_PARTS = (
    Column("name", "option"),
    Column("part", "part"),
    Column("usd", "$/month", "usd"),
    Column("share", "share", "percent"),
)


def tables(data: Row) -> tuple[Table, ...]:
    """The options, break-evens, what the decision hangs on, prices with their dates, the cash flow, the parts."""
    return (
        _options(data),
        Table("Break-even", _BREAK_EVEN, tuple(map(break_even_texts, data["break_even"])), _break_even_note(data)),
        Table("", _HANGS_ON, tuple(map(_hangs_on, data["hangs_on"])), _HANGS_ON_NOTE),
        price_table(data["prices"]),
        _cash_flow(data["cash_flow"]),
        Table("What a month is made of", _PARTS, tuple(_parts(data["options"]))),
    )


def title_of(data: Row) -> str:
    """The question in one line."""
    volume, work = data["volume"], data["scenario"]["workload"]
    tokens = format_count(volume["total_tokens_per_month"])
    return f"{data['model']}: {tokens} tokens a month ({volume_words(work)}), {volume['shape']}"


def volume_words(work: Row) -> str:
    """Tokens of a request."""
    prompt, answer = (_mean(work[key]) for key in ("input_tokens", "output_tokens"))
    return f"{prompt:,.0f} in, {answer:,.0f} out a request"


def _mean(lengths: Any) -> float:
    return float(cast(Row, lengths)["mean"]) if isinstance(lengths, Mapping) else float(lengths)


def used_text(row: Row) -> str:
    """Utilisation, and where it is from."""
    if row["utilization"] is None:
        return "–"
    return f"{row['utilization'] * PERCENT:.0f} %" + (" (assumed)" if row["utilization_source"] == "assumed" else "")


def _options(data: Row) -> Table:
    rows = tuple(
        {**row, "used": used_text(row), "span": " … ".join(map(dollars, row["usd_per_month_range"]))}
        for row in data["options"]
    )
    plan = data["deployment"]
    note = (
        f"Rented and owned: {plan['layout']} on {plan['accelerator']}, {plan['weights']} weights; input and output by "
        "the time that prompts and answers take. Used: requests served over what the paid chips could serve. "
        f"From … to: corners of the {_uncertain(data)}assumptions."
    )
    return Table(title_of(data), _OPTIONS, rows, note)


def _uncertain(data: Row) -> str:
    count = len(data["decision"]["uncertain"])
    return f"{count} most uncertain " if count else ""


def span_text(span: Row, text: Any) -> str:
    """A likely value with its interval, such as 4.2 B [2.1 B … never]."""
    low, likely, high = (text(span[end]) for end in ("low", "likely", "high"))
    return likely if low == likely == high else f"{likely} [{low} … {high}]"


def _volume_text(tokens: float) -> str:
    if tokens == 0:
        return "any"
    return "never" if math.isinf(tokens) else format_count(tokens) if tokens >= PERCENT**3 else f"{tokens:,.0f}"


def _share_text(share: float) -> str:
    return "never" if math.isinf(share) else f"{share * PERCENT:.0f} %"


def _months_text(months: float) -> str:
    return "never" if math.isinf(months) else f"{months:.0f}"


def break_even_texts(row: Row) -> dict[str, str]:
    """A break-even as texts."""
    return {
        "what": f"{WORDS[row['way']]} against {WORDS[row['against']]}",
        "volume": span_text(row["tokens_per_month"], _volume_text),
        "for_good": span_text(row["for_good_tokens_per_month"], _volume_text),
        "use": span_text(row["utilization"], _share_text),
        "month": span_text(row["month"], _months_text) if row["month"] else "–",
        "sold": span_text(row["month_with_resale"], _months_text) if row["month"] else "–",
    }


def _break_even_note(data: Row) -> str:
    decades = "a thousandth to a thousand times the volume were looked at"
    return f"Likely [least … greatest over the corners]; {decades}. {most_used(data)}"


def most_used(data: Row) -> str:
    """How much of its capacity a fleet can be used, and why."""
    most = f"{data['volume']['most_utilization'] * PERCENT:.0f} %"
    if data["scenario"]["compare"]["utilization"] is not None:
        return f"Utilisation of {most} is assumed, not computed."
    return f"The targets and the shape of the load allow {most} of capacity at most."


_HANGS_ON_NOTE = (
    "Saving of the cheapest against the next, other numbers at their likely value; certain ones moved by 10 %."
)


def _hangs_on(row: Row) -> dict[str, str]:
    flips = row["flips_at"]
    return {
        "label": row["label"],
        "value": quantity(row["likely"], row["unit"]),
        "span": f"{significant(row['moved_from'])} … {significant(row['moved_to'])}{_origin(row)}",
        "at_low": dollars(row["saving_at_low_usd_per_month"]),
        "at_high": dollars(row["saving_at_high_usd_per_month"]),
        "flips": "nowhere within a tenth to ten times" if flips is None else quantity(flips, ""),
    }


def _origin(row: Row) -> str:
    return " (moved)" if row["certain"] else f" ({row['kind']})"


def _cash_flow(rows: Sequence[Row]) -> Table:
    headings = {
        "api_usd": "API", "rent_usd": "rented", "own_usd": "owned", "own_less_resale_usd": "owned less resale",
    }  # fmt: skip
    keys = [key for key in headings if key in rows[0]]
    columns = (Column("month", "month", "count"), *(Column(key, headings[key]) for key in keys))
    last = rows[-1]["month"]
    shown = [row for row in rows if row["month"] in SHOWN_MONTHS or row["month"] == last]
    texts = tuple({"month": row["month"], **{key: dollars(row[key]) for key in keys}} for row in shown)
    return Table("Paid by the end of each month", columns, texts, "Not discounted; --out writes every month.")


def _parts(options: Sequence[Row]) -> list[dict[str, Any]]:
    return [
        {"name": row["name"], "part": part, "usd": usd, "share": usd / row["usd_per_month"]}
        for row in options
        for part, usd in row["parts_usd"].items()
        if usd
    ]
