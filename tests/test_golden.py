"""What the authors' own code computes, ours computes too; and the command that says so can also say no."""

from __future__ import annotations

import json
import shutil
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from tests.conftest import shared_dir
from tests.golden import check

ROWS = tomllib.loads((check.HERE / "index.toml").read_text())["case"]


def known() -> list[Path]:
    """Fixtures of the shared folder that some row of index.toml fits."""
    systems = sorted({row["folder"].split("/")[0] for row in ROWS})
    found = check.find([shared_dir() / "golden" / system for system in systems])
    return [path for path in found if check.case_of("/".join(check.name_of(path)))]


def is_quick(path: Path) -> bool:
    system, config = check.name_of(path)
    case = check.case_of(f"{system}/{config}")
    return case is not None and any(fnmatchcase(config, pattern) for pattern in case["quick"])


KNOWN = known()
QUICK = [path for path in KNOWN if is_quick(path)]


def name(path: Path) -> str:
    return "/".join(check.name_of(path))


@pytest.fixture(scope="session")
def golden(shared: Path) -> Any:
    return check.load_golden(shared)


def test_the_shared_folder_has_fixtures_for_every_row(shared: Path) -> None:
    without = [row["folder"] for row in ROWS if not any(fnmatchcase(name(path), row["folder"]) for path in QUICK)]
    assert not without, f"no quick fixture in {shared} for {without}"


def test_every_row_names_one_folder_and_one_runner() -> None:
    text = (check.HERE / "index.toml").read_text()
    for title in ("[[case]]", "folder = ", "runner = "):
        assert text.count(f"\n{title}") == len(ROWS), title


@pytest.mark.parametrize("path", QUICK, ids=name)
def test_ours_agrees_with_the_authors(path: Path, golden: Any) -> None:
    row = check.check(path, golden)
    assert row.verdict == "pass", row


@pytest.mark.golden
@pytest.mark.parametrize("path", [path for path in KNOWN if path not in QUICK], ids=name)
def test_ours_agrees_with_the_authors_at_full_size(path: Path, golden: Any) -> None:
    row = check.check(path, golden)
    assert row.verdict == "pass", row


@pytest.fixture
def fixture_copy(shared: Path, tmp_path: Path) -> Path:
    """A small fixture in another folder, to be spoilt."""
    return Path(shutil.copytree(shared / "golden" / "ostrack" / "head_mlp", tmp_path / "deep" / "down" / "anything"))


