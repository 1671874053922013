"""`sscard bench` over PC/SC: cards in readers of a private pcscd, and an echo card as the baseline."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kit.pcsc import demand_pyscard
from kit.programs import run


@pytest.mark.slow
def test_flows_over_pcsc_have_a_baseline_and_a_layer_for_the_card() -> None:
    demand_pyscard()
    short = ("--count", "40", "--warm-up", "0", "--clients", "2", "--rounds", "2")
    done = run("bench", "change", "case:locked", "--transport", "pcsc", *short, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["environment"]["transport"] == "pcsc"
    assert "pcsc-lite" in found["environment"]["pcscd"]
    for flow in found["flows"]:
        layers = {each["layer"]: each["mean"] for each in flow["layers"]}
        assert (flow["operations"], flow["failed"]) == (40, 0)
        assert flow["baseline"]["operations"] == 200
        assert layers["transport"] > layers["card"] > 0
        assert sum(layers.values()) == pytest.approx(flow["mean"], rel=1e-3)


@pytest.mark.slow
def test_a_scenario_is_measured_over_pcsc(tmp_path: Path) -> None:
    demand_pyscard()
    (file := tmp_path / "good.yaml").write_text(
        "name: good\nproves: b\nsteps:\n  - verify_pin: 123456\n    state: verified\n"
    )
    done = run("bench", file, "--transport", "pcsc", "--count", "10", "--warm-up", "0", "--rounds", "1", "--json")
    assert done.returncode == 0, done.stderr
    flow = json.loads(done.stdout)["flows"][0]
    assert (flow["flow"], flow["operations"], flow["baseline"]) == ("good [v3-sm4]", 10, None)
