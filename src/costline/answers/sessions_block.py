"""Conversations of many turns, as a scenario says them, and the mean request that they make.

Knows the shape of a conversation. Draws none, but for the mean of those that a context cuts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field, model_validator

from costline.answers.lengths_block import Lengths, TokenLengths, distribution_of, longest_of, mean_of
from costline.answers.scenario_values import MAX_TOKENS, Number, ScenarioBlock, SomeTokens, Tokens
from costline.errors import DomainError
from costline.quantities import KILO

if TYPE_CHECKING:
    from costline.serving.sessions import SessionShape

MOST_TURNS = int(KILO)


class SessionsBlock(ScenarioBlock):
    """Conversations: every turn sends what was said before and something new."""

    also_written: ClassVar = {
        "num_turns": "turns", "turns_per_session": "turns", "input_tokens": "new_tokens", "user_tokens": "new_tokens",
        "think_time_s": "think_s", "max_context": "max_context_tokens", "max_model_len": "max_context_tokens",
    }  # fmt: skip
    turns: TokenLengths = Field(description="turns of a conversation: a whole number, or {mean, cv}")
    new_tokens: TokenLengths = Field(description="what a user adds in a turn; workload.output_tokens is each answer")
    think_s: Annotated[Number, Field(ge=0, le=MAX_TOKENS)] = Field(
        description="mean seconds from an answer to the next turn, exponential; 0 = at once, as agents do"
    )
    max_context_tokens: Tokens | None = Field(
        default=None, description="a conversation ends before the turn that would exceed it"
    )
    prompt_tokens: Tokens | None = Field(
        default=None, description="mean prompt of all turns; follows from the others, leave it out"
    )
    cached_tokens: SomeTokens | None = Field(
        default=None, description="mean tokens of a prompt that were there before; follows from the others"
    )

    @model_validator(mode="after")
    def _some_turns(self) -> SessionsBlock:
        if not isinstance(self.turns, Lengths) and not float(self.turns).is_integer():
            raise ValueError(f"turns={self.turns:g} must be a whole number; write {{mean: {self.turns:g}, cv: 0.5}}")
        if mean_of(self.turns) > MOST_TURNS:
            raise ValueError(f"turns={mean_of(self.turns):g} must be at most {MOST_TURNS:,}; lower it")
        return self


def shape_of(block: SessionsBlock, output_tokens: float | Lengths, shared_tokens: float) -> SessionShape:
    """Conversations as they are drawn."""
    from costline.serving.sessions import SessionShape

    most = block.max_context_tokens
    return SessionShape(
        turns=distribution_of(block.turns),
        new_tokens=distribution_of(block.new_tokens),
        output_tokens=distribution_of(output_tokens),
        think_s=block.think_s,
        system_tokens=float(int(shared_tokens)),
        most_context_tokens=float("inf") if most is None else most,
    )


def longest_tokens(block: SessionsBlock, output_tokens: float | Lengths, shared_tokens: float) -> float:
    """Prompt and answer of the last turn of a conversation that one in a thousand outlasts."""
    each = mean_of(block.new_tokens) + mean_of(output_tokens)
    last = longest_of(block.new_tokens) + longest_of(output_tokens)
    whole = shared_tokens + (longest_of(block.turns) - 1) * each + last
    return min(whole, block.max_context_tokens or whole)


def mean_request(block: SessionsBlock, output_tokens: float | Lengths, shared_tokens: float) -> tuple[float, float]:
    """Mean prompt of the turns of all conversations, and how much of it was there before."""
    from costline.serving.sessions import mean_turn

    try:
        found = mean_turn(shape_of(block, output_tokens, shared_tokens))
    except DomainError as error:
        raise ValueError(str(error).replace("most_context_tokens", "sessions.max_context_tokens")) from None
    if found.prompt_tokens > MAX_TOKENS:
        raise ValueError(f"sessions grow to a mean prompt of {found.prompt_tokens:,.0f} tokens; lower their turns")
    return found.prompt_tokens, found.prompt_tokens - found.new_tokens
