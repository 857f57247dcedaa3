"""What a query sees, against a loop over the positions of a sequence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.architecture.visible import attention_pairs, cached_tokens_read, pooled_entries, visible_pairs
from costline.catalog.records import Attention, Compressor, Indexer

SMALL = st.integers(0, 60)
NEW = st.integers(1, 40)
LIMIT = st.integers(1, 50)


def attention(**options: object) -> Attention:
    return Attention(heads=8, kv_heads=8, head_dim=64, value_dim=64, **options)  # type: ignore[arg-type]


def seen(position: int, window: int | None = None, chunk: int | None = None) -> set[int]:
    """Positions that the query at `position` may attend to, itself included."""
    first = 0
    if window is not None:
        first = max(0, position - window + 1)
    if chunk is not None:
        first = position // chunk * chunk
    return set(range(first, position + 1))


@given(tokens=SMALL, window=LIMIT, chunk=LIMIT)
def test_pairs_of_a_sequence_are_what_a_loop_counts(tokens: int, window: int, chunk: int):
    loop = [sum(len(seen(p, *limit)) for p in range(tokens)) for limit in ((None, None), (window, None), (None, chunk))]
    assert [
        float(visible_pairs(tokens)),
        float(visible_pairs(tokens, window_tokens=window)),
        float(visible_pairs(tokens, chunk_tokens=chunk)),
    ] == loop


def test_pairs_at_the_limits():
    assert visible_pairs(0) == 0
    assert visible_pairs(1, window_tokens=1) == visible_pairs(1, chunk_tokens=1) == 1
    assert visible_pairs(8192, window_tokens=8192) == visible_pairs(8192)
    # A token sees half of a long prompt on average.
    assert float(visible_pairs(1e6)) / 1e6**2 == pytest.approx(0.5, rel=1e-5)


@given(context=SMALL, new=NEW, limit=LIMIT)
def test_pairs_of_new_tokens_are_what_a_loop_counts(context: int, new: int, limit: int):
    positions = range(context, context + new)
    full = [seen(p) for p in positions]
    assert attention_pairs(attention(), context, new) == sum(map(len, full))
    windowed = attention(window_tokens=limit)
    assert attention_pairs(windowed, context, new) == sum(len(seen(p, window=limit)) for p in positions)
    chunked = attention(chunk_tokens=limit)
    assert attention_pairs(chunked, context, new) == sum(len(seen(p, chunk=limit)) for p in positions)
    best = attention(indexer=Indexer(4, 128, top_k=limit))
    assert attention_pairs(best, context, new) == sum(min(len(each), limit) for each in full)


@given(context=SMALL, new=NEW, limit=LIMIT)
def test_cached_tokens_read_are_the_union_over_the_queries(context: int, new: int, limit: int):
    positions, cached = range(context, context + new), set(range(context))
    assert cached_tokens_read(attention(), context, new) == context
    union = set().union(*(seen(p, window=limit) for p in positions)) & cached
    assert cached_tokens_read(attention(window_tokens=limit), context, new) == len(union)
    best = float(cached_tokens_read(attention(indexer=Indexer(4, 128, top_k=limit)), context, new))
    assert best == min(context, limit * new)


@given(chunk=LIMIT, new=NEW)
def test_chunks_read_the_mean_over_all_places(chunk: int, new: int):
    chunked = attention(chunk_tokens=chunk)
    starts = range(7 * chunk, 8 * chunk)
    read = [len(set().union(*(seen(p, chunk=chunk) for p in range(c, c + new))) & set(range(c))) for c in starts]
    assert cached_tokens_read(chunked, starts[0], new) == pytest.approx(np.mean(read))
    assert cached_tokens_read(chunked, chunk - 1, new) == chunk - 1


def test_a_pooled_branch_adds_its_entries():
    # DeepSeek-V4: a window of 128, and one entry for 4 tokens of which a selector keeps 512.
    pooled = attention(window_tokens=128, compressor=Compressor(4), indexer=Indexer(64, 128, top_k=512))
    assert float(cached_tokens_read(pooled, 1024, 1)) == 127 + 256
    assert float(cached_tokens_read(pooled, 1_000_000, 1)) == 127 + 512
    assert float(cached_tokens_read(pooled, 1_000_000, 4)) == 127 + 4 * 512
    assert float(attention_pairs(pooled, 999_999, 1)) == 128 + 512
    everything = attention(window_tokens=128, compressor=Compressor(128))
    assert float(pooled_entries(everything, 128_000.0)) == 1000


@given(
    options=st.sampled_from([{}, {"window_tokens": 1024}, {"indexer": Indexer(4, 128, top_k=2048)}]),
    contexts=st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)),
    new=st.integers(1, 10_000),
)
def test_more_context_never_means_less_to_do(options: dict[str, object], contexts: tuple[int, int], new: int):
    short, long = sorted(contexts)
    layer = attention(**options)
    assert attention_pairs(layer, short, new) <= attention_pairs(layer, long, new)
    assert cached_tokens_read(layer, short, new) <= cached_tokens_read(layer, long, new)
    assert attention_pairs(layer, long, new) <= attention_pairs(attention(), long, new)
    assert cached_tokens_read(layer, long, new) <= long


@given(context=SMALL, parts=st.lists(NEW, min_size=1, max_size=4))
def test_a_prompt_in_chunks_sees_what_it_sees_whole(context: int, parts: list[int]):
    for layer in (attention(), attention(window_tokens=16), attention(chunk_tokens=16)):
        places = np.cumsum([context, *parts])
        pieces = sum(float(attention_pairs(layer, start, part)) for start, part in zip(places, parts, strict=False))
        assert pieces == pytest.approx(float(attention_pairs(layer, context, sum(parts))))
