"""What a benchmark found, as tables in markdown."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Sequence

from sightline.measure.ceiling import Ceiling
from sightline.measure.layers import Layer, Profile, Share
from sightline.measure.report import Named, PerTarget, Report, Row
from sightline.measure.soak import Window
from sightline.measure.start import Start
from sightline.measure.videos import Rates

__all__ = ["markdown"]

NUM_KINDS, NUM_LAYERS = 8, 10  # that are listed one by one
OF_LAYERS = (
    "MACs of layers are those that run: channels that an engine adds to fill its vectors are among them. A report in JSON has every layer."
)


def markdown(report: Report) -> str:
    """The report of `sightline bench` as tables, with the machine and the versions below."""
    parts = [_times(report.rows)]
    if report.targets:
        parts.append(_targets(report.targets))
    if report.videos:
        parts.append(_videos(report.videos))
    if report.start:
        parts.append(_start(report.start))
    parts += [_layers(entry.name, entry.found, report.ceiling(entry.found.threads)) for entry in report.layers]
    parts += [OF_LAYERS] if report.layers else []
    if report.soak:
        parts.append(_soak(report.soak))
    if report.stopped:
        parts.append(f"Not all was measured that was asked for: {report.stopped.rstrip('.')}.")
    return "\n\n".join([*parts, _setting(report)])


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> str:
    """A table whose first columns are words and whose others are numbers."""
    rule = f"|{'---|' * left}{'---:|' * (len(head) - left)}"
    return "\n".join([f"| {' | '.join(head)} |", rule, *(f"| {' | '.join(row)} |" for row in rows)])


def _times(rows: Sequence[Row]) -> str:
    """The main table; a column that nothing stands in is left out."""
    columns: list[tuple[str, Callable[[Row], str]]] = [
        ("tracker", lambda row: row.times.name),
        ("AUC", lambda row: _number(row.auc, 3)),
        ("p50 ms", lambda row: _number(row.times.p50)),
        ("p95 ms", lambda row: _number(row.times.p95)),
        ("fps", lambda row: f"{row.times.fps:.0f}"),
        ("time / first", lambda row: f"{row.times.ratio:.2f}"),
        ("network ms", lambda row: _number(row.times.network)),
        ("outside ms", lambda row: _number(row.times.outside)),
        ("parameters", lambda row: _count(row.parameters)),
        ("MACs", lambda row: _count(row.macs)),
        ("file MB", lambda row: _number(row.file_mb)),
        ("share of ceiling", lambda row: _percent(row.share_of_ceiling)),
        ("joules", lambda row: _number(row.times.joules, 3)),
    ]
    shown = [(title, cell) for title, cell in columns if any(cell(row) != "-" for row in rows)]
    return _table([title for title, _ in shown], ([cell(row) for _, cell in shown] for row in rows))


def _targets(entries: Sequence[Named[PerTarget]]) -> str:
    head = ["several targets", "ms per target", "time / network alone", "kB of memory per target"]
    rows = [(entry.name, entry.found) for entry in entries]
    return _table(
        head, ([name, _number(found.per_target, 3), _number(found.to_network), _number(found.kilobytes, 0)] for name, found in rows)
    )


def _videos(entries: Sequence[Named[Rates]]) -> str:
    head = ["videos at the same time", "fps of one alone", "fps of all, in threads", "/ one", "fps of all, in processes", "/ one"]
    rows = []
    for entry in entries:
        found = entry.found
        threads = [f"{found.threads:.0f}", f"{found.threads_ratio:.2f}"]
        processes = [f"{found.processes:.0f}", f"{found.processes_ratio:.2f}"]
        rows.append([f"{found.videos} x {entry.name}", f"{found.alone:.0f}", *threads, *processes])
    return _table(head, rows)


def _start(entries: Sequence[Named[Start]]) -> str:
    head = ["a fresh process", "bare imports s", "ours too s", "load s", "first box s", "all beyond bare imports s"]
    rows = []
    for entry in entries:
        found = entry.found
        beyond = found.imports - found.bare + found.load + found.first
        seconds = [found.bare, found.imports, found.load, found.first, beyond, found.track]
        rows.append([entry.name, *(f"{value:.2f}" for value in seconds), _number(found.peak_mb, 0)])
    return _table([*head, "`sightline track`, 10 frames s", "peak MB"], rows)


def _layers(name: str, found: Profile, best: Ceiling) -> str:
    """Kinds, and the layers that take longest."""
    kinds, layers = found.kinds, sorted(found.layers, key=lambda layer: -layer.milliseconds)
    total = sum(kind.milliseconds for kind in kinds) or math.nan

    def row(title: str, part: Share | Layer) -> list[str]:
        near = best.share(part.arithmetic, part.macs, part.milliseconds)
        return [
            title,
            part.arithmetic,
            f"{part.milliseconds:.3f}",
            _percent(part.milliseconds / total),
            _count(part.macs),
            _percent(near),
        ]

    head = ["arithmetic", "ms", "share", "MACs", "share of ceiling"]
    by_kind = [row(f"{kind.name} x {kind.layers}", kind) for kind in kinds[:NUM_KINDS]]
    rest = [kind.milliseconds for kind in kinds[NUM_KINDS:]]
    if rest:
        by_kind.append([f"the other {len(rest)} kinds", "", f"{sum(rest):.3f}", _percent(sum(rest) / total), "-", "-"])
    slowest = (row(f"{layer.name} ({layer.kind})", layer) for layer in layers[:NUM_LAYERS])
    tables = [
        _table([f"{name}: where the network's time goes", *head], by_kind, left=2),
        _table(["its slowest layers", *head], slowest, left=2),
    ]
    return "\n\n".join(tables)


def _soak(windows: Sequence[Window]) -> str:
    shares = [window.fps / window.fresh if window.fresh else None for window in windows]
    rows = [
        [
            f"{window.at:.0f}",
            f"{window.fps:.0f}",
            _number(window.fresh, 0),
            _number(share, 3),
            _number(window.memory_mb, 1),
            _number(window.clock_mhz, 0),
            _number(window.joules, 0),
        ]
        for window, share in zip(windows, shares, strict=True)
    ]
    table = _table(["soak, seconds", "fps", "fresh fps", "fps / fresh", "memory MB", "clock MHz", "joules"], rows, left=0)
    told = f"fps {_kept([window.fps for window in windows])}"
    beside = [share for share in shares if share is not None]
    if beside:
        fresh = [window.fresh for window in windows if window.fresh is not None]
        told += f"; a process that had just begun, after each stretch (fresh): {_kept(fresh)}; the one beside the other (fps / fresh): {_kept(beside)}"
    return f"{table}\n\nFrom the first tenth to the last, and the slowest stretch beside the median: {told}."


def _kept(values: Sequence[float]) -> str:
    """How the end compares with the beginning, and the least with the usual."""
    tenth = max(1, len(values) // 10)
    first, last, usual = (statistics.median(part) for part in (values[:tenth], values[-tenth:], values))
    return f"{last / first:.1%} and {min(values) / usual:.1%}"


def _setting(report: Report) -> str:
    machine = report.machine
    packages = ", ".join(f"{name} {version}" for name, version in report.versions.items() if version)
    return (
        f"Frames of {report.frame} in memory; medians of rounds taken in turns, ratios within rounds. {machine['processor']}, "
        f"{machine['cores']} cores, {machine['system']}. Ceilings of this machine: {'; '.join(map(_ceiling, report.ceilings))}. {packages}."
    )


def _ceiling(found: Ceiling) -> str:
    rates = {"f32": found.f32, "bf16": found.bf16, "int8": found.int8}
    told = ", ".join(f"{name} {rate:.0f}" for name, rate in rates.items() if rate)
    threads = f"{found.threads} thread{'s' * (found.threads > 1)}"
    return f"{threads}: {told} thousand million operations in a second, copying {found.copy:.0f} GB/s"


def _number(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


def _count(value: int | None) -> str:
    if value is None:
        return "-"
    if value >= 1e9:
        return f"{value / 1e9:.2f} G"
    return f"{value / 1e6:.0f} M" if value >= 1e7 else f"{value / 1e6:.2f} M"
