from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from sightline.engines import Opening, open_session, opening
from sightline.errors import EngineError
from sightline.tracker import load
from sightline.weights import find, init_path

BUILTIN = find("kestrel-nano")


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino", "auto"])
@pytest.mark.parametrize("threads", [0, -1, "2", 1.5])
def test_what_is_no_number_of_threads_is_refused(engine: str, threads: Any) -> None:
    with pytest.raises(EngineError, match=re.escape(f"threads is {threads!r}; expected a whole number from 1 on, or None")):
        load(BUILTIN, engine=engine, threads=threads)


def test_the_file_that_is_read_is_worked_out_in_one_place(tmp_path: Path) -> None:
    weights = tmp_path / "w.onnx"
    for path, source in ((weights, BUILTIN), (init_path(weights), init_path(BUILTIN))):
        path.symlink_to(source)
    plain, rough = Opening.of(weights), Opening.of(weights, engine="openvino", precision="int8+bf16")
    assert (plain.file(), plain.files(), plain.label) == (weights, (weights, init_path(weights)), "onnxruntime")
    assert (rough.file(), rough.files(), rough.label) == (tmp_path / "w.int8-openvino.onnx", (), "openvino int8+bf16")
    assert (plain.rest, rough.rest) == ("f32", "bf16")
    assert Opening.of(weights, device="cuda:1").label == "onnxruntime on cuda"


def test_a_file_in_int8_is_never_in_f32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "int8_in", lambda _: {"engine": "openvino"})
    for asked, found in (("f32", "int8"), ("int8", "int8"), ("bf16", "int8+bf16"), ("int8+bf16", "int8+bf16")):
        way = Opening.of(BUILTIN, precision=asked)  # type: ignore[arg-type]  # one of them
        assert (way.engine, way.precision, way.file()) == ("openvino", found, BUILTIN)


def test_an_engine_that_is_installed_and_does_not_load_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: str) -> None:
        raise ImportError("libopenvino.so: cannot open shared object file\nand more")

    monkeypatch.setattr(opening, "import_module", broken)
    with pytest.raises(
        EngineError, match=r"installed and cannot be imported \(libopenvino.so: cannot open shared object file\); install it"
    ):
        open_session(BUILTIN, engine="openvino")


class NoLibrary:
    """A session of onnxruntime that has fallen back to the processor, as it does where a library of CUDA is missing."""

    given: ClassVar[list[dict[str, Any]]] = []

    def __init__(self, *_: object, **given: Any) -> None:
        self.given.append(given)

    def get_providers(self) -> list[str]:
        return ["CPUExecutionProvider"]


def test_onnxruntime_does_not_go_on_with_the_processor_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    monkeypatch.setattr("onnxruntime.InferenceSession", NoLibrary)
    for device, options in (("cuda", {}), ("cuda:1", {"device_id": "1"})):
        with pytest.raises(EngineError, match=f"onnxruntime cannot use the device '{device}' here: a library .* is missing"):
            open_session(BUILTIN, device=device)
        assert NoLibrary.given[-1]["providers"] == ["CUDAExecutionProvider"]
        assert NoLibrary.given[-1]["provider_options"] == [options]


@pytest.mark.parametrize("device", ["cuda", "cuda:", "cuda:first", "cpu:1", ""])
def test_a_device_that_onnxruntime_has_not_is_one_line(device: str) -> None:
    with pytest.raises(EngineError, match=rf"onnxruntime has no provider for device '{device}' here, it has ") as told:
        open_session(BUILTIN, device=device)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_threads_of_a_network_rest_between_its_calls(engine: str) -> None:
    pytest.importorskip(engine)
    image = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    tracker = load("kestrel-nano", engine=engine, threads=2)
    tracker.init(image, (100, 80, 50, 50))
    busy = 0.0
    for _ in range(10):
        tracker.update(image)
        began = time.process_time()
        time.sleep(0.02)
        busy += time.process_time() - began
    assert busy < 0.03  # seconds of the processor in 0.2 s; turning on the spot, onnxruntime's second thread takes 0.13
