"""The grid of small networks on every engine: depth x width x batch x threads, the plain form beside what saves work.

    python benchmarks/grid.py                 everything
    python benchmarks/grid.py --quick         the smallest network that a target is set for, on one thread (under two minutes)
    python benchmarks/grid.py --count         multiply-accumulates alone, the same on any machine (docs/studies/savings.md)

dXcY is X blocks of width Y with Y / 64 heads, a stem of four 2x2 convolutions, a centre head of width 256, a 128 pixel template and a 256
pixel search crop. Weights are random: only speed counts, and what int8 costs in accuracy is told beneath the table, of the trained networks of
benchmarks/precision.py. Its int8 is that of `sightline quantize`, with as much in f32 as kestrel-nano needs there. Three forms of each:

    plain    both crops go through the network in every frame, the head is computed everywhere: what authors publish
    saved    the same network, nothing trained again: template tokens kept, the last block trimmed, the head lazy
    own      the built-in tracker's formulation: keys and values of the template kept, the head lazy

Candidates take turns in one process, and the matrix product that is this machine's ceiling takes its turn among them (OpenVINO's, 320 x 256
by 256 x 1024, in each precision). Ratios and shares are medians of those within a round, so other work on the machine disturbs them less
than it does the milliseconds; shares count the multiply-accumulates of the plain form.
"""

from __future__ import annotations

import gc
import itertools
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from sightline import zoo
from sightline.cli.environment import machine, version_of, versions
from sightline.engines.cores import num_cores
from sightline.measure.ceiling import OPERATIONS, Ceiling, ceiling, product
from sightline.measure.profilers import Arithmetic
from sightline.measure.turns import ratio, take_turns
from sightline.models import kestrel, vittrack_dist
from sightline.models.calls import calls
from sightline.models.export import graphs
from sightline.models.layers.conv import Stem, StemKind
from sightline.models.layers.decode import decode_center, normalize
from sightline.models.layers.onestream import OneStream
from sightline.quantize.make import BUDGET
from sightline.spec import Spec
from sightline.zoo.kestrel import Arch as OwnArch
from sightline.zoo.vittrack_dist import Arch as PlainArch

FORMS = ("plain", "saved", "own")
ENGINES = ("torch", "onnxruntime f32", "openvino f32", "openvino bf16", "openvino int8", "openvino int8+bf16")
PRECISION: Mapping[str, Arithmetic] = {"f32": "f32", "bf16": "bf16", "int8": "int8", "int8+bf16": "int8"}  # of the ceiling
HEAD_WIDTH = 256
ACCURACY = Path(__file__).parent / "results" / "precision.json"
TRAINED = "kestrel-nano"
SAMPLES = 8  # of the calibration: random pictures, as only the speed counts


@dataclass(frozen=True)
class Row:
    """One candidate. `faster`: times as fast as torch's plain form in the same race; `share` of the ceiling, plain forms only."""

    network: str
    form: str
    engine: str
    threads: int
    batch: int
    milliseconds: float
    fps: float
    faster: float
    share: float | None


class Plain(nn.Module):
    """A joint network as authors publish it: both crops in every frame, the head everywhere."""

    def __init__(self, network: OneStream) -> None:
        super().__init__()
        self.network = network

    def step(self, template: Tensor, search: Tensor) -> dict[str, Tensor]:
        """`box` and `score` from uint8 crops."""
        maps = self.network.look(self.network.encode(self.network.embed(normalize(template), normalize(search))))
        box, score = decode_center(maps, self.network.window)
        return {"box": box, "score": score}


def shape_of(name: str) -> tuple[int, int]:
    """Depth and width of dXcY."""
    depth, _, width = name.removeprefix("d").partition("c")
    if not (name.startswith("d") and depth.isdigit() and width.isdigit() and int(width) % 64 == 0):
        raise SystemExit(f"{name!r} is no network of the grid; expected dXcY, as d3c128, Y a multiple of 64.")
    return int(depth), int(width)


def made(name: str, form: str, stem: StemKind) -> tuple[nn.Module, Spec]:
    """A network of one form, with random weights."""
    depth, width = shape_of(name)
    heads = width // 64
    torch.manual_seed(0)
    if form == "own":
        spec = replace(zoo.find("kestrel-nano"), arch=OwnArch(depth=depth, width=width, heads=heads, head_width=HEAD_WIDTH))
        own = kestrel.build(spec.arch)
        own.stem = Stem(width, stem)
        return own.eval(), spec
    spec = replace(zoo.find("vittrack-nano"), arch=PlainArch(depth=depth, width=width, heads=heads, head_width=HEAD_WIDTH))
    network = vittrack_dist.build(spec.arch)
    network.stem = Stem(width, stem)
    return (network if form == "saved" else Plain(network)).eval(), spec


