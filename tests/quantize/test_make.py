from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")
import onnx  # only where it is there

from sightline.box import iou
from sightline.cli.ready import make_ready
from sightline.engines import Session, engine_of
from sightline.errors import BadData, EngineError, LittleChecked, WeightsMismatch, WeightsMissing
from sightline.loop import follow
from sightline.quantize import forms, make
from sightline.quantize.agreement import Agreement, agreement
from sightline.quantize.crops import Looks, looks
from sightline.quantize.footage import followed, open_footage
from sightline.quantize.graph import LEVELS
from sightline.scene import Scene, SceneFrame, render
from sightline.tracker import load
from sightline.weights import BUILTIN, init_path, int8_in, int8_path, sha256_of, spec_in
from tests.fakes import FakeSession
from tests.quantize.made import SMALL, rounded


@pytest.mark.usefixtures("recipe")
def test_the_quantised_file_is_a_weights_file_and_says_how_it_was_made(weights: Path) -> None:
    output = int8_path(weights, "onnxruntime")
    done = make.quantize(weights, output, engine="onnxruntime", footage=SMALL)
    assert done.files == (output, init_path(output))
    note = int8_in(output)
    assert note is not None
    assert note["agreement"]["int8"]["mean"] == pytest.approx(done.agreements["int8"].mean, abs=1e-4)
    assert 0.95 <= done.agreements["int8"].mean < 1
    assert note["f32"] == done.exact == LEVELS[0]
    assert note["source_sha256"] == sha256_of(weights)
    assert len(note["calibration"]["sha256"]) == 64
    assert spec_in(output) == spec_in(weights)
    assert engine_of(output) == "onnxruntime"
    shots = list(render(Scene(seed=5, num_frames=8, size=(480, 270), occlusion=0.0, distractors=0)))
    with pytest.warns(LittleChecked):
        trackers = (load(weights, threads=1), load(weights, threads=1, precision="int8"), load(output, threads=1))
    tracks = [
        np.array([step.estimate.box for step in follow((shot.frame for shot in shots), box=shots[0].box, tracker=tracker)])
        for tracker in trackers
    ]
    assert iou(tracks[0], tracks[1]).mean() > 0.9
    assert np.abs(tracks[0] - tracks[1]).max() > 0.01
    np.testing.assert_array_equal(tracks[1], tracks[2])


