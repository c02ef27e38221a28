from __future__ import annotations

from pathlib import Path

import pytest

from sightline.cli.settings import Numbers, beside, settings_of
from sightline.errors import EngineError
from sightline.measure.subject import Setting, Subject
from sightline.weights import find


@pytest.fixture
def int8(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file in int8 for OpenVINO, as far as anybody asks who does not run it."""
    path = tmp_path / "int8.onnx"
    path.symlink_to(find("kestrel-nano"))
    monkeypatch.setattr("sightline.engines.opening.int8_in", lambda asked: {"engine": "openvino"} if asked == path else None)
    return str(path)


def test_a_file_runs_on_the_engine_that_it_is_for_and_a_name_on_onnxruntime(int8: str) -> None:
    assert settings_of(["merlin", int8], [None], ["f32"]) == [
        Setting(Subject("merlin", "onnxruntime")),
        Setting(Subject(int8, "openvino", "int8")),
    ]
    assert settings_of([int8], ["onnxruntime"], ["f32"]) == [Setting(Subject(int8, "onnxruntime", "int8"))]  # who asks for it has it


def test_others_beside_a_file_in_int8_need_none_of_their_own(int8: str) -> None:
    [first] = settings_of([int8], [None], ["bf16"])
    assert first.subject.precision == "int8+bf16"
    assert beside(first.subject, ["merlin"], engine_is_given=True) == [Setting(Subject("merlin", "openvino", "bf16"))]
    [first] = settings_of([int8], [None], ["f32"])
    assert beside(first.subject, ["merlin"], engine_is_given=False) == [Setting(Subject("merlin", "onnxruntime"))]


def test_batches_and_callers_are_those_of_several_targets() -> None:
    numbers = Numbers(targets=(1, 4), batch=(0, 8), callers=(1, 2))
    assert [(row.targets, row.batch, row.callers) for row in settings_of(["merlin"], [None], ["f32"], numbers)] == [
        (1, 1, 1),
        (4, 1, 1),
        (4, 1, 2),
        (4, 4, 1),
        (4, 4, 2),
    ]


def test_what_lacks_a_precision_is_left_out_and_named_where_nothing_else_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(settings_of(["merlin"], ["onnxruntime", "openvino"], ["bf16"])) == 1
    assert capsys.readouterr().err == ""
    with pytest.raises(EngineError, match="the torch engine computes in f32, not in bf16; use engine openvino"):
        settings_of(["merlin"], ["torch"], ["bf16"])


def test_a_subject_is_its_words() -> None:
    subject = Subject("w.onnx", "openvino", "int8+bf16", 2)
    assert Subject.of_words(subject.words) == subject
    assert str(subject) == "w.onnx (openvino int8+bf16, 2 threads)"