def macs_of(network: nn.Module, arrays: Mapping[str, Tensor]) -> int:
    """Multiply-accumulates of one step."""
    with sdpa_kernel(SDPBackend.MATH), torch.no_grad(), FlopCounterMode(display=False) as counter:
        network.step(**arrays)  # type: ignore[operator]  # nn.Module's attributes are tensors or modules to mypy
    return int(counter.get_total_flops()) // 2


def inputs_of(network: nn.Module, spec: Spec, batch: int) -> dict[str, Tensor]:
    """What a step is given: random pictures, and the state of their templates."""
    torch.manual_seed(batch)
    [arrays] = [call.arrays for call in calls(network, spec, batch) if call.role == "step"]
    return {name: value.contiguous() for name, value in arrays.items()}


class Network:
    """One form of one network, its exported graph, and the calls that run it."""

    def __init__(self, name: str, form: str, stem: StemKind, folder: Path) -> None:
        self.network, self.spec = made(name, form, stem)
        self.path = folder / f"{name}-{form}.onnx"
        self.path.write_bytes(graphs(self.network, self.spec)["step"].SerializeToString())
        self.macs = macs_of(self.network, inputs_of(self.network, self.spec, 1))
        self.quantised: dict[int, Any] = {}

    def call(self, engine: str, threads: int, batch: int) -> Callable[[], object]:
        """One step on an engine."""
        tensors = inputs_of(self.network, self.spec, batch)
        if engine == "torch":
            return partial(self._eager, threads, tensors)
        arrays = {name: value.numpy() for name, value in tensors.items()}
        library, _, precision = engine.partition(" ")
        if library == "onnxruntime":
            return self._onnxruntime(threads, arrays)
        return self._openvino(precision, threads, arrays)

    @torch.inference_mode()
    def _eager(self, threads: int, tensors: Mapping[str, Tensor]) -> object:
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        return self.network.step(**tensors)  # type: ignore[operator]  # nn.Module's attributes are tensors or modules to mypy

    def _onnxruntime(self, threads: int, arrays: Mapping[str, np.ndarray]) -> Callable[[], object]:
        from sightline.engines.onnx import open_graph

        return partial(open_graph(self.path, threads=threads).run, None, dict(arrays))

    def _openvino(self, precision: str, threads: int, arrays: Mapping[str, np.ndarray]) -> Callable[[], object]:
        import openvino

        from sightline.engines.openvino import settings_for

        core, batch = openvino.Core(), len(next(iter(arrays.values())))
        model = self._int8(batch) if precision.startswith("int8") else shaped(core.read_model(self.path), arrays)
        compiled = core.compile_model(model, "CPU", settings_for("bf16" if precision.endswith("bf16") else "f32", threads))
        request = compiled.create_infer_request()
        given = [arrays[entry.any_name] for entry in model.inputs]
        return partial(request.infer, given, share_inputs=True, share_outputs=True)

    def _int8(self, batch: int) -> Any:
        if batch not in self.quantised:
            self.quantised[batch] = quantised(self.path, [inputs_of(self.network, self.spec, batch) for _ in range(SAMPLES)])
        return self.quantised[batch]


def shaped(model: Any, arrays: Mapping[str, Any]) -> Any:
    """A graph for inputs of these shapes alone."""
    model.reshape({name: list(array.shape) for name, array in arrays.items()})
    return model


def quantised(path: Path, samples: Sequence[Mapping[str, Tensor]]) -> Any:
    """A graph in int8 as `sightline quantize` makes it: with as much in f32 as kestrel-nano, the trained network of this kind, needs."""
    import openvino

    from sightline.quantize.graph import LEVELS, spared, whole
    from sightline.quantize.openvino import quantize

    level = LEVELS.index(
        next((row["exact"] for row in accuracies() if row["tracker"] == TRAINED and row["engine"] == "openvino"), LEVELS[0])
    )
    model = whole(path)
    written = path.with_suffix(".int8.onnx")
    written.write_bytes(
        quantize(
            model, [{name: value.numpy() for name, value in sample.items()} for sample in samples], spared(model.graph, level)
        ).SerializeToString()
    )
    return shaped(openvino.Core().read_model(written), samples[0])


def accuracies() -> list[dict[str, Any]]:
    """The rows of `benchmarks/precision.py` that are in int8; none where it never ran."""
    if not ACCURACY.is_file():
        return []
    rows: list[dict[str, Any]] = json.loads(ACCURACY.read_text())["rows"]
    return [row for row in rows if "int8" in row["precision"]]


