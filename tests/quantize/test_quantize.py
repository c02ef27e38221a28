from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("onnx")
import onnx  # only where it is there
from onnx import TensorProto, helper, numpy_helper  # only where it is there

from sightline.box import Box, iou, xywh_from_cxcywh
from sightline.cli import main
from sightline.cli.ready import make_ready
from sightline.engines import Array, Session, engine_of, open_session
from sightline.errors import BadData, EngineError, LittleChecked, WeightsMismatch, WeightsMissing
from sightline.frame import Frame
from sightline.loop import follow
from sightline.measure.ceiling import Ceiling
from sightline.quantize import forms, make
from sightline.quantize.agreement import Agreement, agreement
from sightline.quantize.crops import CENTRE, Looks, digest, looks, moved
from sightline.quantize.footage import Footage, Take, followed, open_footage, spread
from sightline.quantize.graph import LEVELS, correlations, exact, has_attention, on_pixels, products, spared, whole
from sightline.scene import Scene, SceneFrame, render
from sightline.tracker import load
from sightline.weights import BUILTIN, find, init_path, int8_in, int8_path, sha256_of, spec_in
from tests.fakes import FakeSession, stay

KESTREL = find("kestrel-nano")


def shown(shot: SceneFrame) -> tuple[Frame, Box]:
    return shot.frame, shot.box


def filmed(seed: int) -> Take:
    """A rendered scene, kept."""
    shots = render(Scene(seed=seed, num_frames=8, size=(480, 270), occlusion=0.0))
    return Take(f"scene {seed}", tuple(partial(shown, shot) for shot in shots))


SMALL = Footage("what was filmed", (filmed(0), filmed(2)), (filmed(1), filmed(3)), objects=2)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """The built-in tracker as a file of a user's."""
    copy = tmp_path / "w.onnx"
    copy.write_bytes(KESTREL.read_bytes())
    init_path(copy).write_bytes(init_path(KESTREL).read_bytes())
    return copy


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four sequences with boxes, as a user has them."""
    for seed in range(4):
        take = filmed(seed)
        (tmp_path / "sequences" / take.name / "img").mkdir(parents=True)
        shots = [shot() for shot in take.shots]
        for i, (frame, _) in enumerate(shots):
            cv2.imwrite(str(tmp_path / "sequences" / take.name / "img" / f"{i}.png"), cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR))
        np.savetxt(tmp_path / "sequences" / take.name / "groundtruth.txt", [box for _, box in shots], delimiter=",")
    return tmp_path / "sequences"


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[SceneFrame]]:
    """A film of one target, as a folder of images."""
    shots = list(render(Scene(seed=5, num_frames=192, size=(320, 180), occlusion=0.0, distractors=0)))
    images = tmp_path_factory.mktemp("film")
    for i, shot in enumerate(shots):
        cv2.imwrite(str(images / f"{i:03}.jpg"), cv2.cvtColor(shot.frame.image, cv2.COLOR_RGB2BGR))
    return images, shots


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Instead of a recipe: weights rounded to 8 bits, which changes boxes a little and takes no time."""
    monkeypatch.setattr("sightline.quantize.onnx.WAYS", {"plain": lambda model, *_: rounded(model, 127)})


def rounded(model: onnx.ModelProto, levels: int) -> onnx.ModelProto:
    for entry in model.graph.initializer:
        values = numpy_helper.to_array(entry)
        if values.dtype == np.float32 and values.ndim > 1:
            step = np.abs(values).max() / levels
            entry.CopyFrom(numpy_helper.from_array((np.round(values / step) * step).astype(np.float32), entry.name))
    return model


def lazy_graph() -> onnx.GraphProto:
    """A picture's convolution, attention, a score whose best cell decides where a second convolution looks, and a decoder."""
    nodes = [
        helper.make_node("Conv", ["pixels", "w3"], ["stem"], name="on pixels"),
        helper.make_node("MatMul", ["stem", "stem"], ["alike"], name="product"),
        helper.make_node("Softmax", ["alike"], ["shares"], name="shares"),
        helper.make_node("MatMul", ["shares", "stem"], ["seen"], name="weighed"),
        helper.make_node("Conv", ["seen", "w9"], ["score"], name="score"),
        helper.make_node("ArgMax", ["score"], ["best"], name="best"),
        helper.make_node("Gather", ["seen", "best"], ["around"], name="around"),
        helper.make_node("Conv", ["around", "w9"], ["size"], name="size"),
        helper.make_node("Sigmoid", ["size"], ["box"], name="decode"),
    ]
    weights = [numpy_helper.from_array(np.zeros((9, channels, 1, 1), np.float32), f"w{channels}") for channels in (3, 9)]
    pixels = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [1, 3, 4, 4])
    return helper.make_graph(nodes, "lazy", [pixels], [helper.make_tensor_value_info("box", TensorProto.FLOAT, None)], weights)


