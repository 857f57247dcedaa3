"""Names lead to facts: ids, aliases, any case; a miss names the nearest; a reference price is an actual offer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.catalog import find, load
from costline.catalog.fields import FileKind
from costline.errors import InputError, UnknownIdError


@pytest.mark.parametrize(
    ("name", "id"),
    [
        ("H100", "h100-sxm"), ("h100 pcie", "h100-pcie"), ("A100-80GB", "a100-80gb-sxm"),
        ("A100", "a100-80gb-sxm"), ("a100 40GB", "a100-40gb-sxm"), ("TPU v5e", "tpu-v5e"), ("v5e", "tpu-v5e"),
        ("MI300X", "mi300x"), ("AMD Instinct MI300X", "mi300x"), ("NVIDIA H100 80GB HBM3", "h100-sxm"),
        ("Tesla T4", "t4"), ("NVIDIA GeForce RTX 4090", "rtx-4090"), ("B200", "b200-sxm"),
        ("GB200 NVL72", "gb200"), ("Trillium", "tpu-v6e"), ("Ironwood", "tpu-v7"), ("Gaudi 3", "gaudi3"),
        ("Trainium2", "trn2"), ("V100", "v100-32gb-sxm"), ("CS-3", "wse-3"),
    ],
)  # fmt: skip
def test_accelerators_by_common_names(name: str, id: str):
    assert find.chip(name).id == id


@pytest.mark.parametrize(
    ("lookup", "name", "id"),
    [
        (find.system, "DGX H100", "hgx-h100"),
        (find.system, "p5.48xlarge", "hgx-h100"),
        (find.system, "nvl72", "nvl72-gb200"),
        (find.grid, "FIN", "fin"),
        (find.grid, "germany", "deu"),
        (find.grid, "US-CA", "us-ca"),
        (find.grid, "gcp:us-central1", "gcp-us-central1"),
        (find.grid, "Georgia", "geo"),
        (find.pue, "equinix", "equinix"),
        (find.engine, "VLLM", "vllm"),
        (find.workload, "azure conv", "azure-conversation-2023"),
    ],
)
def test_other_facts_by_name(lookup: object, name: str, id: str):
    assert lookup(name).id == id  # type: ignore[operator]


NAMED: list[tuple[FileKind, str, str]] = [
    (kind, name, id)
    for kind in ("chips", "systems", "workloads")
    for id, record in load.LOADERS[kind]().items()
    for name in (record.id, *record.aliases)
]


@given(st.sampled_from(NAMED), st.lists(st.sampled_from(" -_./"), min_size=1), st.integers(0, 2**32))
def test_case_and_punctuation_do_not_matter(named: tuple[FileKind, str, str], marks: list[str], flips: int):
    kind, name, id = named
    told = "".join(
        (letter.upper() if flips >> index % 32 & 1 else letter.lower())
        + (marks[index % len(marks)] if not letter.isalnum() else "")
        for index, letter in enumerate(name)
    )
    lookup = {"chips": find.chip, "systems": find.system, "workloads": find.workload}[kind]
    assert lookup(told).id == id


@pytest.mark.parametrize("name", ["H100-SXN", "h1000", "mi399x", "tpu v9", "", "   ", "ü", "x" * 10_000])
def test_a_miss_names_the_nearest_three(name: str):
    with pytest.raises(UnknownIdError, match="unknown accelerator") as caught:
        find.chip(name)
    near = str(caught.value).rpartition("nearest: ")[2].split(", ")
    assert len(near) == 3
    assert set(near) <= set(load.chips())
    assert isinstance(caught.value, InputError)


def test_the_nearest_is_named_first():
    with pytest.raises(UnknownIdError, match="nearest: h100-sxm,"):
        find.chip("h100-sxn")
    with pytest.raises(UnknownIdError, match="nearest: vllm"):
        find.engine("vlm")
    with pytest.raises(UnknownIdError, match="unknown offer"):
        find.offer("runpod-h100")


# Offers


def test_offers_are_newest_first_then_cheapest():
    found = find.offers_for("H100")
    assert {offer.chip for offer in found} == {"h100-sxm"}
    keys = [(offer.date, -offer.usd_per_accelerator_hour) for offer in found]
    assert keys == sorted(keys, reverse=True)
    assert len(found) > 30
    spot = find.offers_for("H100", term="spot")
    assert spot
    assert {offer.term for offer in spot} == {"spot"}
    assert find.offers_for("mi250x") == ()


@pytest.mark.parametrize("as_of", ["2024", "2024-12", "2025-06-01", "2026-05", "2026-05-23", "2026-05-24", "2027"])
def test_later_offers_are_left_out(as_of: str):
    dates = {offer.date for offer in find.offers_for("h100-sxm", as_of=as_of)}
    every = {offer.date for offer in find.offers_for("h100-sxm")}
    assert dates == {text for text in every if text[: len(as_of)] <= as_of[: len(text)]}


def test_a_reference_price_is_the_lower_median_of_the_newest_on_demand_offers():
    reference = find.reference_offer("h100-sxm")
    assert reference is not None
    assert reference == find.offer(reference.id)
    assert (reference.term, reference.date) == ("on-demand", "2026-05-24")
    snapshot = sorted(
        offer.usd_per_accelerator_hour
        for offer in load.offers().values()
        if (offer.chip, offer.term, offer.date) == ("h100-sxm", "on-demand", "2026-05-24")
    )
    below = sum(price < reference.usd_per_accelerator_hour for price in snapshot)
    above = sum(price > reference.usd_per_accelerator_hour for price in snapshot)
    assert below <= (len(snapshot) - 1) // 2
    assert above <= len(snapshot) // 2
    assert reference.usd_per_accelerator_hour == pytest.approx(2.69)


def test_reference_prices_by_day():
    assert find.reference_offer("tpu-v5e", as_of="2024-12-23").usd_per_accelerator_hour == 1.2  # type: ignore[union-attr]
    assert find.reference_offer("tpu-v5e", as_of="2024-12-22") is None
    assert find.reference_offer("mi300x", as_of="2025-06").usd_per_accelerator_hour == 2.35  # type: ignore[union-attr]
    assert find.reference_offer("mi355x") is None
    assert find.reference_offer("wse-3") is None


def test_marketplaces_count_only_where_no_provider_lists_a_price():
    l4 = find.offers_for("l4", term="community")
    assert any(offer.provider == "vast-ai" for offer in l4)
    assert find.reference_offer("l4").provider != "vast-ai"  # type: ignore[union-attr]


def test_a_marketplace_price_stands_in_where_none_is_listed(monkeypatch: pytest.MonkeyPatch):
    markets = {id: offer for id, offer in load.offers().items() if offer.term != "on-demand"}
    monkeypatch.setattr(load, "offers", lambda: markets)
    reference = find.reference_offer("l4")
    assert reference is not None
    assert (reference.term, reference.usd_per_accelerator_hour) == ("community", 0.13)


def test_a_reference_price_does_not_depend_on_order():
    first = {id: find.reference_offer(id) for id in load.chips()}
    assert {id: find.reference_offer(id) for id in reversed(load.chips())} == first
