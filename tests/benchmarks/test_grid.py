"""The grid's own arithmetic: what it counts, and what it says about targets. Speeds are not tested."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")

from benchmarks import grid


def row(form: str, engine: str, faster: float, share: float | None = None, threads: int = 1) -> grid.Row:
    return grid.Row("d3c128", form, engine, threads, 1, 10.0, 100.0, faster, share)


def test_a_target_is_reached_missed_or_not_measured_and_says_so() -> None:
    rows = [
        row("own", "onnxruntime f32", 2.6),
        row("own", "openvino bf16", 4.99),
        row("own", "openvino bf16", 9.0, threads=2),  # of another setting
        row("plain", "openvino f32", 1.0, 0.81),
    ]
    said = list(grid.verdicts(rows, "d3c128", {"openvino int8+bf16": "nncf is not installed"}))
    assert len(said) == len(grid.TARGETS)
    assert said[0].startswith("reached  d3c128 own, onnxruntime f32")
    assert said[1].startswith("NOT reached  d3c128 own, openvino bf16, one thread: 4.99")
    assert said[2].startswith("not measured")
    assert said[2].endswith("nncf is not installed")
    assert any(line.startswith("reached") and "81%" in line for line in said)


def test_the_plain_form_is_the_work_that_formulas_say() -> None:
    """Stem, linear layers, attention and head of d1c64, a token being a cell of 16 pixels."""
    counted = {
        form: grid.macs_of(network, grid.inputs_of(network, spec, 1))
        for form in grid.FORMS
        for network, spec in [grid.made("d1c64", form, "conv2x2")]
    }
    tokens, width = 320, 64
    stem = sum(tokens * 64 // 4**i * 4 * a * b for i, (a, b) in enumerate(((3, 8), (8, 16), (16, 32), (32, 64))))
    towers = 256 * 9 * (3 * (64 * 256 + 256 * 128 + 128 * 64 + 64 * 32)) + 256 * 32 * 5
    assert counted["plain"] == stem + tokens * 12 * width**2 + 2 * tokens**2 * width + towers
    assert counted["own"] < counted["saved"] < counted["plain"]


def test_beside_int8_stands_what_it_costs_trained_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grid, "ACCURACY", tmp_path / "precision.json")
    [said] = grid.accurate()
    assert "not known" in said
    figures = {
        "tracker": "kestrel-nano",
        "engine": "onnxruntime",
        "overlap": 0.9712,
        "auc": 0.689,
        "auc_f32": 0.695,
        "check": 0.938,
        "exact": "-",
    }
    rows = [figures | {"precision": precision} for precision in ("f32", "int8")]
    grid.ACCURACY.write_text(json.dumps({"rows": rows}))
    [said] = grid.accurate()
    assert "kestrel-nano on onnxruntime in int8: overlap with f32 0.971 (0.938, refused by the check" in said
    assert "AUC 0.689 against 0.695" in said
