"""Hold our implementations against golden fixtures: what the authors' own code computes.

    python tests/golden/check.py DIR... [--only PATTERN] [--json]

Every folder below DIR with a meta.json and an outputs.npz is a fixture. Prints one row for each: the output that is worst
relative to its allowance, what is allowed, and the verdict: pass, fail, or unknown where nothing here computes it.
Exits 0 where all pass, 1 where any does not, 2 where nothing could be checked.

The fixtures' formulas (golden.py) and weights files come from ../shared or $SIGHTLINE_SHARED, never from DIR.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import json
import math
import sys
import time
import tomllib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatchcase
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parents[1]))  # run as a script: the runners are tests.golden.<system>

from tests.conftest import shared_dir  # noqa: E402  # needs the path

Array = NDArray[Any]
Runner = Callable[[Mapping[str, Any], Mapping[str, Array], Mapping[str, Array]], Mapping[str, Array]]

CACHE_BYTES = 3 * 2**30


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one fixture; `worst` is None where there was nothing to compare."""

    system: str
    config: str
    worst: float | None
    allowed: float | None
    verdict: Literal["pass", "fail", "unknown"]
    output: str = ""
    reason: str = ""
    seconds: float = 0.0
    folder: str = ""


class Weights:
    """`make_tensor` of golden.py, which remembers what it made, up to `CACHE_BYTES`: fixtures of a family share most of it."""

    def __init__(self, make: Callable[..., Array]) -> None:
        self.make = make
        self.made: OrderedDict[tuple[str, tuple[int, ...], int], Array] = OrderedDict()
        self.size = 0

    def __call__(self, key: str, shape: Sequence[int], seed: int = 0) -> Array:
        """The values of one tensor; not to be written to."""
        name = (key, tuple(shape), seed)
        if name not in self.made:
            self.made[name] = self.make(key, shape, seed)
            self.size += self.made[name].nbytes
        self.made.move_to_end(name)
        while self.size > CACHE_BYTES and len(self.made) > 1:
            self.size -= self.made.popitem(last=False)[1].nbytes
        return self.made[name]


def load_golden(shared: Path) -> Any:
    """The module golden.py of the shared folder, with a memory for weights."""
    path = shared / "golden" / "golden.py"
    spec = importlib.util.spec_from_file_location("sightline_golden", path)
    assert spec is not None  # a path that ends in .py has a loader
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.__dict__["make_tensor"] = Weights(module.make_tensor)  # `fill` and `weights` look it up there
    return module


def find(folders: Sequence[Path], only: str = "*") -> list[Path]:
    """Fixtures below folders, in order; `only` is a shell pattern of `system/config` or of `config`, or a part of `system/config`."""
    found = sorted({meta.parent for folder in folders for meta in folder.rglob("meta.json") if (meta.parent / "outputs.npz").is_file()})
    names = {path: name_of(path) for path in found}
    return [
        path
        for path, (system, config) in names.items()
        if fnmatchcase(config, only) or fnmatchcase(f"{system}/{config}", only) or only in f"{system}/{config}"
    ]


def name_of(path: Path) -> tuple[str, str]:
    """System and config of a fixture, as it says itself; the names of its folders where it cannot be read."""
    try:
        meta = json.loads((path / "meta.json").read_text())
        return str(meta["system"]), str(meta["config"])
    except (ValueError, KeyError, TypeError):
        return path.parent.name, path.name


def case_of(name: str) -> Mapping[str, Any] | None:
    """The row of index.toml for `system/config`; None where there is none."""
    cases = tomllib.loads((HERE / "index.toml").read_text())["case"]
    return next((case for case in cases if fnmatchcase(name, case["folder"])), None)


def located(inputs: Mapping[str, Array], path: Path) -> dict[str, Array]:
    """Inputs, with the names of files, which are relative to the fixture, made whole."""
    return {
        name: np.asarray(str(path / str(value))) if value.dtype.kind == "U" and not value.shape else value for name, value in inputs.items()
    }


def sliced(meta: Mapping[str, Any], outputs: Mapping[str, Array]) -> dict[str, Array]:
    """Outputs cut to the parts that the fixture stores; with `row_slices` an output is a list of arrays of any size."""
    slices, row_slices = meta["arguments"].get("slices", {}), meta["arguments"].get("row_slices", {})

    def cut(name: str, value: Array) -> Array:
        if name in row_slices:
            return np.stack([row[index_of(text)] for row, text in zip(value, row_slices[name], strict=True)])
        return value[index_of(slices[name])] if name in slices else value

    return {name: cut(name, value) for name, value in outputs.items()}


