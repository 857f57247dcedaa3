"""The bill of requests under a list price: each token once, each component exact, the total their sum.

Exact, in Decimal. Knows usage and prices. Knows no plans and nothing of where a card comes from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from decimal import Context, Decimal, Inexact, localcontext

from costline.catalog.api_records import Rates
from costline.errors import DomainError
from costline.money.api_price import LEAVES, Leaf, leaf_usd_per_mtok
from costline.quantities import MEGA

Tokens = int | Decimal
_EXACT = Context(prec=200, traps=[Inexact])
"""Sums and products of list prices end; a result that had to be rounded is a fault."""
_MTOK = Decimal(int(MEGA))


@dataclass(frozen=True)
class Usage:
    """Tokens of one request. `input_tokens` and `output_tokens` are wholes; the others are parts of them."""

    input_tokens: Tokens
    output_tokens: Tokens
    cache_read_tokens: Tokens = 0
    cache_write_tokens: Tokens = 0
    cache_write_1h_tokens: Tokens = 0
    reasoning_tokens: Tokens = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) < 0:
                raise DomainError(f"{field.name}={getattr(self, field.name)} must not be negative; count tokens")
        cached = self.cache_read_tokens + self.cache_write_tokens + self.cache_write_1h_tokens
        if cached > self.input_tokens:
            raise DomainError(f"cached tokens {cached} exceed input_tokens={self.input_tokens}; they are part of them")
        if self.reasoning_tokens > self.output_tokens:
            whole = f"output_tokens={self.output_tokens}"
            raise DomainError(f"reasoning_tokens={self.reasoning_tokens} exceed {whole}; they are part of them")


@dataclass(frozen=True)
class Line:
    """One component of a bill: tokens of one kind at one price; a discount has a negative amount and no tokens."""

    what: str
    tokens: Tokens
    usd_per_mtok: Decimal
    usd: Decimal


@dataclass(frozen=True)
class Bill:
    """Components and their exact sum."""

    lines: tuple[Line, ...]
    total_usd: Decimal

    def __add__(self, other: Bill) -> Bill:
        """Two bills as one; what is alike is put together."""
        with localcontext(_EXACT):
            amounts: dict[tuple[str, Decimal], tuple[Tokens, Decimal]] = {}
            for line in (*self.lines, *other.lines):
                tokens, usd = amounts.get((line.what, line.usd_per_mtok), (0, Decimal(0)))
                amounts[line.what, line.usd_per_mtok] = tokens + line.tokens, usd + line.usd
            lines = tuple(Line(what, tokens, price, usd) for (what, price), (tokens, usd) in amounts.items())
            return Bill(lines, self.total_usd + other.total_usd)

    @property
    def usd_per_mtok(self) -> float | None:
        """Mean price of a million tokens, input and output together; None for a bill without tokens."""
        tokens = sum((line.tokens for line in self.lines), Decimal(0))
        return float(self.total_usd * _MTOK / tokens) if tokens else None

    def usd_of(self, *whats: str) -> Decimal:
        """What the named components cost together."""
        with localcontext(_EXACT):
            return sum((line.usd for line in self.lines if line.what in whats), Decimal(0))


def leaf_tokens(usage: Usage) -> Mapping[Leaf, Tokens]:
    """The tokens of a request by kinds that share none.

    Equation
        n_input = N_in - n_read - n_write - n_write_1h ; n_output = N_out - n_reasoning

    Parameters
        usage  N, n  record  wholes and their parts

    Returns
        n  mapping of kind to tokens; their sum is N_in + N_out

    Holds when  a token is read from the cache, written to it, or neither.
    Source      [genai-prices] decompose
    Raises      nothing; a Usage whose parts exceed their whole cannot be made

    >>> dict(leaf_tokens(Usage(1000, 200, cache_read_tokens=800)))["input"]
    200
    """
    cached = usage.cache_read_tokens + usage.cache_write_tokens + usage.cache_write_1h_tokens
    return {
        "input": usage.input_tokens - cached,
        "cache_read": usage.cache_read_tokens,
        "cache_write": usage.cache_write_tokens,
        "cache_write_1h": usage.cache_write_1h_tokens,
        "output": usage.output_tokens - usage.reasoning_tokens,
        "reasoning": usage.reasoning_tokens,
    }


def workload_bill(rates: Rates, workload: Iterable[tuple[Usage, int]], discount: Decimal = Decimal(0)) -> Bill:
    """Bill of requests, each priced at the step of its own context.

    Equation
        C = (1 - d) sum_r m_r sum_leaf n_leaf,r p_leaf(S_r) / 10^6

    Parameters
        rates     p        record  prices by kind and context
        workload  n_r, m_r  list  usage of a request, and how many requests are like it
        discount  d        [1]  number  in [0, 1], off the whole bill (a contract's)

    Returns
        C  record, [USD]: components, discount, total

    Holds when  requests are billed one by one and nothing is rounded to cents.
    Source      [genai-prices]; [definition]
    Raises      DomainError if a count is negative, the discount not in [0, 1], or a price is missing

    >>> from costline.catalog.api_records import flat_rates
    >>> workload_bill(flat_rates(5, 24), [(Usage(500, 200), 10_000)]).total_usd
    Decimal('73')
    """
    if not 0 <= discount <= 1:
        raise DomainError(f"discount={discount} must lie in [0, 1]; 0.25 = a quarter off")
    counted: dict[tuple[Leaf, Decimal], Tokens] = {}
    with localcontext(_EXACT):
        for usage, requests in workload:
            if requests < 0:
                raise DomainError(f"requests={requests} must not be negative; count requests")
            for leaf, tokens in leaf_tokens(usage).items():
                if tokens:
                    key = leaf, leaf_usd_per_mtok(rates, leaf, usage.input_tokens)
                    counted[key] = counted.get(key, 0) + tokens * requests
        ordered = sorted(counted.items(), key=lambda item: (LEAVES.index(item[0][0]), item[0][1]))
        lines = [Line(leaf, tokens, price, tokens * price / _MTOK) for (leaf, price), tokens in ordered]
        full = sum((line.usd for line in lines), Decimal(0))
        if discount:
            lines.append(Line("discount", 0, Decimal(0), -discount * full))
        return Bill(tuple(lines), sum((line.usd for line in lines), Decimal(0)))


def request_bill(rates: Rates, usage: Usage, requests: int = 1, discount: Decimal = Decimal(0)) -> Bill:
    """Bill of equal requests.

    Equation
        C = (1 - d) m sum_leaf n_leaf p_leaf(S) / 10^6

    Parameters
        rates     p  record  prices by kind and context
        usage     n  record  tokens of one request
        requests  m  [request]  number  >= 0
        discount  d  [1]  number  in [0, 1], off the whole bill

    Returns
        C  record, [USD]: components and total

    Holds when  all requests are alike.
    Source      [genai-prices]
    Raises      DomainError as workload_bill

    >>> from costline.catalog.api_records import flat_rates
    >>> request_bill(flat_rates(60, 120), Usage(30_000, 2_000)).total_usd
    Decimal('2.04')
    """
    return workload_bill(rates, [(usage, requests)], discount)