def test_what_follows_the_choice_of_a_cell_stays_exact() -> None:
    graph = lazy_graph()
    assert exact(graph) == ["best", "around", "size", "decode"]
    assert products(graph) == ["product", "weighed"]
    assert on_pixels(graph) == ["on pixels"]
    assert has_attention(graph)
    del graph.node[2]
    assert not has_attention(graph)


def correlating_graph() -> onnx.GraphProto:
    """A convolution on the picture, one for each channel on a smaller map, a correlation with a kernel, and what reads both."""
    shapes = {
        "pixels": [1, 3, 16, 16],
        "seen": [1, 8, 4, 4],
        "thin": [1, 8, 4, 4],
        "both": [1, 16, 4, 4],
        "wide": [1, 8, 4, 4],
        "box": [1, 4, 4, 4],
    }
    nodes = [
        helper.make_node("Conv", ["pixels", "w3"], ["seen"], name="on pixels", strides=[4, 4]),
        helper.make_node("Conv", ["seen", "w1"], ["thin"], name="thin", group=8),
        helper.make_node("MatMul", ["kernel", "thin"], ["alike"], name="correlation"),
        helper.make_node("Concat", ["thin", "alike"], ["both"], name="both", axis=1),
        helper.make_node("Conv", ["both", "w16"], ["wide"], name="joined"),
        helper.make_node("Conv", ["wide", "w8"], ["map"], name="last"),
        helper.make_node("Sigmoid", ["map"], ["box"], name="decode"),
    ]
    weights = [numpy_helper.from_array(np.zeros((8, channels, 1, 1), np.float32), f"w{channels}") for channels in (1, 3, 8, 16)]
    arrays = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()}
    kernel = helper.make_tensor_value_info("kernel", TensorProto.FLOAT, [1, 8, 4, 4])
    inner = [arrays[name] for name in ("seen", "thin", "both", "wide")]
    return helper.make_graph(nodes, "correlating", [arrays["pixels"], kernel], [arrays["box"]], weights, value_info=inner)


def test_what_reads_a_correlation_stays_exact_and_attention_does_not() -> None:
    assert correlations(correlating_graph()) == ["correlation", "both", "joined"]
    assert correlations(lazy_graph()) == []


def test_each_level_keeps_more_in_f32() -> None:
    kept = [spared(correlating_graph(), level) for level in range(len(LEVELS))]
    assert kept == [[], ["last"], ["last", "on pixels"], *[["last", "on pixels", "thin"]] * 2]
    assert spared(lazy_graph(), 1) == ["score"]  # what follows the choice is exact anyway


def test_all_convolutions_stay_exact_where_linear_layers_are_left() -> None:
    graph = lazy_graph()
    graph.node[1].input[1] = "w9"
    assert spared(graph, 4) == ["on pixels", "score", "size"]


def test_weights_in_half_precision_are_widened_and_nothing_else_changes(tmp_path: Path) -> None:
    pixels = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [1, 4])
    half = numpy_helper.from_array(np.arange(4, dtype=np.float16), "half")
    nodes = [
        helper.make_node("Cast", ["half"], ["weight"], name="widen", to=TensorProto.FLOAT),
        helper.make_node("Mul", ["pixels", "weight"], ["scaled"], name="scale"),
        helper.make_node("HardSwish", ["scaled"], ["box"], name="decode"),
    ]
    graph = helper.make_graph(nodes, "half", [pixels], [helper.make_tensor_value_info("box", TensorProto.FLOAT, [1, 4])], [half])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), tmp_path / "half.onnx")
    found = whole(tmp_path / "half.onnx").graph
    assert [node.op_type for node in found.node] == ["Mul", "HardSwish"]
    [weight] = found.initializer
    assert weight.name == "weight"
    np.testing.assert_array_equal(numpy_helper.to_array(weight), np.arange(4, dtype=np.float32))
    assert [entry.name for entry in found.value_info] == ["scaled"]


def test_a_moved_box_stays_near() -> None:
    rng, box = np.random.default_rng(0), Box(100, 50, 40, 20)
    boxes = np.array([moved(box, rng) for _ in range(500)])
    centres = boxes[:, :2] + boxes[:, 2:] / 2
    assert np.abs(centres - (120, 60)).max(axis=0) == pytest.approx((CENTRE * 40, CENTRE * 20), rel=0.02)
    assert (boxes[:, 2].min(), boxes[:, 2].max()) == pytest.approx((40 * np.exp(-0.15), 40 * np.exp(0.15)), rel=0.02)


