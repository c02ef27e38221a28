from __future__ import annotations

import json

import pytest

from sightline.cli import main
from sightline.engines import ENGINES
from sightline.engines.cores import Cores
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

    monkeypatch.setattr("sightline.tracker.opened", missing)
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
    for module in ("engines", "engines.opening"):
        engines = {"onnxruntime": "sightline.engines.onnx", "absent": "absent_engine"}
        monkeypatch.setattr(f"sightline.{module}.ENGINES", engines)
    assert main(["doctor", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["engines"] == {"onnxruntime": None, "absent": "absent_engine is not installed"}


@pytest.mark.usefixtures("no_engines")
def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sightline.cli.environment.CORE", ("numpy", "no-such-package"))
    assert main(["doctor"]) == 1
    rows = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if line.startswith("  "))
    assert rows["no-such-package"].startswith("MISSING")


@pytest.mark.usefixtures("no_engines", "fake_tracker")
def test_why_there_are_fewer_cores_than_the_machine_has_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sightline.engines.cores.cores", lambda: Cores(machine=64, mask=8, physical=4, quota=2.5))
    main(["doctor"])
    rows = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if line.startswith("  "))
    assert rows["cores"] == "2"
    assert rows["limits"] == "this process may run on 8 of 64 processors; its container gives it the time of 2.5 of 64"
    main(["doctor", "--json"])
    assert json.loads(capsys.readouterr().out)["machine"]["processors"] == {"machine": 64, "mask": 8, "physical": 4, "quota": 2.5}


def test_engines_are_tried_on_the_device_that_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--device", "meta", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert "no provider for device 'meta'" in report["engines"]["onnxruntime"]
    assert "torch has no device 'meta'" in report["engines"]["torch"]
    assert report["self_test"]["problem"] == report["engines"]["onnxruntime"]
