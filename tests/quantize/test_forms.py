from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

pytest.importorskip("onnx")
import onnx  # only where it is there

from sightline.engines import open_session
from sightline.errors import EngineError
from sightline.quantize import make
from sightline.quantize.agreement import agreement
from sightline.quantize.crops import looks
from sightline.quantize.graph import LEVELS
from sightline.weights import int8_in, int8_path
from tests.quantize.made import SMALL, rounded


def test_the_fastest_form_that_keeps_the_boxes_is_taken(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def better_with_care(model: onnx.ModelProto, _: object, spared: Sequence[str]) -> onnx.ModelProto:
        tried.append(len(spared))
        if not spared:
            raise KeyError("a node of its own")
        return rounded(model, 3 if len(spared) < 3 else 127)

    monkeypatch.setattr("sightline.quantize.onnx.WAYS", {"plain": better_with_care})
    said: list[str] = []
    done = make.quantize(weights, int8_path(weights, "onnxruntime"), engine="onnxruntime", footage=SMALL, tell=said.append)
    assert tried == [0, 1, 3]  # and no level beyond
    assert done.exact == LEVELS[2]
    assert [line.partition(": mean")[0] for line in said] == [f"in f32 beside the decoder: {what}" for what in LEVELS[1:3]]


def test_every_way_of_a_recipe_is_tried_before_more_stays_in_f32(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[tuple[str, int]] = []

    def way(name: str, levels: int) -> Callable[..., onnx.ModelProto]:
        def recipe(model: onnx.ModelProto, _: object, spared: Sequence[str]) -> onnx.ModelProto:
            tried.append((name, len(spared)))
            return rounded(model, levels)

        return recipe

    monkeypatch.setattr("sightline.quantize.onnx.WAYS", {"rough": way("rough", 3), "fine": way("fine", 127)})
    said: list[str] = []
    done = make.quantize(weights, int8_path(weights, "onnxruntime"), engine="onnxruntime", footage=SMALL, tell=said.append)
    assert tried == [("rough", 0), ("fine", 0)]
    assert [line.partition(": mean")[0] for line in said] == [
        f"in f32 beside the decoder: {LEVELS[0]}, {name}" for name in ("rough", "fine")
    ]
    note = int8_in(done.files[0])
    assert note is not None
    assert note["way"] == "fine"


@pytest.mark.parametrize("where", ["while it is made", "when it runs"])
def test_what_cannot_be_quantised_is_refused_in_one_line(where: str, weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(model: onnx.ModelProto, *_: object) -> onnx.ModelProto:
        if where == "while it is made":
            raise RuntimeError("inside\nof many lines")
        del model.graph.node[5:]
        return model

    monkeypatch.setattr("sightline.quantize.onnx.WAYS", {"plain": broken})
    with pytest.raises(EngineError, match=r"no int8 form of kestrel-nano runs on onnxruntime: .+") as caught:
        make.quantize(weights, int8_path(weights, "onnxruntime"), engine="onnxruntime", footage=SMALL)
    assert "\n" not in str(caught.value)


def test_the_recipe_of_onnxruntime_keeps_the_boxes(weights: Path) -> None:
    done = make.quantize(weights, int8_path(weights, "onnxruntime"), engine="onnxruntime", footage=SMALL, budget=0.85)
    check_quantised(weights, "onnxruntime")
    assert done.agreements["int8"].mean < 1


def test_the_recipe_of_openvino_keeps_the_boxes_and_reports_to_nobody(weights: Path, folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("nncf")
    command = [
        sys.executable,
        "-m",
        "sightline",
        "quantize",
        str(weights),
        "--calibrate",
        str(folder),
        "--budget",
        "0.85",
        "--json",
    ]
    home = tmp_path / "home"
    home.mkdir()
    environment = {**os.environ, "HOME": str(home), "USERPROFILE": str(home)}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False
    )  # NNCF brings torch and more: not into this process
    assert done.returncode == 0, done.stderr
    assert [
        path.name for path in home.iterdir() if not path.name.startswith(".")
    ] == []  # nothing by which its makers would know that it ran
    told = json.loads(done.stdout)
    assert told["crops"] == 14
    assert set(told["agreement"]) - {"int8+bf16"} == {"int8"}
    check_quantised(weights, "openvino")


def check_quantised(weights: Path, engine: str) -> None:
    """The file computes with rounded numbers, and says nearly the same boxes."""
    assert any("Quantize" in node.op_type for node in onnx.load(int8_path(weights, engine)).graph.node)
    given = looks(open_session(weights, threads=1), SMALL.check, each=4, seed=2)
    both = open_session(weights, threads=1), open_session(weights, engine=engine, threads=1, precision="int8")
    assert 0.85 < agreement(*both, given).mean < 1
