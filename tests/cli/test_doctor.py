from __future__ import annotations

import json

import pytest

from sightline.cli import main
from sightline.engines import ENGINES
from sightline.errors import WeightsMissing
from tests.fakes import FakeSession, stay


def test_a_healthy_installation_gives_0_and_says_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["healthy"] is True
    assert None not in report["versions"].values()
    assert report["engines"].keys() == ENGINES.keys() - {"torch-compile"}  # its first call takes half a minute
    assert report["engines"]["onnxruntime"] is None
    assert report["machine"]["cores"] >= 1
    assert report["self_test"]["mean_iou"] > 0.6
    assert report["self_test"]["tracker_fps"] > 0


@pytest.fixture
def no_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Engines are not what the test is about, and torch takes a while to import."""
    monkeypatch.setattr("sightline.engines.ENGINES", {})


@pytest.mark.usefixtures("no_engines")
def test_a_tracker_that_cannot_be_opened_gives_1_and_the_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(*_: object, **__: object) -> None:
        raise WeightsMissing("the file is gone;\n install it again.")

    monkeypatch.setattr("sightline.tracker.load", missing)
    assert main(["doctor"]) == 1
    printed = capsys.readouterr().out
    assert "the file is gone; install it again." in printed
    assert printed.endswith("not healthy: see above\n")


@pytest.mark.usefixtures("no_engines", "fake_tracker")
def test_a_tracker_that_loses_the_rendered_target_gives_1(session: FakeSession, capsys: pytest.CaptureFixture[str]) -> None:
    session.step = lambda arrays: stay(arrays) | {"box": stay(arrays)["box"] + [[0.3, 0, 0, 0]]}
    assert main(["doctor", "--json"]) == 1
    assert "lost a rendered target" in json.loads(capsys.readouterr().out)["self_test"]["problem"]


def test_an_engine_that_is_not_installed_is_no_illness(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sightline.engines.ENGINES", {"onnxruntime": "sightline.engines.onnx", "absent": "absent_engine"})
    assert main(["doctor", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["engines"] == {"onnxruntime": None, "absent": "absent_engine is not installed"}


@pytest.mark.usefixtures("no_engines")
def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sightline.cli.environment.CORE", ("numpy", "no-such-package"))
    assert main(["doctor"]) == 1
    rows = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if line.startswith("  "))
    assert rows["no-such-package"].startswith("MISSING")