def test_what_loses_too_much_is_refused_with_the_number(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sightline.quantize.onnx.WAYS", {"plain": lambda model, *_: rounded(model, 3)})
    output = int8_path(weights, "onnxruntime")
    with pytest.raises(EngineError, match=r"loses too much: mean IoU 0\.\d+, worst sequence .* budget is 0\.950, so nothing was written"):
        make.quantize(weights, output, engine="onnxruntime", footage=SMALL)
    assert not output.exists()
    assert make.quantize(weights, output, engine="onnxruntime", footage=SMALL, budget=0.0).agreements["int8"].mean < 0.95
    assert output.exists()


def test_scenes_that_are_easy_do_not_open_the_gate(
    weights: Path, film: tuple[Path, list[SceneFrame]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A form that is good for rendered scenes alone is refused, in spite of all that was calibrated on."""
    images, shots = film
    footage = followed(str(images), shots[0].box, load(weights, threads=1))
    ranged: list[int] = []

    def recipe(model: onnx.ModelProto, samples: Sequence[object], _: object) -> onnx.ModelProto:
        ranged.append(len(samples))
        return rounded(model, 3)

    monkeypatch.setattr("sightline.quantize.onnx.WAYS", {"plain": recipe})
    compared: list[set[str]] = []

    def on(exact: Session, rough: Session, given: Looks) -> Agreement:
        compared.append(set(given))
        found = agreement(exact, rough, given)
        return replace(found, mean=1.0) if all(name.startswith("scene") for name in given) else found

    monkeypatch.setattr(forms, "agreement", on)
    with pytest.raises(EngineError, match="loses too much"):
        make.quantize(weights, int8_path(weights, "onnxruntime"), engine="onnxruntime", footage=footage)
    assert ranged[0] > sum(len(take.shots) - 1 for take in footage.calibrate)  # scenes, too
    assert not any(name.startswith("scene") for names in compared for name in names)


@pytest.mark.usefixtures("recipe")
def test_a_file_of_other_weights_is_not_taken(weights: Path) -> None:
    with pytest.raises(WeightsMissing, match="sightline quantize"):
        load(weights, precision="int8")
    make.quantize(weights, int8_path(weights, "onnxruntime"), engine="onnxruntime", footage=SMALL)
    weights.write_bytes(weights.read_bytes() + b"\xa2\x06\x00")  # a field that nobody knows
    with pytest.raises(WeightsMismatch, match="made from other weights"):
        load(weights, precision="int8")


@pytest.mark.usefixtures("recipe")
def test_mistakes_are_named(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="in f32 or int8, not in bf16; use engine openvino"):
        load(weights, precision="bf16")
    other = tmp_path / "w.safetensors"
    other.write_bytes((2).to_bytes(8, "little") + b"{}")
    with pytest.raises(WeightsMismatch, match="not ONNX"):
        make.quantize(other, tmp_path / "out.onnx", engine="onnxruntime", footage=SMALL)
    done = make.quantize(weights, tmp_path / "int8.onnx", engine="onnxruntime", footage=SMALL)
    with pytest.raises(WeightsMismatch, match="quantised already"):
        make.quantize(done.files[0], tmp_path / "out.onnx", engine="onnxruntime", footage=SMALL)
    with pytest.raises(BadData, match="does not exist"):
        open_footage(tmp_path / "nowhere")
    with pytest.raises(EngineError, match="no network that says a box"):
        looks(DescribingSession(), SMALL.check, each=1)


class DescribingSession(FakeSession):
    """Has maps only."""

    @property
    def roles(self) -> frozenset:  # type: ignore[type-arg]  # shorter
        return frozenset({"describe"})


@pytest.mark.usefixtures("recipe")
def test_results_of_int8_are_told_from_those_of_f32(weights: Path) -> None:
    make.quantize(weights, int8_path(weights, "onnxruntime"), engine="onnxruntime", footage=SMALL)
    exact = make_ready(str(weights), threads=1, engine=None).maker
    with pytest.warns(LittleChecked):
        rough = make_ready(str(weights), threads=1, engine=None, precision="int8").maker
    assert (exact.facts["engine"], rough.facts["engine"]) == ("onnxruntime", "onnxruntime int8")
    assert exact.facts["weights_sha256"] != rough.facts["weights_sha256"]


def test_the_built_in_tracker_has_its_int8_form_in_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path))
    assert int8_path(BUILTIN / "kestrel-nano.onnx", "openvino") == tmp_path / "kestrel-nano.int8-openvino.onnx"


@pytest.mark.usefixtures("recipe")
def test_loading_int8_warns_in_python_where_few_objects_were_checked(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make.quantize(weights, int8_path(weights, "onnxruntime"), engine="onnxruntime", footage=SMALL)
    hashed: list[Path] = []

    def counted(path: Path) -> str:
        hashed.append(path)
        return sha256_of(path)

    monkeypatch.setattr("sightline.engines.opening.sha256_of", counted)
    with pytest.warns(LittleChecked, match=r"for 2 real objects \(what was filmed\): nothing is known of others") as told:
        load(weights, threads=1, precision="int8")
    assert [Path(warning.filename) for warning in told] == [Path(__file__)]  # where the user's own code loads it
    assert hashed == [weights]  # once: a large file takes seconds
    make.quantize(weights, int8_path(weights, "onnxruntime"), engine="onnxruntime", footage=replace(SMALL, objects=5))
    load(weights, threads=1, precision="int8")  # warnings are errors here


@pytest.mark.usefixtures("recipe")
def test_int8_beside_a_link_to_the_weights_is_found_by_every_command(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / "w.onnx"
    for here, there in ((link, weights), (init_path(link), init_path(weights))):
        here.symlink_to(there)
    make.quantize(link, int8_path(link, "onnxruntime"), engine="onnxruntime", footage=replace(SMALL, objects=5))
    assert load(link, threads=1, precision="int8").spec == make_ready(str(link), threads=1, engine=None, precision="int8").tracker.spec
