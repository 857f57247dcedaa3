"""Readers drop the rows that measure something else; fits find the numbers that made the rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from costline.catalog.find import chip, system
from costline.forward.collectives import collective_time_s, ring_all_reduce_s
from costline.forward.roofline import corner_time_s
from costline.measure.fit_attention import fit_decode_attention, fit_prefill_attention
from costline.measure.fit_collectives import fit_all_reduce, fit_scale_out_fraction
from costline.measure.fit_gemm import fit_gemm
from costline.measure.kernel_files import (
    AllReduces,
    Attentions,
    Gemms,
    families_of,
    read_all_reduces,
    read_attentions,
    read_gemms,
    read_scale_out,
)
from costline.quantities import MIB, as_array

H100 = chip("h100-sxm")


def write(path: Path, header: str, *rows: str) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def test_gemms_without_traps(tmp_path: Path):
    path = write(
        tmp_path / "gemm.csv",
        "system,framework,dtype,m,n,k,latency_us",
        "h100_sxm,vllm,bfloat16,1024,4096,4096,60",
        "h100_sxm,vllm,fp8_block,1024,4096,4096,60",  # host bound
        "b200_sxm,vllm,fp8,4,4096,4096,60",  # fallback
        "b200_sxm,vllm,fp8,8,4096,4096,60",
        "b300_sxm,sglang,bfloat16,8,4096,4096,60",  # copy
        "a100_sxm,trtllm,int4_wo,8,4096,4096,60",  # weight only
        "l40s,trtllm,bfloat16,8,4096,4096,10",  # 3.4 TB/s on 864 GB/s: resident in the cache
        "b60,vllm,bfloat16,8,4096,4096,60",  # not in the catalogue
    )
    found = read_gemms(path)
    assert found.chip.tolist() == ["h100-sxm", "b200-sxm"]
    assert found.shape == ["1024 4096 4096", "8 4096 4096"]
    assert families_of(found.chip).tolist() == ["hopper", "blackwell"]
    assert found.time_s.tolist() == pytest.approx([60e-6, 60e-6])


def test_attentions_without_traps(tmp_path: Path):
    path = write(
        tmp_path / "attention.csv",
        "system,framework,phase,batch_size,q_len,kv_len,num_q_heads,num_kv_heads,head_dim,kv_dtype,latency_us",
        "h100_sxm,vllm,decode,64,1,8192,64,8,128,bfloat16,1000",
        "l40s,trtllm,decode,64,1,8192,64,8,128,fp8,1000",  # does not split the cache
        "a100_sxm,trtllm,decode,64,1,8192,64,8,128,bfloat16,100",  # 21 TB/s: shared pages
        "l40s,trtllm,prefill,1,8192,8192,64,8,128,fp8,1000",
    )
    found = read_attentions(path)
    assert found.phase.tolist() == ["decode", "prefill"]
    assert found.kv_format.tolist() == ["bf16", "fp8"]
    assert found.shape[0] == "64 8192 64 8"


def test_all_reduces_that_engines_run(tmp_path: Path):
    path = write(
        tmp_path / "collectives.csv",
        "system,op,impl,num_gpus,message_bytes,latency_us",
        f"h100_sxm,all_reduce,vllm 0.24.0 custom allreduce,8,{MIB},10",
        f"h100_sxm,all_reduce,vllm 0.24.0 custom allreduce,8,{64 * MIB},300",  # the library is faster
        f"h100_sxm,all_reduce,trtllm 1.3 custom allreduce,8,{2 * MIB},10",  # beyond its own limit
        f"h100_sxm,all_reduce,NCCL 2.29.2,8,{MIB},30",  # engines have their own there
        f"h100_sxm,all_reduce,NCCL 2.29.2,8,{64 * MIB},300",
        "h100_sxm,all_reduce,NCCL 2.29.2,8,512,9",  # nothing to send
        f"h100_sxm,all_gather,NCCL 2.29.2,8,{64 * MIB},300",
        f"l40s,all_reduce,NCCL 2.29.2,4,{64 * MIB},9000",  # through the host
        f"rtx_pro_6000_server,all_reduce,vllm 0.24.0 custom allreduce,4,{MIB},90",  # falls back to the library
        f"rtx_pro_6000_server,all_reduce,NCCL 2.29.2,4,{MIB},90",
        f"h200_sxm,all_reduce,nccl-tests InfiniBand-forced,4,{64 * MIB},2000",
    )
    found = read_all_reduces(path)
    assert found.implementation.tolist() == ["vllm", "nccl", "nccl"]
    assert found.chip.tolist() == ["h100-sxm", "h100-sxm", "rtx-pro-6000"]
    assert read_scale_out(path).devices.tolist() == [4.0]


def gemms(fractions: dict[str, float], hbm: float, floor_s: float) -> Gemms:
    """Matrix products of an H100 that sustains exactly this."""
    grid = [(f, m, n, k) for f in fractions for m in (1, 16, 64, 256, 2048) for n in (4096, 8192) for k in (2048, 8192)]
    name = np.array([row[0] for row in grid])
    m, n, k = (as_array([row[i] for row in grid]) for i in (1, 2, 3))
    width = np.where(name == "fp8", 1, 2)
    rate = as_array([H100.dense_flop_per_s[row[0]] * fractions[row[0]] for row in grid])
    memory = (width * (n * k + m * k) + 2 * m * n) / (H100.hbm_bytes_per_s * hbm)
    time = floor_s + corner_time_s(2 * m * n * k / rate, memory)
    return Gemms(np.full(len(grid), H100.id), np.full(len(grid), "x"), name, m, n, k, time)


def test_gemm_fit_finds_what_made_the_rows():
    found = fit_gemm(gemms({"bf16": 0.8, "fp8": 0.6}, 0.85, 5e-6), "hopper")
    assert found.flop_fraction == pytest.approx({"bf16": 0.8, "fp8": 0.6}, rel=1e-3)
    assert (found.hbm_fraction, found.floor_s) == (pytest.approx(0.85, rel=1e-3), pytest.approx(5e-6, rel=1e-2))
    assert found.held_out.median < 1e-3
    assert sum(part.rows for part in found.by_rows.values()) == found.held_out.rows


def test_gemm_fit_of_one_format_leaves_the_others_out():
    rows = gemms({"bf16": 0.8, "fp8": 0.6}, 0.85, 5e-6)
    assert set(fit_gemm(rows, "hopper", ("fp8",)).flop_fraction) == {"fp8"}


def attentions(phase: str) -> Attentions:
    grid = [(b, s) for b in (16, 64, 256) for s in (512, 2048, 4096, 8192, 16384)]
    b, s = (as_array([row[i] for row in grid]) for i in (0, 1))
    tokens = b * s * 128
    if phase == "decode":
        memory = (tokens * 2 * 8 * 2 + 4 * b * 64 * 128) / (H100.hbm_bytes_per_s * 0.7)
        time = 2 * 5e-6 + memory
    else:
        flop = 4 * b * 64 * 128 * s * (s + 1) / 2
        memory = tokens * (2 * 8 * 2 + 4 * 64) / (H100.hbm_bytes_per_s * 0.9)
        time = 2 * 5e-6 + corner_time_s(flop / (H100.dense_flop_per_s["bf16"] * 0.5), memory)
    names = [np.full(len(grid), text) for text in (H100.id, "x", phase, "bf16")]
    heads = [np.full(len(grid), float(count)) for count in (64, 8, 128)]
    return Attentions(*names, b, s, *heads, time)


def test_attention_fits_find_what_made_the_rows():
    decode = fit_decode_attention(attentions("decode"), "hopper", 5e-6)
    prefill = fit_prefill_attention(attentions("prefill"), "hopper", 5e-6, hbm_fraction=0.9)
    assert decode.fraction == pytest.approx(0.7, rel=1e-3)
    assert prefill.fraction == pytest.approx(0.5, rel=1e-3)
    assert prefill.rows == 12  # shorter prompts do not count
    assert decode.held_out.median < 1e-3


def test_all_reduce_fit_finds_what_made_the_rows():
    node = system("hgx-h100")
    fabric = replace(node.fabric, bytes_per_s=0.5 * 450e9, pair_bytes_per_s=0.5 * 450e9, latency_s=4e-6)
    grid = [(n, 2.0**k) for n in (2, 4, 8) for k in range(13, 29)]
    n, size = (as_array([row[i] for row in grid]) for i in (0, 1))
    time = collective_time_s("all_reduce", size, n, replace(node, fabric=fabric))
    rows = AllReduces(np.full(len(grid), "h100-sxm"), np.full(len(grid), "vllm"), n, size, time)
    found = fit_all_reduce(rows, "hopper")
    assert (found.floor_s, found.link_fraction) == (pytest.approx(4e-6, rel=1e-2), pytest.approx(0.5, rel=1e-2))
    outside = replace(rows, time_s=ring_all_reduce_s(size, n, node.scale_out_bytes_per_s * 0.9, 5e-6))
    assert fit_scale_out_fraction(outside)[0] == pytest.approx(0.9, rel=1e-3)
