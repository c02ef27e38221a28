from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from sightline import auto
from sightline.auto import choose, fastest, measure, ways
from sightline.cli import main
from sightline.cli.arguments import Precision as OfCommands
from sightline.engines import Opening, Precision, Session
from sightline.errors import EngineError
from sightline.methods import Method
from sightline.methods.network import NetworkMethod
from sightline.tracker import resolve
from sightline.weights import find, int8_path
from tests.fakes import FakeSession

BUILTIN = find("kestrel-nano")
ORT = Opening(BUILTIN, "onnxruntime")
OV, BF16, INT8 = (Opening(BUILTIN, "openvino", precision) for precision in get_args(Precision)[:3])


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Opening]:
    """What was opened: engines that all run the same fake network, of which openvino takes half the time."""
    found: list[Opening] = []

    def opened_way(way: Opening) -> Session:
        found.append(way)
        return FakeSession()

    def measured(runs: dict[Opening, Callable[[], object]]) -> dict[Opening, list[float]]:
        return {way: [1.0 if way.engine == "onnxruntime" else 0.5] for way in runs}

    monkeypatch.setattr(Opening, "open", opened_way)
    monkeypatch.setattr(auto, "measure", measured)
    monkeypatch.setattr(auto, "_is_installed", lambda _: True)
    return found


def method_of(session: Session) -> Method[Any]:
    return NetworkMethod(session)


@pytest.mark.parametrize(
    "times,expected",
    [
        pytest.param({ORT: [2.0], OV: [1.0]}, OV, id="the faster engine"),
        pytest.param({ORT: [1.04], OV: [1.0]}, ORT, id="the first of equals"),
        pytest.param({ORT: [3.0], OV: [1.04], BF16: [1.0]}, OV, id="the more exact of equals"),
        pytest.param({ORT: [3.0], OV: [2.0], BF16: [1.0], INT8: [0.9]}, INT8, id="the roughest where it is worth it"),
        pytest.param({ORT: [1.0, 1.0, 9.0], OV: [2.0, 2.0, 0.1]}, ORT, id="a single round decides nothing"),
    ],
)
def test_the_choice_follows_from_the_times(times: dict[Opening, list[float]], expected: Opening) -> None:
    assert fastest(times) == expected
    assert fastest(dict(reversed(times.items()))) == expected


def test_ways_take_turns_for_about_a_second() -> None:
    now = 0.0
    turns: list[Opening] = []

    def run(way: Opening, seconds: float) -> Callable[[], None]:
        def update() -> None:
            nonlocal now
            now += seconds
            turns.append(way)

        return update

    times = measure({ORT: run(ORT, 0.010), OV: run(OV, 0.004)}, clock=lambda: now, pause=lambda _: None)
    assert fastest(times) == OV
    assert times[ORT] == pytest.approx([0.010] * auto.ROUNDS)
    assert now == pytest.approx(auto.SECONDS, abs=0.25)
    assert [way for way, _ in itertools.groupby(turns)] == [ORT, OV] * auto.ROUNDS


def test_rough_precisions_are_taken_only_where_they_are_allowed(opened: list[Opening]) -> None:
    assert ways(Opening.of(BUILTIN, precision="f32")) == [ORT, OV]
    assert ways(Opening.of(BUILTIN, precision="bf16")) == [ORT, OV, BF16]
    assert ways(Opening.of(BUILTIN, precision="int8")) == [ORT, OV, BF16]  # nobody has made a file in int8
    assert opened == []


def test_a_file_in_int8_beside_the_weights_is_taken_only_where_it_is_asked_for(opened: list[Opening], cache: Path) -> None:
    cache.mkdir()
    int8_path(BUILTIN, "openvino").touch()
    assert ways(Opening.of(BUILTIN, precision="f32")) == [ORT, OV]
    assert ways(Opening.of(BUILTIN, precision="bf16")) == [ORT, OV, BF16]
    assert ways(Opening.of(BUILTIN, precision="int8")) == [ORT, OV, BF16, INT8]
    assert choose(ORT, method_of) == OV
    assert opened == [ORT, OV]


