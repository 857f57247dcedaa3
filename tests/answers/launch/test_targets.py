"""Launch files: they parse, take the accelerators that the plan pays for, and start what was checked."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from costline.answers.launch import all_launch_files, launch_files
from costline.answers.launch.kubernetes import manifests
from costline.answers.launch.servers import read_launch
from costline.answers.launch.texts import resource_name
from costline.errors import InputError, UnknownIdError

from .rows import ENGINES, TARGETS, pools, row, scenario

DEEPSEEK = scenario("deepseek-v3")
CASES: dict[str, tuple[dict[str, Any], Any]] = {
    "one": (row(), scenario()),
    "shared nodes": (row(replicas=5, tp=2), scenario()),
    "whole nodes": (row(replicas=3, tp=8), scenario()),
    "two nodes": (row(replicas=2, tp=8, pp=2), scenario()),
    "two nodes of groups": (row(tp=1, dp=16, ep=16, replicas=2, weights="fp8_block mix"), DEEPSEEK),
    "two pools on a node": (pools(), scenario()),
    "two pools": (pools({"replicas": 3}, {"replicas": 2, "tp": 8}), scenario()),
    "two pools and a ring": (pools({"cp": 2}, {"replicas": 2}), scenario()),
    "amd": (row(accelerator="mi300x", replicas=3), scenario()),
}


def exports() -> list[tuple[str, str, str]]:
    """Every case, engine and target that go together."""
    found: list[tuple[str, str, str]] = []
    for case, engine, target in ((c, e, t) for c in CASES for e in ENGINES for t in TARGETS):
        nodes, two = "two nodes" in case, "pools" in case
        if engine == "tensorrt-llm" and (
            nodes or case in ("amd", "two pools and a ring") or target == "llm-d" or (two and target != "shell")
        ):
            continue
        if target == "llm-d" and nodes:
            continue
        found.append((case, engine, target))
    return found


def files(case: str, engine: str, target: str) -> dict[str, str]:
    return launch_files(*CASES[case], engine, target)


@pytest.mark.parametrize(("case", "engine", "target"), exports())
def test_files_are_sound(case: str, engine: str, target: str):
    texts = files(case, engine, target)
    assert texts
    for name, text in texts.items():
        assert text.endswith("\n")
        assert "\n# " in text
        if name.endswith(".sh"):
            done = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True, check=False)
            assert done.stderr == ""
        else:
            assert all(document for document in yaml.safe_load_all(text))
            assert not re.search(r"[&*]id\d", text)


def by_kind(case: str, engine: str) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for one in manifests(read_launch(*CASES[case], engine)):
        found.setdefault(one["kind"], []).append(one)
    return found


@pytest.mark.parametrize(("case", "engine"), [(c, e) for c, e, t in exports() if t == "kubernetes"])
def test_kubernetes_pays_for_the_plan(case: str, engine: str):
    launch, kinds = read_launch(*CASES[case], engine), by_kind(case, engine)
    paid = sum(one.accelerators * one.replicas for one in launch.servers)
    taken = 0
    for one in kinds.get("Deployment", []):
        limits = one["spec"]["template"]["spec"]["containers"][0].get("resources", {}).get("limits", {})
        taken += sum(int(count) for count in limits.values()) * one["spec"]["replicas"]
    for one in kinds.get("LeaderWorkerSet", []):
        group = one["spec"]["leaderWorkerTemplate"]
        for template, pods in (("leaderTemplate", 1), ("workerTemplate", group["size"] - 1)):
            limits = group[template]["spec"]["containers"][0]["resources"]["limits"]
            taken += sum(int(count) for count in limits.values()) * pods * one["spec"]["replicas"]
    assert taken == paid
    assert len(kinds["Service"]) == 1


@pytest.mark.parametrize(("case", "engine"), [(c, e) for c, e, t in exports() if t == "kubernetes"])
def test_kubernetes_selects_pods_that_are_there(case: str, engine: str):
    kinds = by_kind(case, engine)
    labels: list[dict[str, str]] = []
    for one in kinds.get("Deployment", []):
        template = one["spec"]["template"]
        labels.append(template["metadata"]["labels"])
        assert one["spec"]["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
        ports = {port["name"] for port in template["spec"]["containers"][0]["ports"]}
        probe = template["spec"]["containers"][0]["readinessProbe"]
        assert (probe.get("httpGet") or probe["tcpSocket"])["port"] in ports
        mounted = {mount["name"] for mount in template["spec"]["containers"][0].get("volumeMounts", [])}
        assert mounted == {volume["name"] for volume in template["spec"].get("volumes", [])}
    for one in kinds.get("LeaderWorkerSet", []):
        group = one["spec"]["leaderWorkerTemplate"]
        labels.append(group["leaderTemplate"]["metadata"]["labels"])
        chosen = kinds["Service"][0]["spec"]["selector"]
        assert not chosen.items() <= group["workerTemplate"]["metadata"]["labels"].items()
    chosen = kinds["Service"][0]["spec"]["selector"]
    assert sum(chosen.items() <= one.items() for one in labels) == 1


@pytest.mark.parametrize(("case", "engine"), [(c, e) for c, e, t in exports() if t == "kubernetes"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_kubernetes_takes_the_manifests(case: str, engine: str):
    validator = pytest.importorskip("kubernetes_validate", reason="needs kubernetes-validate, of the dev extra")
    for one in manifests(read_launch(*CASES[case], engine)):
        if one["kind"] != "LeaderWorkerSet":  # a custom resource; its pods are checked as a Deployment's
            validator.validate(one, "1.31", strict=True)
            continue
        for template in ("leaderTemplate", "workerTemplate"):
            pod = one["spec"]["leaderWorkerTemplate"][template]
            spec = {"selector": {"matchLabels": pod["metadata"]["labels"]}, "template": pod}
            made = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "pods"}, "spec": spec}
            validator.validate(made, "1.31", strict=True)


def compose_files(case: str, engine: str) -> dict[str, dict[str, Any]]:
    texts = files(case, engine, "docker-compose")
    return {name: yaml.safe_load(text)["services"] for name, text in texts.items() if name.startswith("docker")}


def devices(service: dict[str, Any]) -> list[str]:
    if "deploy" in service:
        return service["deploy"]["resources"]["reservations"]["devices"][0]["device_ids"]
    return service["environment"].get("HIP_VISIBLE_DEVICES", "").split(",")


@pytest.mark.parametrize(("case", "engine"), [(c, e) for c, e, t in exports() if t == "docker-compose"])
def test_compose_gives_each_device_to_one_service(case: str, engine: str):
    for name, services in compose_files(case, engine).items():
        taken = [device for key, one in services.items() if key != "router" for device in devices(one)]
        assert len(taken) == len(set(taken)) <= 8, name
        asked = [port.split(":")[0] for one in services.values() for port in one.get("ports", [])]
        assert len(asked) == len(set(asked))


def test_compose_of_pools_on_one_node_has_a_router_that_names_them():
    services = compose_files("two pools on a node", "sglang")["docker-compose.yml"]
    assert services.keys() == {"prefill-0", "decode-0", "router"}
    script = services["router"]["command"][0]
    assert "--prefill http://prefill-0:30000 8998 --decode http://decode-0:30000" in script
    assert services["router"]["depends_on"].keys() == {"prefill-0", "decode-0"}


def test_compose_of_pools_on_many_nodes_uses_their_network():
    found = compose_files("two pools", "vllm")
    assert found.keys() == {"docker-compose.prefill.yml", "docker-compose.decode.yml", "docker-compose.router.yml"}
    services = found["docker-compose.prefill.yml"]
    ports = [one["command"][one["command"].index("--port") + 1] for one in services.values()]
    channels = [one["environment"]["VLLM_NIXL_SIDE_CHANNEL_PORT"] for one in services.values()]
    assert ports == ["8000", "8001"]
    assert len(set(channels)) == len(channels)
    assert all(one["network_mode"] == "host" for one in services.values())


STUB = (
    "#!/usr/bin/env bash\n"
    'echo "$CUDA_VISIBLE_DEVICES$HIP_VISIBLE_DEVICES|$(basename "$0") $*|$VLLM_NIXL_SIDE_CHANNEL_PORT"\n'
)


def started(folder: Path, texts: dict[str, str], name: str, **given: str) -> list[list[str]]:
    """Devices, command and side channel of everything that a script starts, with stubs for the engines."""
    for program in ("vllm", "python3", "trtllm-serve"):
        stub = folder / "bin" / program
        stub.parent.mkdir(exist_ok=True)
        stub.write_text(STUB, encoding="utf-8")
        stub.chmod(0o755)
    for file, text in texts.items():
        (folder / file).write_text(text, encoding="utf-8")
    environment = {"PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}", "HOST_ADDRESS": "10.0.0.9", **given}
    done = subprocess.run(
        ["bash", str(folder / name)], env=environment, text=True, capture_output=True, check=False, timeout=30
    )
    assert (done.returncode, done.stderr) == (0, "")
    return sorted(line.split("|") for line in done.stdout.splitlines())


def test_a_script_starts_the_replicas_of_a_node(tmp_path: Path):
    texts = files("shared nodes", "vllm", "shell")
    lines = started(tmp_path, texts, "launch.sh")
    assert [line[0] for line in lines] == ["0,1", "2,3", "4,5", "6,7"]
    assert [re.findall(r"--port (\d+)", line[1]) for line in lines] == [["8000"], ["8001"], ["8002"], ["8003"]]
    assert "on 2 nodes of 4 replicas, on the last with REPLICAS=1" in texts["launch.sh"]
    assert len(started(tmp_path, texts, "launch.sh", REPLICAS="1")) == 1


def test_a_script_starts_one_node_of_a_replica(tmp_path: Path):
    texts = files("two nodes of groups", "vllm", "shell")
    head = started(tmp_path, texts, "launch.sh", NODE_RANK="0", HEAD_ADDRESS="10.0.0.1")[0][1]
    other = started(tmp_path, texts, "launch.sh", NODE_RANK="1", HEAD_ADDRESS="10.0.0.1")[0][1]
    assert "--data-parallel-address 10.0.0.1" in head
    assert "--headless" not in head
    assert other.endswith("--data-parallel-start-rank 8 --data-parallel-address 10.0.0.1 "
                          "--data-parallel-rpc-port 13345 --headless")  # fmt: skip


def test_a_script_asks_for_what_it_needs(tmp_path: Path):
    script = tmp_path / "launch.sh"
    script.write_text(files("two nodes", "sglang", "shell")["launch.sh"], encoding="utf-8")
    done = subprocess.run(
        ["bash", str(script)], text=True, capture_output=True, check=False, env={"PATH": os.environ["PATH"]}
    )
    assert done.returncode != 0
    assert "NODE_RANK: set it to the number of this node" in done.stderr


@pytest.mark.parametrize(("engine", "meeting"), [("vllm", ""), ("sglang", " 8999")])
def test_a_script_starts_the_router(tmp_path: Path, engine: str, meeting: str):
    texts = files("two pools", engine, "shell")
    port = {"vllm": 8000, "sglang": 30_000}[engine]
    given = {"PREFILL": f"http://a:{port + 1}", "DECODE": f"http://c:{port} http://d:{port}"}
    line = started(tmp_path, texts, "router.sh", **given)[0][1]
    assert line.endswith(f"--prefill http://a:{port + 1}{meeting} --decode http://c:{port} --decode http://d:{port}")


def test_pools_on_one_node_have_ports_of_their_own(tmp_path: Path):
    lines = started(tmp_path, files("two pools", "vllm", "shell"), "launch-prefill.sh")
    assert [line[2] for line in lines] == ["5600", "5616"]
    lines = started(tmp_path, files("two pools", "sglang", "shell"), "launch-prefill.sh")
    assert [re.findall(r"bootstrap-port (\d+)", line[1]) for line in lines] == [["8998"], ["8999"]]


def test_settings_stand_beside_the_script(tmp_path: Path):
    texts = files("two pools", "tensorrt-llm", "shell")
    assert texts.keys() >= {"engine-prefill.yml", "engine-decode.yml", "launch-prefill.sh"}
    line = started(tmp_path, texts, "launch-decode.sh")[0][1]
    assert "--extra-engine-args engine-decode.yml --disaggregation-mode decode" in line
    assert yaml.safe_load(texts["engine-decode.yml"])["cache_transceiver_config"]["max_tokens_in_buffer"] == 10_240


def test_llm_d_has_a_part_for_each_pool():
    values = yaml.safe_load(files("two pools", "vllm", "llm-d")["llm-d-values.yaml"])
    assert (values["prefill"]["replicas"], values["decode"]["replicas"]) == (3, 2)
    assert values["decode"]["parallelism"] == {"tensor": 8, "data": 1, "dataLocal": 1, "workers": 1}
    assert values["modelArtifacts"]["size"] == "133Gi"  # 70.55e9 parameters of two bytes are 131.4 GiB
    alone = yaml.safe_load(files("one", "vllm", "llm-d")["llm-d-values.yaml"])
    assert (alone["prefill"], alone["routing"]["proxy"]["enabled"]) == ({"create": False, "replicas": 0}, False)


@pytest.mark.parametrize(
    ("case", "engine", "target", "says"),
    [
        ("one", "tensorrt-llm", "llm-d", "not exported to llm-d"),
        ("two nodes", "vllm", "llm-d", "several nodes"),
        ("two pools", "tensorrt-llm", "kubernetes", "--target shell"),
        ("two pools", "tensorrt-llm", "docker-compose", "--target shell"),
    ],
)
def test_what_a_target_cannot_do_is_one_line(case: str, engine: str, target: str, says: str):
    with pytest.raises(InputError, match=re.escape(says)) as caught:
        files(case, engine, target)
    assert "\n" not in str(caught.value)


def test_pools_of_two_makers():
    mixed = pools({}, {"accelerator": "mi300x"})
    assert "different makers" in launch_files(mixed, scenario(), "sglang", "kubernetes")["kubernetes.yaml"]
    with pytest.raises(InputError, match="do not share one llm-d chart"):
        launch_files(mixed, scenario(), "sglang", "llm-d")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", CASES)
def test_all_targets_at_once(case: str, engine: str):
    together: dict[str, str] = {}
    for target in TARGETS:
        if (case, engine, target) in exports():
            texts = files(case, engine, target)
            assert all(together.get(name, text) == text for name, text in texts.items())
            together |= texts
    if together:
        assert all_launch_files(*CASES[case], engine) == together
    else:
        with pytest.raises(InputError):
            all_launch_files(*CASES[case], engine)


def test_a_target_that_nobody_knows():
    with pytest.raises(UnknownIdError, match="nearest: kubernetes"):
        launch_files(row(), scenario(), "vllm", "kubernets")


@pytest.mark.parametrize("model", ["llama-3.1-70b", "qwen3-30b-a3b", "gpt-oss-120b"])
def test_names_are_those_that_kubernetes_takes(model: str):
    name = resource_name(read_launch(row(weights="checkpoint"), scenario(model)), "prefill")
    assert re.fullmatch(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", name)
