from __future__ import annotations

import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from sightline.box import iou
from sightline.engines import open_session
from sightline.errors import EngineError, WeightsMismatch
from sightline.loop import follow
from sightline.methods.network import NetworkMethod
from sightline.scene import Scene, render
from sightline.tracker import MultiTracker, load
from sightline.weights import find

pytest.importorskip("openvino")

BUILTIN = find("kestrel-nano")
SHOTS = list(render(Scene(seed=3, num_frames=20, size=(480, 270), occlusion=0.0, distractors=0)))
SCORES = 1e-3


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


def test_many_threads_may_call_one_session() -> None:
    session = open_session(BUILTIN, engine="openvino", threads=1)
    given = [crops(1) | session.run("init", crops(1)) for _ in range(1)] + [
        {name: value[:1] for name, value in crops(i).items()} | session.run("init", {"template": crops(i)["template"][:1]})
        for i in range(2, 9)
    ]
    alone = [session.run("step", arrays)["box"] for arrays in given]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            for box, expected in zip(pool.map(lambda arrays: session.run("step", arrays)["box"], given), alone, strict=True):
                np.testing.assert_array_equal(box, expected)


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