def index_of(text: str) -> tuple[Any, ...]:
    """The index that a text such as "[:, ::7, 0]" stands for."""
    return tuple(_index_part(part.strip()) for part in text.strip()[1:-1].split(","))


def _index_part(part: str) -> Any:
    if part == "...":
        return Ellipsis
    if ":" not in part:
        return int(part)
    return slice(*(int(number) if number.strip() else None for number in part.split(":")))


def check(path: Path, golden: Any) -> Row:
    """Run one fixture and judge it; whatever goes wrong is that fixture's failure."""
    start = time.perf_counter()
    row = Row(*name_of(path), None, None, "fail", folder=str(path))
    try:
        row = judge(row, path, golden)
    except Exception as error:  # noqa: BLE001  # the next fixture still has to run
        lines = str(error).splitlines() or [""]
        row = replace(row, reason=f"{type(error).__name__}: {lines[0]}")
    gc.collect()
    return replace(row, seconds=round(time.perf_counter() - start, 2))


def judge(row: Row, path: Path, golden: Any) -> Row:
    """The row of a fixture with what its runner's outputs are worth."""
    meta, stored = golden.load(path)
    case = case_of(f"{row.system}/{row.config}")
    if case is None:
        return replace(row, verdict="unknown", reason="no row of index.toml fits")
    runner = import_module(f"tests.golden.{case['runner']}")
    run: Runner = runner.run
    given = {name: value for name, value in stored.items() if any(fnmatchcase(name, pattern) for pattern in case.get("given", ()))}
    meta["outputs"] = {name: entry for name, entry in meta["outputs"].items() if name not in given}
    computed = run(meta, golden.weights(meta), located(golden.inputs(meta), path) | given)
    verdict = getattr(runner, "verdict", golden.verdict)  # a system that has a rule of its own states it beside its runner
    verdicts = verdict(meta, stored, sliced(meta, computed))
    if not verdicts:
        return replace(row, reason="the fixture stores no outputs")
    output, (worst, allowed, _) = max(verdicts.items(), key=lambda item: (not item[1][2], item[1][0] / max(item[1][1], 1e-12)))
    if not math.isfinite(worst):
        return replace(row, output=output, allowed=allowed, reason=f"{output} is missing, not finite or of another shape")
    passes = all(agrees for _, _, agrees in verdicts.values())
    return replace(row, output=output, worst=worst, allowed=allowed, verdict="pass" if passes else "fail")


def check_all(paths: Sequence[Path]) -> Iterator[Row]:
    """One row for each fixture, as they come."""
    golden = load_golden(shared_dir())
    for path in paths:
        yield check(path, golden)


def line_of(row: Row) -> str:
    """A row for people."""
    worst = "-" if row.worst is None else f"{row.worst:.2e}"
    allowed = "-" if row.allowed is None else f"{row.allowed:.0e}"
    return f"{row.system:<16} {row.config:<40} {worst:>9} {allowed:>8}  {row.verdict:<8} {row.reason or row.output}"


def main(arguments: Sequence[str] | None = None) -> int:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(prog="check.py", description="Hold our implementations against golden fixtures.")
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="where fixtures are looked for, at any depth")
    parser.add_argument("--only", default="*", metavar="PATTERN", help="a part of system/config, or a shell pattern")
    parser.add_argument("--json", action="store_true", help="print a JSON list instead of a table")
    given = parser.parse_args(arguments)
    absent = [str(folder) for folder in given.folders if not folder.is_dir()]
    if not (shared_dir() / "golden" / "golden.py").is_file():
        print(f"check.py: {shared_dir()} holds no golden/golden.py; set SIGHTLINE_SHARED to the folder that does.", file=sys.stderr)
        return 2
    paths = [] if absent else find(given.folders, given.only)
    if not paths:
        looked = f"no folder {', '.join(absent)}" if absent else f"no fixture {given.only!r} below {', '.join(map(str, given.folders))}"
        print(f"check.py: {looked}; give a folder that holds <system>/<config>/meta.json.", file=sys.stderr)
        return 2
    rows = []
    if not given.json:
        print(f"{'system':<16} {'config':<40} {'worst':>9} {'allowed':>8}  verdict  output")
    for row in check_all(paths):
        rows.append(row)
        if not given.json:
            print(line_of(row), flush=True)
    if given.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
    else:
        print(", ".join(f"{sum(row.verdict == verdict for row in rows)} {verdict}" for verdict in ("pass", "fail", "unknown")))
    return 0 if all(row.verdict == "pass" for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
