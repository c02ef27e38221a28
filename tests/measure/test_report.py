"""A report as values: its JSON keeps the keys that scripts read, and its tables leave out what nobody knows."""

from __future__ import annotations

import json

import pytest

from sightline.measure.ceiling import Ceiling
from sightline.measure.layers import Layer, Profile, kinds_of
from sightline.measure.race import Times
from sightline.measure.report import Named, PerTarget, Report, Row
from sightline.measure.soak import Window
from sightline.measure.start import Start
from sightline.measure.subject import Setting, Subject
from sightline.measure.tables import markdown
from sightline.measure.videos import Rates
from sightline.zoo.measured import Measured

CEILING = Ceiling(2, 100.0, None, 400.0, 10.0, {"f32": "nobody", "int8": "nobody"})
OF_TIMES = ["name", "p50", "p95", "network", "outside", "fps", "ratio", "joules", "rounds", "tracker", "threads", "targets"]
OF_SIZE = ["parameters", "macs", "share_of_ceiling", "file_mb", "auc", "spec"]


def times(name: str, network: float | None) -> Times:
    return Times(name, 2.0, 3.0, network, None if network is None else 2.0 - network, 2000.0, 1.0, None, (2.0, 2.0))


@pytest.fixture
def report() -> Report:
    """Something of everything."""
    setting = Setting(Subject("w.onnx", "openvino", "int8", 2), 4, 2, 1)
    layers = [Layer("a", "Conv", 1.0, 25_000_000, "f32"), Layer("b", "Add", 0.5, None, "f32")]
    return Report(
        {"system": "Linux", "processor": "a processor", "cores": 2},
        {"sightline": "1", "torch": None},
        "320x240",
        [CEILING],
        [
            Row(times(str(setting), 1.0), "kestrel-nano", setting, Measured(226_000, 42_000_000, 0, None), 0.9, 0.5, 0.7),
            Row(times("OpenCV mil", None), "opencv-mil", None, None, None, None, None),
        ],
        [Named(str(setting), PerTarget(4, 0.5, 2.0, 150.0))],
        [Named("w.onnx (openvino int8, 1 thread)", Rates(2, 500.0, 900.0, 950.0, 1.8, 1.9))],
        [Named(str(setting.subject), Start(0.3, 0.4, 0.1, 0.01, 1.0, None))],
        [Named(str(setting.subject), Profile(2, kinds_of(layers), layers))],
        [Window(10.0, 700.0, 710.0, 90.0, None, None), Window(20.0, 350.0, None, 90.0, None, None)],
        "it broke.",
    )


def test_the_keys_of_the_json_stay_as_they_are(report: Report) -> None:
    told = json.loads(json.dumps(report.to_json()))
    parts = ["rows", "targets", "videos", "start", "layers", "soak"]
    assert list(told) == ["machine", "versions", "frame", "ceilings", *parts, "stopped"]
    ours, opencv = told["rows"]
    assert list(ours) == [*OF_TIMES, "engine", "precision", "batch", "callers", *OF_SIZE]
    assert list(opencv) == [*OF_TIMES, *OF_SIZE]
    assert (ours["tracker"], ours["spec"], ours["threads"], ours["targets"]) == ("w.onnx", "kestrel-nano", 2, 4)
    assert (opencv["tracker"], opencv["spec"], opencv["threads"], opencv["targets"]) == ("opencv-mil", "opencv-mil", 1, 1)
    assert list(told["targets"][0]) == ["name", "targets", "per_target", "to_network", "kilobytes"]
    assert list(told["videos"][0]) == ["name", "videos", "alone", "threads", "processes", "threads_ratio", "processes_ratio"]
    assert list(told["start"][0]) == ["name", "bare", "imports", "load", "first", "track", "peak_mb"]
    assert list(told["layers"][0]) == ["name", "threads", "kinds", "layers"]
    assert list(told["layers"][0]["kinds"][0]) == ["name", "layers", "milliseconds", "share", "macs", "arithmetic"]
    assert list(told["soak"][0]) == ["at", "fps", "fresh", "memory_mb", "clock_mhz", "joules"]


def test_the_tables_say_what_is_known_and_leave_out_the_rest(report: Report) -> None:
    page = markdown(report)
    head = "tracker | AUC | p50 ms | p95 ms | fps | time / first | network ms | outside ms | parameters | MACs | file MB | share of ceiling"
    for line in (
        f"| {head} |",  # nobody knows joules
        f"|---|{'---:|' * 11}",
        "| w.onnx (openvino int8, 2 threads, 4 targets, batch 2) | 0.700 | 2.00 | 3.00 | 2000 | 1.00 | 1.00 | 1.00 | 0.23 M | 42 M | 0.90 | 50% |",
        "| OpenCV mil | - | 2.00 | 3.00 | 2000 | 1.00 | - | - | - | - | - | - |",
        "| w.onnx (openvino int8, 2 threads, 4 targets, batch 2) | 0.500 | 2.00 | 150 |",
        "| 2 x w.onnx (openvino int8, 1 thread) | 500 | 900 | 1.80 | 950 | 1.90 |",
        "| w.onnx (openvino int8, 2 threads) | 0.30 | 0.40 | 0.10 | 0.01 | 0.21 | 1.00 | - |",
        "| Conv x 1 | f32 | 1.000 | 67% | 25 M | 50% |",
        "| b (Add) | f32 | 0.500 | 33% | - | - |",
        "| 20 | 350 | - | - | 90.0 | - | - |",
        "Not all was measured that was asked for: it broke.",
    ):
        assert line in page.splitlines()
    assert "2 threads: f32 100, int8 400 thousand million operations in a second, copying 10 GB/s. sightline 1." in page
    assert "fps 50.0% and 66.7%; a process that had just begun, after each stretch (fresh): 100.0% and 100.0%" in page


def test_a_share_of_the_ceiling_is_told_where_both_are_known() -> None:
    assert CEILING.share("f32", 25_000_000, 1.0) == pytest.approx(0.5)
    assert CEILING.share("int8+bf16", 25_000_000, 1.0) == pytest.approx(0.125)
    assert CEILING.share("bf16", 25_000_000, 1.0) is None
    assert CEILING.share("f32", None, 1.0) is None
    assert CEILING.share("f32", 25_000_000, 0.0) is None
