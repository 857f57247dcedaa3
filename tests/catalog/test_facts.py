"""The facts themselves: how many, golden figures, and what must hold between them."""

from __future__ import annotations

from datetime import date

import pytest

from costline.catalog import find, load
from costline.catalog.fields import FILES, FORMATS
from costline.catalog.records import Offer
from costline.quantities import HOUR_S

EXPECTED = """
h100-sxm h100-pcie a100-80gb-sxm a100-40gb-sxm l40s l4 a10g b200-sxm b300-sxm gb200 gb300 h200-sxm h20 gh200-96gb
mi250x mi300x mi325x mi350x mi355x tpu-v4 tpu-v5e tpu-v5p tpu-v6e tpu-v7 trn1 trn2 trn3 inf2 gaudi2 gaudi3
groq-lpu-v1 wse-3 rtx-4090 rtx-5090 rtx-pro-6000 v100-32gb-sxm rtx-3090 t4 h800-sxm
"""
FAMILIES = """
volta ampere ada hopper blackwell blackwell-ultra rubin rtx-blackwell turing cdna2 cdna3 cdna4 cdna5 gaudi tpu
trainium inferentia groq cerebras apple
"""

# Counts


def test_there_are_enough_facts():
    grids = load.grids().values()
    assert len(load.chips()) >= 35
    assert len(load.offers()) >= 150
    assert sum(grid.level == "country" for grid in grids) >= 60
    assert sum(grid.level == "cloud-region" for grid in grids) >= 30
    assert len(load.pues()) >= 10
    assert len(load.tariffs()) >= 14
    assert {"vllm", "sglang"} <= set(load.engines())


@pytest.mark.parametrize("id", EXPECTED.split())
def test_these_accelerators_are_known(id: str):
    assert load.chips()[id].id == id


# Golden figures; numbers from vendors' data sheets unless a comment says otherwise


def test_cap_1_1_h100_peaks_by_format():
    h100 = load.chips()["h100-sxm"]
    tera = {name: rate / 1e12 for name, rate in h100.dense_flop_per_s.items()}
    assert tera["bf16"] == tera["fp16"] == 989
    assert tera["fp8"] == 1979
    assert tera["tf32"] == pytest.approx(495, rel=0.002)
    assert h100.sparse_flop_per_s["fp8"] == 3958e12
    assert h100.compute_units == 132
    # 132 SMs x 4 tensor cores x 512 FMA x 2 FLOP x 1.83 GHz
    assert h100.dense_flop_per_s["bf16"] == pytest.approx(132 * 4 * 512 * 2 * 1.83e9, rel=0.001)
    assert h100.dense_flop_per_s["bf16"] / h100.hbm_bytes_per_s == pytest.approx(295, abs=0.5)


@pytest.mark.parametrize(
    ("id", "units", "flop_per_clock", "clock_hz"),
    [
        ("v100-32gb-sxm", 80, 8 * 64 * 2, 1.53e9),
        ("a100-80gb-sxm", 108, 4 * 256 * 2, 1.41e9),
        ("t4", 40, 8 * 64 * 2, 1.59e9),
        ("a10", 72, 1024, 1.695e9),
        ("rtx-3090", 82, 512, 1.695e9),
        ("rtx-a6000", 84, 1024, 1.8e9),
        ("l40s", 142, 1024, 2.49e9),
        ("rtx-4090", 128, 512, 2.52e9),
        ("rtx-5090", 170, 512, 2.407e9),
        ("rtx-pro-6000", 188, 1024, 2.617e9),
        ("mi300x", 304, 2048, 2.1e9),
        ("mi355x", 256, 4096, 2.4e9),
    ],
)
def test_peaks_follow_from_units_and_clocks(id: str, units: int, flop_per_clock: int, clock_hz: float):
    chip = load.chips()[id]
    assert chip.compute_units == units
    assert chip.dense_flop_per_s["fp16"] == pytest.approx(units * flop_per_clock * clock_hz, rel=0.005)


@pytest.mark.parametrize(
    ("id", "gib", "gb_per_s", "bf16_tera"),
    [
        ("a100-80gb-sxm", 80, 2039, 312),
        ("h200-sxm", 141, 4800, 989),
        ("b200-sxm", 180, 7700, 2250),
        ("mi300x", 192, 5300, 1307),
        ("mi355x", 288, 8000, 2517),
        ("tpu-v5e", 16, 819, 197),
        ("tpu-v5p", 95, 2765, 459),
        ("l4", 24, 300, 121),
        ("l40s", 48, 864, 362),
        ("trn2", 96, 2900, 667),
        ("gaudi3", 128, 3700, 1677),
    ],
)
def test_memory_bandwidth_and_peak(id: str, gib: int, gb_per_s: float, bf16_tera: float):
    chip = load.chips()[id]
    assert chip.memory_bytes == gib * 2**30
    assert chip.hbm_bytes_per_s == gb_per_s * 1e9
    assert chip.dense_flop_per_s["bf16"] == bf16_tera * 1e12


