"""What launching needs of a plan's row, validated: rows may come from a file that somebody edited."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from costline.errors import InputError

Count = Annotated[int, Field(ge=1, le=2**20)]
Word = Annotated[str, Field(min_length=1, max_length=300)]


class PoolRow(BaseModel):
    """Replicas of one kind: which accelerator, how many, cut how."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    accelerator: Word
    system: Word | None = None
    replicas: Count = 1
    tp: Count = 1
    pp: Count = 1
    dp: Count = 1
    ep: Count = 1
    cp: Count = 1
    batch: Annotated[float, Field(ge=0, le=2**20)] = 1

    @property
    def accelerators(self) -> int:
        """Accelerators of one replica."""
        return self.tp * self.pp * self.dp * self.cp


class DraftRow(BaseModel):
    """The draft that a row speculates with."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    draft: Word = Field(validation_alias=AliasChoices("draft", "model", "name"))
    tokens: Annotated[int, Field(ge=0, le=64)] = Field(
        validation_alias=AliasChoices("draft_tokens", "tokens", "num_speculative_tokens", "max_draft_tokens")
    )


class PlanRow(PoolRow):
    """One row of a plan; its own degrees hold where it has no pools."""

    rank: int = 1
    layout: str = ""
    weights: Word = "bf16"
    kv_cache: Word = "bf16"
    activations: Word = "bf16"
    disaggregated: bool = False
    prefill_pool: PoolRow | None = None
    decode_pool: PoolRow | None = None
    speculation: DraftRow | Literal[False] | None = None

    @property
    def pools(self) -> dict[str, PoolRow]:
        """Pools by role: `serve` alone, or `prefill` and `decode`."""
        if not self.disaggregated:
            return {"serve": self}
        if self.prefill_pool is None or self.decode_pool is None:
            raise InputError(f"plan {self.rank} is disaggregated but lacks prefill_pool or decode_pool; plan again")
        return {"prefill": self.prefill_pool, "decode": self.decode_pool}


def read_row(row: Mapping[str, Any]) -> PlanRow:
    """The row of a plan's answer; raises InputError naming the first field that cannot be used."""
    try:
        return PlanRow.model_validate(dict(row))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        fault = f"{place}: {first['msg'].lower()}"
        raise InputError(f"plan row: {fault}; take the row as costline plan wrote it") from None