def test_a_file_in_int8_says_so(opened: list[Opening], monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("auto", "engines.opening"):
        monkeypatch.setattr(f"sightline.{module}.int8_in", lambda _: {"engine": "openvino"})
    mixed = Opening(BUILTIN, "openvino", "int8+bf16")
    assert ways(Opening.of(BUILTIN, precision="f32")) == ways(Opening.of(BUILTIN, precision="int8")) == [INT8]
    assert ways(Opening.of(BUILTIN, precision="bf16")) == ways(Opening.of(BUILTIN, precision="int8+bf16")) == [INT8, mixed]
    assert choose(Opening.of(BUILTIN, precision="int8+bf16"), method_of) == INT8  # as fast
    assert opened == [INT8, mixed]
    assert [resolve(BUILTIN, engine=None, precision=precision) for precision in get_args(Precision)] == [INT8, mixed, INT8, mixed]


def test_weights_of_torch_have_one_way_however_rough_it_may_be(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes((2).to_bytes(8, "little") + b"{}")
    assert resolve(path, engine="auto", precision="int8") == Opening(path, "torch")


def test_the_second_start_reads_what_the_first_has_measured(opened: list[Opening]) -> None:
    assert choose(ORT, method_of) == OV
    assert opened == [ORT, OV]
    assert choose(ORT, method_of) == OV
    assert opened == [ORT, OV]


@pytest.mark.parametrize("change", ["threads", "precision", "processor", "weights"])
def test_another_setting_is_measured_anew(change: str, opened: list[Opening], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    choose(Opening.of(BUILTIN, threads=1), method_of)
    opened.clear()
    path = BUILTIN
    if change == "processor":
        monkeypatch.setattr(auto, "processor", lambda: "another")
    if change == "weights":
        path = tmp_path / BUILTIN.name
        path.write_bytes(BUILTIN.read_bytes() + b"\xa2\x06\x00")  # an empty field that nobody knows
    asked = Opening.of(path, threads=2 if change == "threads" else 1, precision="bf16" if change == "precision" else "f32")
    choose(asked, method_of)
    assert opened


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"engine": "openvino", "precision": "f32", "for": {}}'])
def test_a_broken_memory_is_made_again(content: bytes, opened: list[Opening], cache: Path) -> None:
    choose(ORT, method_of)
    [kept] = (cache / "engines").iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(content)
    opened.clear()
    assert choose(ORT, method_of) == OV
    assert opened == [ORT, OV]
    assert kept.read_bytes() == whole


def test_a_cache_that_cannot_be_written_to_stops_nobody(opened: list[Opening], cache: Path) -> None:
    cache.write_text("a file where the folder should be")
    assert choose(ORT, method_of) == OV
    assert opened


def test_an_engine_that_refuses_is_passed_over(opened: list[Opening], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(way: Opening) -> Session:
        if way.engine == "openvino":
            raise EngineError("no")
        return FakeSession()

    monkeypatch.setattr(Opening, "open", refuse)
    assert choose(ORT, method_of) == ORT
    assert opened == []


def test_a_damaged_file_in_int8_does_not_stop_the_others(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auto, "SECONDS", 0.02)
    cache.mkdir()
    int8_path(BUILTIN, "openvino").write_text("half a file")
    assert resolve(BUILTIN, engine="auto", precision="int8", threads=1).precision in ("f32", "bf16")


def test_a_precision_that_nobody_knows_is_one_line() -> None:
    for engine in (None, "auto"):
        with pytest.raises(EngineError, match=r"no precision called 'fp16'; known are f32, bf16, int8, int8\+bf16"):
            resolve(BUILTIN, engine=engine, precision="fp16")  # type: ignore[arg-type]  # what somebody may write


def test_where_there_is_one_way_nothing_is_measured(opened: list[Opening], monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setattr(auto, "_is_installed", lambda name: name == "onnxruntime")
    assert resolve(BUILTIN, engine="auto") == ORT
    assert opened == []
    assert not cache.exists()


def test_commands_know_the_precisions_of_the_engines() -> None:
    assert get_args(OfCommands) == get_args(Precision)


def test_the_self_test_runs_on_the_fastest_engine(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(auto, "SECONDS", 0.02)
    monkeypatch.setattr("sightline.cli.doctor._engines", lambda _: {})
    assert main(["doctor", "--engine", "auto", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["self_test"]["engine"] in ("onnxruntime", "openvino")