def test_crops_are_those_of_tracking() -> None:
    session = open_session(KESTREL, threads=1)
    seen = looks(session, SMALL.calibrate, each=3)
    assert {name: len(several) for name, several in seen.items()} == {"scene 0": 3, "scene 2": 3}
    assert {name: array.shape for name, array in seen["scene 0"][0].items() if name == "search"} == {"search": (1, 256, 256, 3)}
    boxes = [xywh_from_cxcywh(session.run("step", arrays)["box"].astype(float))[0] for several in seen.values() for arrays in several]
    sizes = np.array(boxes)[:, 2:].prod(axis=1)
    assert np.median(np.sqrt(sizes)) == pytest.approx(0.25, abs=0.06)  # the search region is four times the target
    assert digest(seen) == digest(looks(session, SMALL.calibrate, each=3))
    assert digest(seen) != digest(looks(session, SMALL.calibrate, each=3, seed=1))


def test_agreement_is_the_overlap_in_the_same_crops() -> None:
    def shifted(arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        return {"box": stay(arrays)["box"] + np.array([0.125, 0, 0, 0], np.float32)}

    def never(arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        return {"box": stay(arrays)["box"] * np.float32("nan")}

    given = {name: [{"search": np.zeros((1, 8, 8, 3), np.uint8)}] * 2 for name in "ab"}
    assert agreement(FakeSession(), FakeSession(), given).mean == 1.0
    assert agreement(FakeSession(), FakeSession(step=shifted), given).mean == pytest.approx(1 / 3)
    found = agreement(FakeSession(), FakeSession(step=never), given)
    assert (found.mean, found.worst, found.elsewhere, found.crops, found.sequences) == (0.0, 0.0, 1.0, 4, 2)


def test_nothing_is_checked_on_what_it_was_calibrated_on(folder: Path) -> None:
    footage = open_footage(folder)
    assert [[take.name for take in takes] for takes in (footage.calibrate, footage.check)] == [
        ["scene 0", "scene 2"],
        ["scene 1", "scene 3"],
    ]
    assert (footage.objects, footage.drawn) == (2, ())
    assert [take.name for take in spread(footage.calibrate, 1)] == ["scene 0"]


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


def test_a_video_is_followed_and_cut_in_pieces(weights: Path, film: tuple[Path, list[SceneFrame]]) -> None:
    images, shots = film
    footage = followed(str(images), shots[0].box, load(weights, threads=1))
    places = [[int(take.name.removeprefix(f"{images.name}/frame ")) for take in takes] for takes in (footage.calibrate, footage.check)]
    assert places == [[0, 48, 96, 144], [24, 72, 120, 168]]  # and no rendered scene is checked on
    assert footage.drawn
    assert footage.objects == 1
    for take in footage.check:
        first = int(take.name.rpartition(" ")[2])
        assert len(take.shots) == 1 + 3 * 3
        for i, look in enumerate((take.shots[0], *take.shots[1::3])):
            frame, box = look()
            true = shots[first + 6 * i]
            assert np.abs(frame.image.astype(int) - true.frame.image).mean() < 4  # JPEG
            assert iou(np.array([box]), np.array([true.box])).item() > 0.5
    with pytest.raises(BadData, match="1 pieces of 24 frames in which the target is found; expected 8 or more"):
        followed(str(images / "00*.jpg"), shots[0].box, load(weights, threads=1))


def boxed(box: Box) -> str:
    return ",".join(f"{value:.1f}" for value in box)


@pytest.mark.parametrize("form", ["a folder of sequences", "a video"])
@pytest.mark.parametrize("levels,passes", [pytest.param(127, True, id="fine"), pytest.param(3, False, id="coarse")])
def test_the_gate_lets_fine_weights_through_and_coarse_ones_not(
    form: str,
    levels: int,
    passes: bool,
    weights: Path,
    folder: Path,
    film: tuple[Path, list[SceneFrame]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sightline.quantize.onnx.WAYS", {"plain": lambda model, *_: rounded(model, levels)})
    images, shots = film
    given = [str(folder)] if form == "a folder of sequences" else [str(images), "--box", boxed(shots[0].box)]
    assert main(["quantize", str(weights), "--engine", "onnxruntime", "--calibrate", *given]) == (0 if passes else 2)
    assert int8_path(weights, "onnxruntime").exists() == passes
    said = capsys.readouterr()
    assert ("loses too much" in said.err) != passes
    assert (f"for {2 if form == 'a folder of sequences' else 1} real object" in said.out) == passes


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


def test_without_real_pictures_nothing_is_made(
    weights: Path, film: tuple[Path, list[SceneFrame]], capsys: pytest.CaptureFixture[str]
) -> None:
    for more in ([], ["--box", "1,2,3,4"]):
        assert main(["quantize", str(weights), "--engine", "onnxruntime", *more]) == 2
        [line] = capsys.readouterr().err.strip().splitlines()
        assert "give --calibrate SEQUENCES (a folder of NAME/img/*.jpg with NAME/groundtruth.txt" in line
        assert f"--calibrate street.mp4 --box {more[1] if more else '120,80,40,60'}" in line
    assert main(["quantize", str(weights), "--calibrate", str(film[0] / "000.jpg")]) == 2
    assert "a file without boxes" in capsys.readouterr().err
    assert not int8_path(weights, "onnxruntime").exists()


@pytest.mark.usefixtures("recipe")
@pytest.mark.parametrize("objects,warned", [(1, True), (5, False)])
def test_tracking_in_int8_says_once_that_few_objects_were_checked(
    objects: int, warned: bool, weights: Path, film: tuple[Path, list[SceneFrame]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make.quantize(weights, int8_path(weights, "onnxruntime"), engine="onnxruntime", footage=replace(SMALL, objects=objects))
    images, shots = film
    command = [
        "track",
        str(images / "00*.jpg"),
        "--box",
        boxed(shots[0].box),
        "--tracker",
        str(weights),
        "--results",
        str(tmp_path / "r.csv"),
    ]
    assert main([*command, "--precision", "int8"]) == 0
    assert capsys.readouterr().err.count("for 1 real object (what was filmed): nothing is known of others") == warned
    assert main(command) == 0
    assert "real object" not in capsys.readouterr().err


@pytest.mark.usefixtures("recipe")
def test_loading_int8_warns_in_python_where_few_objects_were_checked(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make.quantize(weights, int8_path(weights, "onnxruntime"), engine="onnxruntime", footage=SMALL)
    hashed: list[Path] = []

    def counted(path: Path) -> str:
        hashed.append(path)
        return sha256_of(path)

    monkeypatch.setattr("sightline.engines.sha256_of", counted)
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


@pytest.mark.usefixtures("recipe")
def test_bench_names_a_file_in_int8_as_what_it_is(
    weights: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = Ceiling(1, 100.0, None, 400.0, 10.0, {})
    monkeypatch.setattr("sightline.measure.ceiling.ceiling", lambda _: known)
    make.quantize(weights, int8_path(weights, "onnxruntime"), engine="onnxruntime", footage=SMALL)
    quick = ["--rounds", "1", "--seconds", "0.01", "--frame", "320x240", "--json"]
    shown: list[Path] = []

    def profile(path: Path, *_: object, **__: object) -> list[object]:
        shown.append(path)
        return []

    monkeypatch.setattr("sightline.measure.layers.profile", profile)
    assert main(["bench", str(weights), "--precision", "f32,int8", "--layers", *quick]) == 0
    said = capsys.readouterr()
    assert said.err.count("nothing is known of others") == 1
    rows = json.loads(said.out)["rows"]
    assert [row["precision"] for row in rows] == ["f32", "int8"]
    int8 = int8_path(weights, "onnxruntime")
    assert shown == [weights, int8]  # of each its own layers
    assert rows[1]["file_mb"] == pytest.approx((int8.stat().st_size + init_path(int8).stat().st_size) / 1e6)
    assert main(["bench", str(int8), *quick]) == 0
    [row] = json.loads(capsys.readouterr().out)["rows"]
    assert row["precision"] == "int8"
    assert main(["bench", str(weights), "--engine", "onnxruntime,openvino", "--precision", "int8", *quick]) == 0
    said = capsys.readouterr()
    assert [row["engine"] for row in json.loads(said.out)["rows"]] == ["onnxruntime"]
    assert "sightline: left out: w.onnx has no int8 form for openvino" in said.err


def test_every_source_gives_as_many_sequences_as_it_can() -> None:
    takes = [Take(f"{source}/{i}", ()) for source, number in (("a", 9), ("b", 2)) for i in range(number)]
    assert [take.name for take in spread(takes, 6)] == ["a/0", "a/2", "a/4", "a/6", "b/0", "b/1"]


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
def test_the_command_says_what_it_did(weights: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sightline.quantize.footage.open_footage", lambda _: SMALL)
    command = ["quantize", str(weights), "--engine", "onnxruntime", "--calibrate", "sequences"]
    assert main([*command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["calibrated_on"], told["objects_checked"]) == ("what was filmed", 2)
    assert told["files"] == [str(int8_path(weights, "onnxruntime")), str(init_path(int8_path(weights, "onnxruntime")))]
    assert main([*command, "--budget", "1"]) == 2
    assert "the budget is 1.000, so nothing was written" in capsys.readouterr().err
    assert main([*command, "--budget", "95"]) == 2
    assert main([*command, "--output", str(weights)]) == 2
    assert "the file in f32 itself" in capsys.readouterr().err


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