def accurate() -> Iterator[str]:
    """What int8 costs in boxes, told of trained networks: those of the table have random weights, of which no box means anything."""
    rows = accuracies()
    if not rows:
        yield f"the accuracy of int8 is not known: {ACCURACY.name} is not there; run `make precision`"
    for row in rows:
        check = f"{row['check']:.3f}{'' if row['check'] >= BUDGET else ', refused'}"
        yield (
            f"int8 of trained networks: {row['tracker']} on {row['engine']} in {row['precision']}: overlap with f32 {row['overlap']:.3f} "
            f"({check} by the check of `sightline quantize`), AUC {row['auc']:.3f} against {row['auc_f32']:.3f} (make precision)"
        )


def present(engines: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """The engines that can run here, and why the others cannot."""
    left_out: dict[str, str] = {}
    capabilities: list[str] = []
    if version_of("openvino") is not None:
        import openvino

        capabilities = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    for engine in engines:
        if engine.startswith("openvino") and version_of("openvino") is None:
            left_out[engine] = "openvino is not installed"
        elif "int8" in engine and version_of("nncf") is None:
            left_out[engine] = "nncf is not installed, which makes int8 of a network"
        elif "bf16" in engine and "BF16" not in capabilities:
            left_out[engine] = "this processor does not compute in bf16"
    return [engine for engine in engines if engine not in left_out], left_out


@dataclass(frozen=True)
class Race:
    """What takes turns together: every form and engine of a network, with so many threads and targets."""

    network: str
    threads: int
    batch: int
    candidates: tuple[tuple[str, str], ...]


def races(networks: Sequence[str], engines: Sequence[str], cores: int, *, quick: bool) -> Iterator[Race]:
    """All of them, those first that a target is set for."""
    both = tuple(itertools.product(FORMS, engines))
    if quick:
        yield Race(networks[0], 1, 1, tuple(pair for pair in both if pair[0] != "saved" or pair[1] in ("onnxruntime f32", "openvino bf16")))
        return
    for name, threads in itertools.product(networks, sorted({1, 2, 4, cores} & set(range(1, cores + 1)))):
        yield Race(name, threads, 1, both)
    fast = [engine for engine in engines if "int8" not in engine]
    for name, batch in itertools.product([name for name in networks if shape_of(name)[0] == 3], (2, 4, 8, 16)):
        yield Race(
            name, 1, batch, (("plain", "torch"), *itertools.product(("plain", "own"), [engine for engine in fast if engine != "torch"]))
        )


def run(race: Race, made_: Mapping[str, Network], *, rounds: int, seconds: float, clock: Callable[[], float]) -> list[Row]:
    """The rows of one race."""
    opened: dict[str, Callable[[], object]] = {
        f"{form}|{engine}": made_[form].call(engine, race.threads, race.batch) for form, engine in race.candidates
    }
    products = {precision: product(precision, race.threads) for precision in sorted({*PRECISION.values()})}
    opened |= {f"ceiling|{precision}": call for precision, call in products.items() if call is not None}
    taken = take_turns(opened, rounds=rounds, seconds=seconds, clock=clock)
    rows = []
    for form, engine in race.candidates:
        mine, first = taken[f"{form}|{engine}"], taken["plain|torch"]
        middle = statistics.median(mine)
        best = taken.get(f"ceiling|{PRECISION[engine.partition(' ')[2] or 'f32']}")
        products_worth = 2 * made_[form].macs * race.batch / OPERATIONS  # of work
        share = products_worth * ratio(best, mine) if form == "plain" and best else None
        rows.append(Row(race.network, form, engine, race.threads, race.batch, middle * 1e3, race.batch / middle, ratio(first, mine), share))
    return rows


def counted(networks: Sequence[str], stem: StemKind) -> str:
    """Millions of multiply-accumulates of a frame as markdown, and how many times fewer than the plain form's."""
    lines = ["| network | plain | saved | own | plain / saved | plain / own |", "|---|---:|---:|---:|---:|---:|"]
    for name in networks:
        plain, saved, own = (macs_of(network, inputs_of(network, spec, 1)) for network, spec in (made(name, form, stem) for form in FORMS))
        cells = [name, *(f"{macs / 1e6:.0f}" for macs in (plain, saved, own)), f"{plain / saved:.2f}", f"{plain / own:.2f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


@dataclass(frozen=True)
class Target:
    """A least value that is asked of one row, of one thread and one target, at the size that targets are set for."""

    form: str
    engine: str
    field: str
    least: float


TARGETS = (
    Target("own", "onnxruntime f32", "faster", 2.6),
    Target("own", "openvino bf16", "faster", 5.0),
    Target("own", "openvino int8+bf16", "faster", 7.0),
    Target("saved", "onnxruntime f32", "faster", 2.3),
    Target("saved", "openvino bf16", "faster", 4.8),
    Target("plain", "onnxruntime f32", "share", 0.75),
    Target("plain", "openvino f32", "share", 0.80),
    Target("plain", "openvino bf16", "share", 0.75),
    Target("plain", "openvino int8", "share", 0.50),
)


def verdicts(rows: Sequence[Row], network: str, left_out: Mapping[str, str]) -> Iterator[str]:
    """One line for every target."""
    for target in TARGETS:
        what = f"{network} {target.form}, {target.engine}, one thread"
        wanted = f"{target.least:g} times torch's plain form" if target.field == "faster" else f"{target.least:.0%} of the ceiling"
        row = next(
            (
                row
                for row in rows
                if (row.network, row.form, row.engine, row.threads, row.batch) == (network, target.form, target.engine, 1, 1)
            ),
            None,
        )
        value = None if row is None else getattr(row, target.field)
        if value is None:
            yield f"not measured  {what}: wanted {wanted}; {left_out.get(target.engine, 'no such row or ceiling')}"
            continue
        told = f"{value:.2f}" if target.field == "faster" else f"{value:.0%}"
        yield f"{'reached' if value >= target.least else 'NOT reached'}  {what}: {told}, wanted {wanted}"


def table(rows: Sequence[Row]) -> str:
    """Rows as markdown."""
    lines = [
        "| network | form | engine | threads | batch | ms | ms per target | fps | times torch, plain | share of ceiling |",
        "|---|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        share = "-" if row.share is None else f"{row.share:.0%}"
        lines.append(
            f"| {row.network} | {row.form} | {row.engine} | {row.threads} | {row.batch} | {row.milliseconds:.2f} | "
            f"{row.milliseconds / row.batch:.2f} | {row.fps:.0f} | {row.faster:.2f} | {share} |"
        )
    return "\n".join(lines)


def setting(ceilings: Mapping[int, Ceiling], stem: str) -> dict[str, Any]:
    """What the figures were measured with."""
    packages = {name: version_of(name) for name in ("torch", "openvino", "nncf", "onnx")}
    return {"machine": machine(), "versions": versions() | packages, "stem": stem, "ceilings": [asdict(top) for top in ceilings.values()]}


def main(
    *,
    networks: tuple[str, ...] = ("d3c128", "d1c128", "d6c128", "d12c128", "d1c256", "d3c256", "d6c256", "d12c256"),
    quick: bool = False,
    count: bool = False,
    busy: bool = False,
    stem: StemKind = "conv2x2",
    rounds: int = 5,
    seconds: float = 0.15,
    output: Path = Path("benchmarks/results/grid"),
) -> None:
    """Measure, print tables and what became of every target, and write both.

    Args:
        networks: dXcY; targets are those of the first.
        quick: the first network alone, on one thread, for one target.
        count: only count multiply-accumulates, and write nothing.
        busy: time the processor's seconds for this process alone, where other work runs beside it; on one thread alone, so with --quick.
        stem: of all networks: conv2x2, conv3x3 (the built-in tracker's) or conv16.
        rounds: in each, every candidate has one turn.
        seconds: of a turn.
        output: files to write, without a suffix: .md and .json.
    """
    if count:
        print(counted(networks, stem))
        return
    if busy and not quick:
        raise SystemExit("--busy counts the seconds of one thread; give --quick as well.")
    began, clock = time.perf_counter(), time.process_time if busy else time.perf_counter
    cores = num_cores()
    engines, left_out = present(ENGINES)
    ceilings: dict[int, Ceiling] = {}
    rows: list[Row] = []
    plan = sorted(races(networks[:1] if quick else networks, engines, cores, quick=quick), key=lambda race: networks.index(race.network))
    with tempfile.TemporaryDirectory() as folder:
        for name, group in itertools.groupby(plan, key=lambda race: race.network):
            forms = {form: Network(name, form, stem, Path(folder)) for form in FORMS}
            for race in group:
                if race.threads not in ceilings:
                    ceilings[race.threads] = ceiling(race.threads)
                rows += run(race, forms, rounds=rounds, seconds=seconds, clock=clock)
                print(f"{time.perf_counter() - began:6.0f} s  {race.network}, {race.threads} threads, batch {race.batch}", file=sys.stderr)
                gc.collect()
    said = [*verdicts(rows, networks[0], left_out), *accurate()]
    told = setting(ceilings, stem)
    print(table(rows), *said, *(f"left out: {engine}: {why}" for engine, why in left_out.items()), sep="\n")
    output.parent.mkdir(parents=True, exist_ok=True)
    output.with_suffix(".md").write_text("\n".join([table(rows), "", *(f"- {line}" for line in said), "", f"    {json.dumps(told)}", ""]))
    report = told | {"left_out": left_out, "verdicts": said, "rows": [asdict(row) for row in rows]}
    output.with_suffix(".json").write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    tyro.cli(main)