def rewrite(folder: Path, outputs: dict[str, np.ndarray] | None = None, **changes: Any) -> None:
    meta = json.loads((folder / "meta.json").read_text()) | changes
    (folder / "meta.json").write_text(json.dumps(meta))
    if outputs is not None:
        np.savez_compressed(folder / "outputs.npz", **outputs)  # type: ignore[arg-type]  # numpy types its options, not the arrays


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    code = check.main([*arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_a_fixture_is_found_by_what_it_says_and_not_by_where_it_lies(fixture_copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, [row] = run(capsys, str(fixture_copy.parents[1]))
    assert code == 0
    assert (row["system"], row["config"], row["verdict"]) == ("ostrack", "head_mlp", "pass")


def test_a_fixture_of_another_name_still_finds_its_runner(fixture_copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rewrite(fixture_copy, config="another_name")
    code, [row] = run(capsys, str(fixture_copy))
    assert (code, row["verdict"]) == (0, "pass")


def test_an_output_that_is_off_by_little_more_than_allowed_fails(
    fixture_copy: Path, golden: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    meta, stored = golden.load(fixture_copy)
    off = stored["raw"].copy()
    off.flat[7] += 2e-4 * meta["outputs"]["raw"]["std"]
    rewrite(fixture_copy, {"raw": off})
    code, [row] = run(capsys, str(fixture_copy))
    assert (code, row["verdict"]) == (1, "fail")
    assert row["worst"] == pytest.approx(2e-4, rel=0.05)


def test_another_seed_makes_other_weights(fixture_copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rewrite(fixture_copy, seed=1)
    code, [row] = run(capsys, str(fixture_copy))
    assert (code, row["verdict"]) == (1, "fail")


def test_formulas_beside_the_fixture_are_not_used(fixture_copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in (fixture_copy, *fixture_copy.parents[:2]):
        (folder / "golden.py").write_text("raise RuntimeError('not mine')")
    assert run(capsys, str(fixture_copy.parents[1]))[0] == 0


def test_a_system_that_nothing_here_computes_is_unknown(fixture_copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rewrite(fixture_copy, system="lynx")
    code, [row] = run(capsys, str(fixture_copy))
    assert (code, row["verdict"], row["worst"]) == (1, "unknown", None)


@pytest.mark.parametrize("spoilt", ["an output more", "another shape", "no outputs", "broken file", "broken meta", "a runner's error"])
def test_a_spoilt_fixture_fails_with_a_reason_and_the_next_one_runs(
    spoilt: str, fixture_copy: Path, golden: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(fixture_copy, fixture_copy.parent / "next")
    meta, stored = golden.load(fixture_copy)
    if spoilt == "an output more":
        rewrite(fixture_copy, outputs={**stored, "more": stored["raw"]})
        meta["outputs"]["more"] = meta["outputs"]["raw"]
    if spoilt == "another shape":
        meta["outputs"]["raw"]["shape"][0] += 1
    if spoilt == "no outputs":
        meta["outputs"] = {}
    if spoilt == "a runner's error":
        meta["keys"] = {}
    rewrite(fixture_copy, **meta)
    if spoilt == "broken meta":
        (fixture_copy / "meta.json").write_text("{")
    if spoilt == "broken file":
        (fixture_copy / "outputs.npz").write_bytes(b"no archive")
    code, [row, other] = run(capsys, str(fixture_copy.parent))
    assert (code, row["verdict"], other["verdict"]) == (1, "fail", "pass")
    assert row["reason"]


def test_only_picks_by_part_or_pattern(shared: Path) -> None:
    folder = [shared / "golden" / "ostrack"]
    assert [path.name for path in check.find(folder, "head_")] == ["head_center", "head_corner", "head_mlp"]
    assert [path.name for path in check.find(folder, "*_track")] == ["vitb_256_mae_ce_32x4_track", "vitb_384_mae_ce_32x4_track"]
    assert [path.name for path in check.find(folder, "ostrack/ce_c*")] == ["ce_ctr_rec"]


@pytest.mark.usefixtures("shared")
def test_nothing_to_check_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main([str(tmp_path)]) == 2
    assert check.main([str(tmp_path / "absent")]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "no fixture" in said.err
    assert "no folder" in said.err


def test_without_the_shared_folder_nothing_is_checked(
    fixture_copy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SIGHTLINE_SHARED", str(fixture_copy))
    assert check.main([str(fixture_copy)]) == 2
    assert "set SIGHTLINE_SHARED" in capsys.readouterr().err


def test_the_table_ends_with_the_counts(fixture_copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main([str(fixture_copy)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:5] == ["system", "config", "worst", "allowed", "verdict"]
    assert lines[-1] == "1 pass, 0 fail, 0 unknown"


def test_the_memory_for_weights_stays_within_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "CACHE_BYTES", 100)
    made = []

    def make(key: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
        made.append((key, seed))
        return np.zeros(shape, np.float32)

    weights = check.Weights(make)
    for key, seed in (("a", 0), ("b", 0), ("a", 0), ("a", 1), ("b", 0)):
        weights(key, (10,), seed)
    assert made == [("a", 0), ("b", 0), ("a", 1), ("b", 0)]
    assert weights.size <= 100


@pytest.mark.parametrize(
    "text,index",
    [
        pytest.param("[:, ::7, ::5]", np.s_[:, ::7, ::5], id="steps"),
        pytest.param("[:125:5, 3]", np.s_[:125:5, 3], id="end and number"),
        pytest.param("[:1, ...]", np.s_[:1, ...], id="ellipsis"),
        pytest.param("[-2:]", np.s_[-2:,], id="negative"),
    ],
)
def test_an_index_in_words_is_the_index(text: str, index: tuple[Any, ...]) -> None:
    assert check.index_of(text) == index
