"""What a benchmark found, as markdown."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

__all__ = ["markdown"]

NUM_KINDS, NUM_LAYERS = 8, 10  # that are listed one by one
OF_LAYERS = (
    "MACs of layers are those that run: channels that an engine adds to fill its vectors are among them. A report in JSON has every layer."
)


def markdown(report: Mapping[str, Any]) -> str:
    """The report of `sightline bench` as tables, with the machine and the versions below."""
    parts = [_times(report["rows"])]
    if report["targets"]:
        parts.append(_targets(report["targets"]))
    if report["videos"]:
        parts.append(_videos(report["videos"]))
    if report["start"]:
        parts.append(_start(report["start"]))
    parts += [_layers(entry, report["ceilings"]) for entry in report["layers"]]
    parts += [OF_LAYERS] if report["layers"] else []
    if report["soak"]:
        parts.append(_soak(report["soak"]))
    if report["stopped"]:
        parts.append(f"Not all was measured that was asked for: {report['stopped'].rstrip('.')}.")
    return "\n\n".join([*parts, _setting(report)])


def _times(rows: Sequence[Mapping[str, Any]]) -> str:
    """The main table; a column that nothing stands in is left out."""
    columns: list[tuple[str, Callable[[Mapping[str, Any]], str]]] = [
        ("tracker", lambda row: row["name"]),
        ("AUC", lambda row: _number(row["auc"], 3)),
        ("p50 ms", lambda row: _number(row["p50"])),
        ("p95 ms", lambda row: _number(row["p95"])),
        ("fps", lambda row: f"{row['fps']:.0f}"),
        ("time / first", lambda row: f"{row['ratio']:.2f}"),
        ("network ms", lambda row: _number(row["network"])),
        ("outside ms", lambda row: _number(row["outside"])),
        ("parameters", lambda row: _count(row["parameters"])),
        ("MACs", lambda row: _count(row["macs"])),
        ("file MB", lambda row: _number(row["file_mb"])),
        ("share of ceiling", lambda row: _percent(row["share_of_ceiling"])),
        ("joules", lambda row: _number(row["joules"], 3)),
    ]
    shown = [(title, cell) for title, cell in columns if any(cell(row) != "-" for row in rows)]
    lines = [f"| {' | '.join(title for title, _ in shown)} |", f"|---|{'---:|' * (len(shown) - 1)}"]
    return "\n".join([*lines, *(f"| {' | '.join(cell(row) for _, cell in shown)} |" for row in rows)])


def _targets(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = ["| several targets | ms per target | time / network alone | kB of memory per target |", "|---|---:|---:|---:|"]
    lines += [
        f"| {row['name']} | {_number(row['per_target'], 3)} | {_number(row['to_network'])} | {_number(row['kilobytes'], 0)} |"
        for row in rows
    ]
    return "\n".join(lines)


def _videos(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = [
        "| videos at the same time | fps of one alone | fps of all, in threads | / one | fps of all, in processes | / one |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {row['videos']} x {row['name']} | {row['alone']:.0f} | {row['threads']:.0f} | {row['threads_ratio']:.2f} "
        f"| {row['processes']:.0f} | {row['processes_ratio']:.2f} |"
        for row in rows
    ]
    return "\n".join(lines)


def _start(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = [
        "| a fresh process | bare imports s | ours too s | load s | first box s | all beyond bare imports s | `sightline track`, 10 frames s | peak MB |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        beyond = row["imports"] - row["bare"] + row["load"] + row["first"]
        told = [row[key] for key in ("bare", "imports", "load", "first")] + [beyond, row["track"]]
        lines.append(f"| {row['name']} | {' | '.join(f'{value:.2f}' for value in told)} | {_number(row['peak_mb'], 0)} |")
    return "\n".join(lines)


def _layers(entry: Mapping[str, Any], ceilings: Sequence[Mapping[str, Any]]) -> str:
    """Kinds, and the layers that take longest."""
    best = next(found for found in ceilings if found["threads"] == entry["threads"])

    def row(name: str, part: Mapping[str, Any], total: float) -> str:
        peak, taken, macs = best[part["arithmetic"]], part["milliseconds"], part["macs"]
        near = None if not macs or not peak or not taken else 2 * macs / (taken * 1e6) / peak
        return f"| {name} | {part['arithmetic']} | {taken:.3f} | {_percent(taken / total)} | {_count(macs)} | {_percent(near)} |"

    kinds, layers = entry["kinds"], sorted(entry["layers"], key=lambda layer: -layer["milliseconds"])
    total = sum(kind["milliseconds"] for kind in kinds) or math.nan
    head = "| arithmetic | ms | share | MACs | share of ceiling |"
    lines = [f"| {entry['name']}: where the network's time goes {head}", "|---|---|---:|---:|---:|---:|"]
    lines += [row(f"{kind['name']} x {kind['layers']}", kind, total) for kind in kinds[:NUM_KINDS]]
    rest = [kind["milliseconds"] for kind in kinds[NUM_KINDS:]]
    if rest:
        lines.append(f"| the other {len(rest)} kinds | | {sum(rest):.3f} | {_percent(sum(rest) / total)} | - | - |")
    lines += ["", f"| its slowest layers {head}", "|---|---|---:|---:|---:|---:|"]
    lines += [row(f"{layer['name']} ({layer['kind']})", layer, total) for layer in layers[:NUM_LAYERS]]
    return "\n".join(lines)


def _soak(windows: Sequence[Mapping[str, Any]]) -> str:
    lines = ["| soak, seconds | fps | fresh fps | fps / fresh | memory MB | clock MHz | joules |", "|---:|---:|---:|---:|---:|---:|---:|"]
    rates = [window["fps"] for window in windows]
    fresh = [window["fresh"] for window in windows if window["fresh"] is not None]
    shares = [window["fps"] / window["fresh"] if window["fresh"] else None for window in windows]
    lines += [
        f"| {window['at']:.0f} | {window['fps']:.0f} | {_number(window['fresh'], 0)} | {_number(share, 3)} | "
        f"{_number(window['memory_mb'], 1)} | {_number(window['clock_mhz'], 0)} | {_number(window['joules'], 0)} |"
        for window, share in zip(windows, shares, strict=True)
    ]
    told = f"fps {_kept(rates)}"
    beside = [share for share in shares if share is not None]
    if beside:
        told += f"; a process that had just begun, after each stretch (fresh): {_kept(fresh)}; the one beside the other (fps / fresh): {_kept(beside)}"
    return "\n".join([*lines, "", f"From the first tenth to the last, and the slowest stretch beside the median: {told}."])


def _kept(values: Sequence[float]) -> str:
    """How the end compares with the beginning, and the least with the usual."""
    tenth = max(1, len(values) // 10)
    first, last, usual = (statistics.median(part) for part in (values[:tenth], values[-tenth:], values))
    return f"{last / first:.1%} and {min(values) / usual:.1%}"


def _setting(report: Mapping[str, Any]) -> str:
    machine, versions = report["machine"], report["versions"]
    ceilings = "; ".join(
        f"{found['threads']} thread{'s' * (found['threads'] > 1)}: "
        + ", ".join(f"{name} {found[name]:.0f}" for name in ("f32", "bf16", "int8") if found[name])
        + f" thousand million operations in a second, copying {found['copy']:.0f} GB/s"
        for found in report["ceilings"]
    )
    packages = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    return (
        f"Frames of {report['frame']} in memory; medians of rounds taken in turns, ratios within rounds. {machine['processor']}, "
        f"{machine['cores']} cores, {machine['system']}. Ceilings of this machine: {ceilings}. {packages}."
    )


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
