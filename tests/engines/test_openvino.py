from __future__ import annotations

import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from sightline.box import iou
from sightline.cli.settings import Numbers, settings_of
from sightline.engines import open_session
from sightline.errors import EngineError, WeightsMismatch
from sightline.estimate import Estimate
from sightline.loop import follow
from sightline.methods.network import NetworkMethod
from sightline.scene import Scene, render
from sightline.tracker import MultiTracker, load
from sightline.weights import find

pytest.importorskip("openvino")

BUILTIN = find("kestrel-nano")
SHOTS = list(render(Scene(seed=3, num_frames=20, size=(480, 270), occlusion=0.0, distractors=0)))


def track(engine: str, precision: str = "f32") -> np.ndarray:
    tracker = load(engine=engine, threads=1, precision=precision)  # type: ignore[arg-type]  # one of its values
    return np.array([step.estimate.box for step in follow((shot.frame for shot in SHOTS), box=SHOTS[0].box, tracker=tracker)])


def crops(batch: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(batch)
    return {name: rng.integers(0, 256, (batch, side, side, 3), np.uint8) for name, side in (("template", 128), ("search", 256))}


def has_bf16() -> bool:
    import openvino

    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def test_the_track_is_that_of_onnxruntime() -> None:
    np.testing.assert_allclose(track("openvino"), track("onnxruntime"), atol=0.01)


@pytest.mark.skipif(not has_bf16(), reason="this processor does not compute in bf16")
def test_in_bf16_the_boxes_are_others_and_nearly_the_same() -> None:
    exact, rough = track("onnxruntime"), track("openvino", "bf16")
    assert np.abs(exact - rough).max() > 0.01
    assert iou(exact, rough).mean() > 0.9


@pytest.mark.skipif(not has_bf16(), reason="this processor does not compute in bf16")
def test_a_template_that_is_read_once_is_read_exactly() -> None:
    exact, rough = (open_session(BUILTIN, engine="openvino", threads=1, precision=precision) for precision in ("f32", "bf16"))
    state = exact.run("init", crops(1))
    for name, value in rough.run("init", crops(1)).items():
        np.testing.assert_array_equal(value, state[name])
    assert np.abs(rough.run("step", crops(1) | state)["box"] - exact.run("step", crops(1) | state)["box"]).max() > 0


def test_any_batch_size_can_follow_any_other() -> None:
    ours, theirs = open_session(BUILTIN, engine="openvino", threads=1), open_session(BUILTIN, engine="onnxruntime", threads=1)
    for batch in (1, 3, 2, 1):
        state = theirs.run("init", crops(batch))
        np.testing.assert_allclose(ours.run("init", crops(batch))["keys"], state["keys"], atol=1e-4)
        expected = theirs.run("step", crops(batch) | state)
        for name, value in ours.run("step", crops(batch) | state).items():
            np.testing.assert_allclose(value, expected[name], atol=1e-4, err_msg=name)


@pytest.fixture
def num_compiled(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every graph that was compiled, on a machine of four cores."""
    from sightline.engines import openvino

    compiled: list[object] = []
    compiles = openvino._Graph._compile

    def compile_and_tell(self: openvino._Graph, shapes: openvino.Shapes) -> object:
        compiled.append(shapes)
        return compiles(self, shapes)

    monkeypatch.setattr(openvino, "num_cores", lambda: 4)
    monkeypatch.setattr(openvino._Graph, "_compile", compile_and_tell)
    return compiled


@pytest.mark.parametrize("threads, places", [(1, 4), (3, 1), (None, 1)])
def test_callers_at_the_same_time_get_the_bits_of_one_each_in_a_graph_of_its_own(
    num_compiled: list[object], threads: int | None, places: int
) -> None:
    session = open_session(BUILTIN, engine="openvino", threads=threads)
    state = session.run("init", {"template": crops(8)["template"]})
    given = [{name: array[i : i + 1] for name, array in (crops(8) | state).items()} for i in range(8)]
    num_compiled.clear()
    alone = [session.run("step", arrays) for arrays in given]
    assert len(num_compiled) == 1
    meeting = threading.Barrier(8, timeout=30)

    def call(arrays: dict[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
        meeting.wait()
        return [session.run("step", arrays) for _ in range(20)]

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(call, given))
    for results, expected in zip(told, alone, strict=True):
        for result in results:
            for name, value in expected.items():
                np.testing.assert_array_equal(result[name], value, err_msg=name)
    assert len(num_compiled) <= places
    assert len(num_compiled) > 1 or places == 1


def test_a_caller_takes_the_request_that_it_had_though_another_was_put_back_later(monkeypatch: pytest.MonkeyPatch) -> None:
    from sightline.engines import openvino

    monkeypatch.setattr(openvino, "_Request", lambda compiled: compiled)
    requests = openvino._Requests(object, places=2)
    with ThreadPoolExecutor(1) as other:
        with requests.taken() as ours:
            beside = requests.taken()
            theirs = other.submit(beside.__enter__).result()
        other.submit(beside.__exit__, None, None, None).result()
        with requests.taken() as again:
            assert again is ours is not theirs
    with ThreadPoolExecutor(1) as stranger:
        assert stranger.submit(requests.taken().__enter__).result() in (ours, theirs)


def test_a_call_that_fails_leaves_its_place_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sightline.engines.openvino.num_cores", lambda: 1)
    session = open_session(BUILTIN, engine="openvino", threads=1)
    wrong = {"template": np.zeros((1, 5, 5, 3), np.uint8)}
    for _ in range(3):
        with pytest.raises(EngineError, match="refuses"):
            session.run("init", wrong)
    assert session.run("init", crops(1))["keys"].shape[0] == 1


def test_what_a_call_returned_stays_after_the_next_call() -> None:
    session = open_session(BUILTIN, engine="openvino", threads=1)
    first = session.run("init", crops(1))
    before = {name: value.copy() for name, value in first.items()}
    session.run("init", {"template": crops(1)["template"] // 2})
    for name, value in first.items():
        np.testing.assert_array_equal(value, before[name])


def test_a_copy_by_pickle_says_the_same() -> None:
    session = open_session(BUILTIN, engine="openvino", threads=1)
    copy = pickle.loads(pickle.dumps(session))
    np.testing.assert_array_equal(copy.run("init", crops(1))["keys"], session.run("init", crops(1))["keys"])


def test_many_targets_equal_single_trackers() -> None:
    method = NetworkMethod(open_session(BUILTIN, engine="openvino", threads=1))
    many: MultiTracker[int, object] = MultiTracker(method)  # type: ignore[arg-type]  # its state is its own affair
    boxes = [SHOTS[0].box, SHOTS[0].box._replace(x=SHOTS[0].box.x + 15)]
    singles = []
    for key, box in enumerate(boxes):
        many.add(key, SHOTS[0].frame, box)
        singles.append(
            [
                step.estimate.box
                for step in follow((shot.frame for shot in SHOTS[:5]), box=box, tracker=load("kestrel-nano", engine="openvino", threads=1))
            ]
        )
    for i in range(1, 5):
        together = many.update(SHOTS[i].frame)
        for key in together:
            np.testing.assert_allclose(together[key].box, singles[key][i], atol=1e-3)


def test_several_callers_give_the_bits_of_one_while_targets_come_and_go() -> None:
    method = NetworkMethod(open_session(BUILTIN, engine="openvino", threads=1), batch=1)
    told: list[list[dict[int, Estimate]]] = []
    for callers in (1, 3):
        many: MultiTracker[int, object] = MultiTracker(method, callers=callers)  # type: ignore[arg-type]  # its state is its own affair
        for key in range(5):
            many.add(key, SHOTS[0].frame, SHOTS[0].box._replace(x=SHOTS[0].box.x + 6 * key))
        told.append([many.update(SHOTS[1].frame)])
        many.remove(2)
        many.add(7, SHOTS[1].frame, SHOTS[1].box)
        told[-1] += [many.update(SHOTS[i].frame) for i in range(2, 5)]
    assert list(told[0][-1]) == [0, 1, 3, 4, 7]
    assert told[0] == told[1]


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no device FPGA"):
        open_session(BUILTIN, engine="openvino", device="fpga")
    with pytest.raises(EngineError, match="use engine openvino"):
        open_session(BUILTIN, engine="onnxruntime", precision="bf16")
    with pytest.raises(EngineError, match="'search'"):
        open_session(BUILTIN, engine="openvino").run("step", {})
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(BUILTIN.read_bytes()[:5000])
    with pytest.raises((EngineError, WeightsMismatch), match="broken"):
        open_session(broken, engine="openvino")


def test_a_signal_is_survived_after_another_thread_let_the_last_network_go() -> None:
    program = f"""
import gc, signal, threading
from pathlib import Path
from sightline.engines import open_session
import numpy as np
sessions = [open_session(Path({str(BUILTIN)!r}), engine="openvino", threads=1)]
sessions[0].run("init", {{"template": np.zeros((1, 128, 128, 3), np.uint8)}})
thread = threading.Thread(target=lambda: (sessions.clear(), gc.collect()))
thread.start()
thread.join()
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    print("interrupted")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "interrupted\n"), done.stderr


def test_of_a_refusal_the_line_is_told_that_says_why() -> None:
    from sightline.engines.openvino import _told

    where = "Exception from src/inference/src/cpp/core.cpp:117:\n"
    assert _told(RuntimeError(f"{where}Check 'a' failed at x.cpp:1\n\n\n")) == "Check 'a' failed at x.cpp:1"
    assert _told(RuntimeError(f"{where}Check 'a' failed at x.cpp:1:\n no kernel\n")) == "no kernel"
    assert _told(RuntimeError("")) == "RuntimeError"


@pytest.mark.parametrize(
    "engine, tracker, threads, batch",
    [
        ("onnxruntime", "merlin", 1, 1),
        ("onnxruntime", "kestrel-nano", 2, 2),
        ("openvino", "kestrel-nano", 1, 1),
        ("openvino", "kestrel-nano", 2, 2),
        ("openvino", "merlin", 1, 2),
    ],
)
def test_as_many_targets_go_through_together_as_is_cheapest_for_the_network_on_the_engine(
    engine: str, tracker: str, threads: int, batch: int
) -> None:
    method = load(tracker, engine=engine, threads=threads).method
    assert isinstance(method, NetworkMethod)
    assert method.batch == batch
    [setting] = settings_of([tracker], [engine], ["f32"], Numbers([threads], [16]))
    assert setting.batch == batch