def test_visible_memory_is_what_logs_state():
    visible = {id: chip.visible_memory_bytes / 2**30 for id, chip in load.chips().items()}
    assert visible["h100-sxm"] == pytest.approx(79.6)
    assert visible["b200-sxm"] == pytest.approx(183_359 / 1024, abs=0.001)  # MiB in a log of vLLM
    assert visible["rtx-3090"] == pytest.approx(23.58)
    assert visible["mi355x"] == 288


def test_known_conflicts_are_resolved():
    chips = load.chips()
    assert chips["b200-sxm"].hbm_bytes_per_s == 7.7e12
    assert chips["b300-sxm"].dense_flop_per_s["fp4"] == 14e15
    assert chips["b300-sxm"].dense_flop_per_s["int8"] < 200e12
    assert chips["gb300"].dense_flop_per_s["int8"] == 165e12
    assert chips["rtx-4090"].dense_flop_per_s["bf16"] == pytest.approx(165e12, rel=0.01)
    assert chips["wse-3"].dense_flop_per_s == {}
    for id in ("b200-sxm", "b300-sxm", "gb200", "gb300", "rtx-4090"):
        assert "Conflict" in chips[id].notes, id


def test_links_of_systems():
    fabric = {id: system.fabric for id, system in load.systems().items()}
    assert fabric["hgx-h100"].bytes_per_s == 450e9
    assert fabric["hgx-h100"].in_network_reduction
    assert not fabric["hgx-a100"].in_network_reduction
    assert (fabric["oam-mi300x"].bytes_per_s, fabric["oam-mi300x"].pair_bytes_per_s) == (448e9, 64e9)
    assert fabric["nvl72-gb200"].domain_size == 72
    assert fabric["pcie-l40s"].topology == "pcie"
    assert fabric["pcie-h100"].bytes_per_s == 63e9


def test_tpu_slices_are_the_shapes_one_can_rent():
    slices = {id: {item.accelerators: item.shape for item in s.slices} for id, s in load.systems().items()}
    assert slices["tpu-v5e-pod"] == {
        1: (1, 1), 4: (2, 2), 8: (2, 4), 16: (4, 4), 32: (4, 8), 64: (8, 8), 128: (8, 16), 256: (16, 16),
    }  # fmt: skip
    assert slices["tpu-v4-pod"][64] == (4, 4, 4)
    assert slices["hgx-h100"] == {}


# Prices


def test_cap_1_2_peak_per_dollar_ranks_and_reverses():
    peak = {id: load.chips()[id].dense_flop_per_s["bf16"] for id in ("tpu-v5e", "tpu-v5p", "h100-sxm")}
    price = {id: find.offers_for(id, term="assumption") for id in peak}
    book = {
        id: next(o.usd_per_accelerator_hour for o in offers if o.provider == "scaling-book")
        for id, offers in price.items()
    }
    per_usd = {id: peak[id] * HOUR_S / book[id] for id in peak}
    assert per_usd["tpu-v5e"] == pytest.approx(5.91e17, rel=0.001)
    assert per_usd["tpu-v5p"] == pytest.approx(3.93e17, rel=0.002)
    assert per_usd["h100-sxm"] == pytest.approx(3.30e17, rel=0.002)
    assert peak["h100-sxm"] * HOUR_S / 2.99 == pytest.approx(1.19e18, rel=0.002)


def test_cap_1_5_prices_of_an_h100_in_may_2026():
    prices = {
        (offer.provider, offer.term, offer.usd_per_accelerator_hour)
        for offer in find.offers_for("h100-sxm", as_of="2026-05")
        if offer.provenance[""].source == "palanor-kb"
    }
    assert prices >= {
        ("runpod", "on-demand", 1.99), ("runpod", "on-demand", 2.69), ("aws", "on-demand", 6.88),
        ("azure", "on-demand", 12.29), ("spheron", "spot", 1.03),
    }  # fmt: skip
    vultr = {o.term: o for o in find.offers_for("h100-sxm") if o.provider == "vultr"}
    discount = 1 - vultr["reserved"].usd_per_accelerator_hour / vultr["on-demand"].usd_per_accelerator_hour
    assert discount == pytest.approx(0.231, abs=0.001)
    assert vultr["reserved"].commitment == "36 months, prepaid"


