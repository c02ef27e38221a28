"""The table of precisions: what it says of int8, and of what was not measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("onnx")

from benchmarks import precision
from sightline.errors import EngineError
from sightline.quantize.footage import Footage
from tests.fakes import FakeSession


def test_the_table_says_what_was_refused_and_what_was_not_timed() -> None:
    row = precision.Row(
        "merlin",
        "openvino",
        "int8",
        milliseconds=2.5,
        times_faster=2.0,
        overlap=0.96,
        worst=0.8,
        elsewhere=0.011,
        auc=0.76,
        auc_f32=0.764,
        check=0.949,
        exact="nothing more",
    )
    plain = replace(row, precision="f32", milliseconds=None, times_faster=None, check=None, exact=None)
    *_, refused, untimed, _, told = precision.markdown([row, plain], "One thread.").splitlines()
    assert refused == "| merlin | openvino | int8 | 2.50 | 2.00 | 0.960, 0.800 | 1.1% | 0.760 | 0.949 (refused) | nothing more |"
    assert untimed == "| merlin | openvino | f32 | - | - | 0.960, 0.800 | 1.1% | 0.760 | - | - |"
    assert told == "One thread."


def test_a_network_without_an_int8_form_keeps_its_other_rows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object, engine: str, **__: object) -> None:
        raise EngineError(f"no int8 form of it runs on {engine}")

    monkeypatch.setattr(precision, "open_session", lambda *_, **__: FakeSession())
    monkeypatch.setattr(precision, "prepare", refuse)
    opened, checks = precision.sessions(tmp_path / "w.onnx", Footage("nothing", (), (), objects=0), tmp_path)
    assert (list(opened), checks) == (list(precision.PLAIN), {})
    assert capsys.readouterr().out.splitlines() == [
        f"left out: {engine} int8: no int8 form of it runs on {engine}" for engine in ("onnxruntime", "openvino")
    ]
