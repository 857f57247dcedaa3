"""A comparison's decision in a few lines: words only, every number is in the data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from costline.answers.compare.view import WORDS, break_even_texts, most_used, used_text
from costline.answers.price_words import dollars
from costline.money.price import STALE_DAYS
from costline.quantities import PERCENT, format_count, significant

Row = Mapping[str, Any]
_ACT = {"api": "Buy from the API", "rent": "Rent", "own": "Own"}
FIRM, LEANING = 0.9, 0.6


def summary(data: Row) -> str:
    """What to do, how firm that is, where it turns, what it hangs on, and how old the prices are."""
    lines = [_decision(data), _firmness(data), _upfront(data), *_break_evens(data), _hangs_on(data)]
    lines += [*(f"{why[:1].upper()}{why[1:]}." for why in data["left_out"]), _prices(data["prices"])]
    assumed = data["scenario"]["compare"]["utilization"] is not None
    lines += [most_used(data)] if assumed else []
    return "\n".join(line for line in lines if line)


def _decision(data: Row) -> str:
    rows, decision = data["options"], data["decision"]
    best, others = rows[0], rows[1:]
    against = " and ".join(f"{dollars(row['usd_per_month'])} {_called(row)}" for row in others)
    next_usd = others[0]["usd_per_month"]
    saves = decision["saving_usd_per_month"] / next_usd if next_usd else 0.0
    act = f"{_ACT[best['way']]}{_fleet(data, best)}"
    close = _held(decision) < LEANING
    lead = f"Too close to call; at the likely values: {act[:1].lower()}{act[1:]}" if close else act
    return (
        f"{lead}: {dollars(best['usd_per_month'])} a month against {against}, {saves * PERCENT:.0f} % less than the "
        f"next, at {format_count(data['volume']['total_tokens_per_month'])} tokens a month; "
        f"${significant(best['usd_per_mtok_input'])} per million input and "
        f"${significant(best['usd_per_mtok_output'])} per million output tokens."
    )


def _called(row: Row) -> str:
    return {"api": f"at the API ({row['name'].removeprefix('API, ')})", "rent": row["name"], "own": "owned"}[row["way"]]


def _held(decision: Row) -> float:
    return decision["corners_cheapest"][decision["cheapest"]] / decision["corners"]


def _fleet(data: Row, row: Row) -> str:
    if row["accelerators"] is None:
        return f" ({row['name'].removeprefix('API, ')})"
    chip = data["deployment"]["accelerator"]
    return f" {row['accelerators']} × {chip} ({used_text(row)} used)"


def _firmness(data: Row) -> str:
    """In how many corners each way is the cheapest; what is never so is ruled out."""
    decision = data["decision"]
    won = sorted(decision["corners_cheapest"].items(), key=lambda item: -item[1])
    counts = ", ".join(f"{WORDS[way]} in {count}" for way, count in won)
    word = "Firm" if _held(decision) >= FIRM else "Leaning" if _held(decision) >= LEANING else "Open"
    low, high = decision["saving_range_usd_per_month"]
    out = [WORDS[way] for way, count in won if not count]
    ruled = f" Ruled out: {', '.join(out)}." if out else ""
    return (
        f"{word}: of {decision['corners']} corners of the assumptions, cheapest is {counts}; against the next it "
        f"saves from {dollars(low)} to {dollars(high)} a month.{ruled}"
    )


def _upfront(data: Row) -> str:
    first = data["cash_flow"][0].get("own_usd")
    return f"Owning asks for {dollars(first)} before the first token." if first else ""


def _break_evens(data: Row) -> list[str]:
    lines: list[str] = []
    for row in data["break_even"]:
        texts = break_even_texts(row)
        if row["tokens_per_month"]["low"] == float("inf"):
            lines.append(f"Break-even: {texts['what']} never pays.")
            continue
        month = f", paid back after {texts['month']} months" if row["month"] else ""
        month += f" ({texts['sold']} if sold then)" if row["month"] else ""
        if row["month"] and row["life_months"] < row["month"]["likely"] < float("inf"):
            month += f": longer than its life of {row['life_months']:.0f} months, so it hangs on resale"
        lines.append(
            f"Break-even: {WORDS[row['way']]} beats {WORDS[row['against']]} from {texts['volume']} tokens a month, at "
            f"a utilisation of {texts['use']}{month}."
        )
    return lines


def _hangs_on(data: Row) -> str:
    parts: list[str] = []
    for place, row in enumerate(data["hangs_on"], start=1):
        turn = f"turns at {significant(row['flips_at'])}" if row["flips_at"] is not None else "turns nowhere near"
        unit = f" {row['unit']}" if row["unit"] else ""
        parts.append(f"{place}. {row['label']}, {significant(row['likely'])}{unit}, {turn}")
    return f"It hangs on: {'; '.join(parts)}."


def _prices(rows: Any) -> str:
    dated = [f"{row['label']} {row['date']}" for row in rows if row["date"]]
    stale = [row["label"] for row in rows if row["stale"]]
    given = [row["label"] for row in rows if row["kind"] == "given"]
    assumed = [row["label"] for row in rows if row["kind"] == "assumed"]
    lines = [f"Prices of: {', '.join(dated)}." if dated else "No price has a date."]
    lines += [f"Older than {STALE_DAYS} days, check before you decide: {', '.join(stale)}."] if stale else []
    lines += [f"As given: {', '.join(given)}."] if given else []
    lines += [f"Assumed: {', '.join(assumed)}."] if assumed else []
    return " ".join(lines)