def test_assumptions_of_papers_are_marked_as_such():
    for offer in load.offers().values():
        assumed = offer.provenance[""].kind == "assumed"
        assert (offer.term == "assumption") == assumed, offer.id


def test_offers_are_of_catalogued_parts_and_dated():
    for id, offer in load.offers().items():
        assert offer.chip in load.chips(), id
        assert id.startswith(f"{offer.provider}-{offer.chip}-{offer.term}-{offer.date}"), id
        assert 2020 <= int(offer.date[:4]) <= 2026, id
        assert 0.01 < offer.usd_per_accelerator_hour < 20, id


def test_a_spot_price_above_on_demand_is_flagged():
    on_demand: dict[tuple[str, str, str, str], float] = {}
    for o in load.offers().values():
        if o.term == "on-demand":
            key = (o.provider, o.chip, o.date, o.region)
            on_demand[key] = min(o.usd_per_accelerator_hour, on_demand.get(key, 99.0))

    def suspect(o: Offer) -> bool:
        limit = on_demand.get((o.provider, o.chip, o.date, o.region), 99.0)
        return o.term == "spot" and o.usd_per_accelerator_hour > limit

    flagged = {id for id, o in load.offers().items() if "suspect" in o.notes}
    assert flagged == {id for id, o in load.offers().items() if suspect(o)}
    assert flagged


# Energy


def test_cap_1_8_finland_is_cleaner_than_singapore():
    finland, singapore = find.grid("Finland"), find.grid("Singapore")
    assert finland.g_co2e_per_kwh < singapore.g_co2e_per_kwh / 5
    hamina, jurong = find.grid("gcp-europe-north1"), find.grid("gcp-asia-southeast1")
    assert (hamina.g_co2e_per_kwh, jurong.g_co2e_per_kwh) == (46, 369)


def test_pue_and_tariffs():
    assert find.pue("Google fleet").pue == 1.10
    assert find.pue("world-2024").pue == 1.56
    assert find.tariff("us-iowa-industrial-2025-04").usd_per_kwh == pytest.approx(0.0604)
    assumed = {id for id, tariff in load.tariffs().items() if tariff.provenance[""].kind == "assumed"}
    assert assumed == {"us-texas-industrial-2025", "us-virginia-industrial-2025", "us-oregon-industrial-2025"}


# Engines and workloads


def test_memory_division_of_engines():
    vllm, sglang = find.engine("vLLM"), find.engine("SGLang")
    assert (vllm.memory_fraction, vllm.reserve_single_bytes, vllm.reserve_parallel_bytes) == (0.9, 2 * 2**30, 5 * 2**30)
    assert (sglang.visible_before_load, sglang.state_pool_ratio, sglang.reserve_parallel_bytes) == (0.968, 0.9, 0)


def test_workloads_have_ordered_percentiles():
    for id, workload in load.workloads().items():
        for lengths in (workload.input, workload.output):
            assert 1 <= lengths.p50_tokens <= lengths.p95_tokens, id
            assert lengths.mean_tokens <= lengths.p95_tokens, id
    assert find.workload("1k/1k").input.mean_tokens == 1024


# Provenance


@pytest.mark.parametrize("kind", [kind for kind in FILES if kind != "sources"])
def test_every_value_has_a_source_that_exists(kind: str):
    known = load.sources()
    for id, record in load.LOADERS[kind]().items():  # type: ignore[index]
        default = record.provenance[""]
        assert default.source in known, id
        for field, provenance in record.provenance.items():
            assert provenance.source in known, f"{id}.{field}"
            assert date.fromisoformat(provenance.retrieved) <= date(2027, 1, 1)
            assert (provenance.source == "assumed") <= (provenance.kind == "assumed"), f"{id}.{field}"


def test_chips_and_systems_name_each_other():
    chips, systems = load.chips(), load.systems()
    assert {chip.system for chip in chips.values()} == set(systems)
    for system in systems.values():
        assert chips[system.chip].system == system.id


def test_formats_and_families_are_the_agreed_ones():
    for chip in load.chips().values():
        assert set(chip.dense_flop_per_s) <= set(FORMATS)
    assert {chip.family for chip in load.chips().values()} == set(FAMILIES.split())
