"""Serving rows read as the index says: lengths scaled, layouts untangled, what may not be compared left out."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from costline.measure.serving_runs import read_serving_runs, read_staged_runs

INDEX = "file,row,src,chip,model,engine,dtype,gpus,tp,pp,ep,attn_dp,isl,osl,len_scale,conc,level,compare,flags"
MEASURED = "kv_dtype,total_output_tok_s,tpot_ms,ttft_ms"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    index = [
        "s.csv,2,ix,h200-sxm,llama,vllm,fp8,8,8,1,1,,1000,1000,0.9,16,A,tpot+ttft,nominal lengths x0.9",
        "s.csv,3,ix,gb200-nvl72,r1,trtllm,fp4,8,8,1,8,y,1000,1000,1.0,16,A,tpot,saturated: queueing",
        "s.csv,4,trt,a100-80-sxm,litgpt:m,trtllm,fp16,4,2,2,,,128,128,1.0,,B,throughput,",
        "other.csv,2,ix,h200-sxm,llama,vllm,fp8,8,8,1,1,,1000,1000,0.9,16,A,tpot+ttft,",
        "s.csv,5,ix,h200-sxm,llama,vllm,fp8,8,8,1,1,,1000,1000,0.9,16,,tpot,",
        "s.csv,6,ix,h200-sxm,llama,trtllm,fp8,8,8,1,1,,1000,1000,1.0,16,A,tpot+ttft,(stream interval)",
    ]
    rows = [",,10,100", "fp8,,20,900", "fp16,5000,,", ",,1,1", ",,10,100"]
    (tmp_path / "usable.csv").write_text("\n".join([INDEX, *index]) + "\n", encoding="utf-8")
    (tmp_path / "s.csv").write_text("\n".join([MEASURED, *rows]) + "\n", encoding="utf-8")
    return tmp_path


def test_closed_loop_rows(folder: Path):
    plain, apart, _ = read_serving_runs(folder, "s.csv")
    assert (plain.input_tokens, plain.output_tokens, plain.concurrency) == (900, 900, 16)
    assert (plain.tpot_s, plain.ttft_s) == (pytest.approx(0.01), pytest.approx(0.1))
    assert plain.output_tokens_per_s == pytest.approx(16 * 900 / (0.1 + 0.01 * 899))
    assert plain.group == "ix vllm h200-sxm llama"
    assert (apart.tp, apart.dp, apart.chip, apart.attention_data_parallel) == (1, 8, "gb200", True)
    assert math.isnan(apart.ttft_s)
    assert math.isnan(apart.output_tokens_per_s)


def test_rows_whose_harness_is_in_the_ttft_keep_the_rest(folder: Path):
    run = read_serving_runs(folder, "s.csv")[2]
    assert math.isnan(run.ttft_s)
    assert run.tpot_s == pytest.approx(0.01)


def test_offline_rows(folder: Path):
    (run,) = read_serving_runs(folder, "s.csv", levels="B")
    assert run.concurrency is None
    assert (run.output_tokens_per_s, run.kv_format, run.model) == (5000, "fp16", "m")
    assert (run.tp, run.pp, run.dp, run.accelerators) == (2, 2, 1, 4)


def test_stages_hold_the_batch_that_little_gives(tmp_path: Path):
    experiment = {
        "id": "x", "model": "maker/model-FP8-dynamic", "tp": 2, "weights": "fp8", "max_batched_tokens": 2048,
        "load": {
            "system_prompt_tokens": 100, "question_tokens": 500, "output_tokens": 101, "stages": [[4, 60], [8, 60]],
        },
        "measured_ms": {"stage0": {"e2e_mean": 1100.0, "ttft_mean": 100.0}, "all": {}},
    }  # fmt: skip
    path = tmp_path / "runs.json"
    path.write_text(json.dumps({"experiments": [experiment]}), encoding="utf-8")
    (stage,) = read_staged_runs(path)
    assert (stage.tpot_s, stage.decode_batch) == (pytest.approx(0.01), pytest.approx(4.0))
    assert stage.input_tokens - stage.cached_tokens == pytest.approx(16)
    assert stage.model == "maker/model"
