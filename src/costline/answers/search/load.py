"""A workload as the steady state of a replica sees it. Knows tokens and their spread, not how fast anything is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Load:
    """Tokens of a request, how requests arrive, and what one step may take in."""

    input_tokens: float
    cached_tokens: float
    output_tokens: float
    arrival_cv2: float
    length_cv2: float
    """Squared coefficient of variation of output lengths."""
    chunk_tokens: float
    """Most prompt tokens that one step takes in."""

    @property
    def new_tokens(self) -> float:
        """Prompt tokens to compute."""
        return self.input_tokens - self.cached_tokens

    @property
    def decode_steps(self) -> float:
        """Output tokens after the first."""
        return max(self.output_tokens - 1.0, 0.0)

    @property
    def mean_context_tokens(self) -> float:
        """Context of a decoding sequence, averaged over its answer."""
        return self.input_tokens + self.output_tokens / 2

    @property
    def full_context_tokens(self) -> float:
        """Context of a sequence at its end."""
        return self.input_tokens + self.output_tokens
