"""`sightline eval`: run a tracker over a data set, and score it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from sightline.cli.arguments import Device, Flag, Json, Precision, check_folder, optional
from sightline.cli.environment import machine, versions
from sightline.cli.pools import check_numbers, choose_pool, where
from sightline.cli.progress import sequence_bars
from sightline.cli.ready import make_ready
from sightline.errors import BadData, SightlineError

if TYPE_CHECKING:
    from sightline.evaluate.dataset import Dataset
    from sightline.evaluate.protocols import Protocol
    from sightline.evaluate.results import Maker
    from sightline.evaluate.run import Ran
    from sightline.evaluate.score import Summary
    from sightline.fleet import Pool
    from sightline.tracker import Tracker

__all__ = ["evaluate"]

SHOWN_GAPS = 5  # of a long list, in the error; all are in the summary
SHOWN_LINES = 30


def evaluate(
    *,
    tracker: Annotated[str, tyro.conf.arg(metavar="NAME|PATH|KIND:WORDS")],
    dataset: Annotated[str, tyro.conf.arg(metavar="NAME")],
    root: Annotated[Path, tyro.conf.arg(metavar="DIR")],
    output: Annotated[Path, tyro.conf.arg(metavar="DIR", aliases=["-o"])],
    workers: Annotated[int | None, optional("N")] = None,
    ray: Annotated[str | None, optional("ADDRESS")] = None,
    threads: Annotated[int, tyro.conf.arg(metavar="N")] = 1,
    engine: Annotated[str | None, optional("NAME")] = None,
    device: Device = "cpu",
    precision: Precision = "f32",
    import_: Annotated[Path | None, tyro.conf.arg(name="import", metavar="FILE.npz|DIR|FILE.zip", help_behavior_hint="")] = None,
    protocol: Annotated[str | None, optional("NAME")] = None,
    rules: Annotated[str | None, optional("NAME")] = None,
    submit: Annotated[str | None, optional("FORMAT")] = None,
    partial: Flag = False,
    as_json: Json = False,
) -> None:
    """Run a tracker over every sequence of a data set and score the results.

    Results are text files of x,y,w,h below --output. The same command again goes on where it was stopped: a sequence is
    left alone when its result is complete and was made by the same tracker from the same data. Anything that is missing
    or wrong is listed, there are no means then, and the exit code is 2.

    Example: sightline eval --tracker kestrel-nano --dataset folder --root sequences --output results

    Args:
        tracker: a name from `sightline zoo`, or the path of a weights file; or one of others: opencv:NAME, python:MODULE:CLASS with init and update,
            "command:PROGRAM" that speaks TraX; with --import, the name that the file uses.
        dataset: "folder" for any folder of SEQUENCE/img/*.jpg and SEQUENCE/groundtruth.txt, or a benchmark: otb100, lasot, got10k:val, uav123, ... (a wrong name lists all).
        root: the folder that the data set was unpacked to.
        output: folder for the results, of any number of trackers and data sets.
        workers: processes to spread the sequences over; boxes and scores do not depend on it, unless a tracker of others draws at random. One where not given.
        ray: spread them over a Ray cluster whose machines all see --root and --output: "host:port", "auto" for the one that `ray start --head` started
            here, "local" for one of this command's own. As many processes as it has processors, or --workers.
        threads: processor threads of each.
        engine: what runs the network, see `sightline doctor`; chosen by the kind of weights file where not given, by speed where it is "auto".
        device: where the network runs, as for `sightline track`; every process has its own there. Results of another one are made anew.
        precision: what it computes in, as for `sightline track`; results of another one are made anew.
        import_: score the boxes of others instead of tracking: an .npz file with one array TRACKER/SEQUENCE of (frames, 4) for each sequence, or a
            folder or .zip of raw results, one text file for each sequence, as toolkits and authors of trackers give them.
        protocol: how a sequence is run: one-pass is from its first box to its end; spatial, temporal and point are from other starts (a wrong name
            lists all); what the data set's authors do where not given.
        rules: whose way of counting to use, such as pysot, got10k or lasot (a wrong name lists all); what most papers on the data set use where not given.
        submit: write complete results once more as a server or toolkit reads them: got10k or trackingnet (a zip to upload), pytracking, otb, lasot, mot.
        partial: give means over the sequences that are there, and exit code 0, even if others are missing.
        as_json: print one JSON object on standard output, and nothing else there.
    """
    check_numbers(workers, threads)
    check_folder(output, "--output")
    if ray is not None:
        root, output = root.resolve(), output.resolve()  # processes of a cluster begin in other folders
    from sightline.evaluate.clips import open_dataset
    from sightline.evaluate.imported import import_boxes
    from sightline.evaluate.protocols import find_protocol
    from sightline.evaluate.results import make_folder
    from sightline.evaluate.score import score
    from sightline.evaluate.submit import write_submission
    from sightline.weights import write_whole

    if protocol is not None:
        find_protocol(protocol)
    data = open_dataset(dataset, root)
    run_by = find_protocol(protocol or data.protocol)
    _check_fit(data, run_by, rules=rules, submit=submit, imports=import_ is not None)
    _tell_of(data, root)
    ran: Ran | None = None
    if import_ is not None:
        folder = make_folder(output, data, tracker)
        maker = import_boxes(import_, data, folder, tracker=tracker, stamp=run_by.stamp)
    else:
        loaded, maker, prepare = make_ready(tracker, threads=threads, engine=engine, device=device, precision=precision)
        folder = make_folder(output, data, loaded.spec.name) / run_by.folder
        if any(clip.extra for clip in data) and "extra" not in loaded.spec.feed:
            print(f"sightline: {loaded.spec.name} looks at one picture; the second ones of {data.name} are not read.", file=sys.stderr)
        pool = choose_pool(workers, ray, prepare, shared=(root,), written=output)
        ran = _track(loaded, data, folder, maker=maker, protocol=run_by, pool=pool, timed_on=where(workers, ray, threads, device))
    summary = score(data, folder, maker=maker, protocol=run_by, failed=ran.failed if ran else {}, partial_means=partial, rules=rules)
    told = _told(data, maker, run_by, summary, ran, folder)
    if submit is not None and not summary.gaps:
        told["submission"] = str(write_submission(submit, data, folder, tracker=maker.name))
    write_whole({folder / "summary.json": (json.dumps(told, indent=1) + "\n").encode()})
    if as_json:
        print(json.dumps(told))
    else:
        _print_summary(told, run_by.headings)
    if summary.gaps and submit is not None:
        raise BadData(
            f"{len(summary.gaps)} of {summary.expected} sequences are missing or wrong, so nothing was written for --submit {submit}; mend them first."
        )
    if summary.gaps and not partial:
        raise BadData(_gaps_in_a_line(summary))


def _check_fit(data: Dataset, protocol: Protocol[Any, Any], *, rules: str | None, submit: str | None, imports: bool) -> None:
    """Refuse what could only fail after the run."""
    from sightline.evaluate.submit import check_format

    protocol.choose_rules(rules, data)
    if (reason := protocol.unfit(data)) is not None:
        raise BadData(f"{data.name} cannot be run by the protocol {protocol.name}: {reason}.")
    if (imports or submit) and not protocol.finds_boxes:
        option = "--import" if imports else "--submit"
        raise SightlineError(
            f"{option} is for one box in every frame, and the protocol {protocol.name} leaves more; add --protocol one-pass."
        )
    if submit is not None:
        check_format(submit, data)


def _tell_of(data: Dataset, root: Path) -> None:
    """What is odd about a copy of a data set, before a run takes hours."""
    from sightline.evaluate.layouts import LAYOUTS

    if data.missing:
        print(
            f"sightline: {len(data.missing)} of {len(data) + len(data.missing)} sequences of {data.name} are not in {root}.",
            file=sys.stderr,
        )
    frames = LAYOUTS[data.name].frames
    odd = [clip for clip in data if frames.get(clip.name, len(clip.frames)) != len(clip.frames)]
    if odd:
        print(
            f"sightline: {len(odd)} sequences have another number of frames than {data.name} is known to have, {odd[0].name} {len(odd[0].frames)} "
            f"instead of {frames[odd[0].name]}; `sightline check` lists them.",
            file=sys.stderr,
        )


def _track(
    tracker: Tracker[Any], data: Dataset, folder: Path, *, maker: Maker, protocol: Protocol[Any, Any], pool: Pool, timed_on: str
) -> Ran:
    """Let the tracker run where it has to, and show how far it is."""
    from sightline.evaluate.run import evaluate

    with sequence_bars(f"{tracker.spec.name} on {data.name}", {clip.name: len(clip.frames) for clip in data}) as (board, done):
        return evaluate(
            tracker,
            data,
            folder,
            maker=maker,
            protocol=protocol,
            pool=pool,
            timed_on=timed_on,
            setting={"machine": machine()},
            report=lambda clip: done(clip.name),
            board=board,
        )


def _told(data: Dataset, maker: Maker, protocol: Protocol[Any, Any], summary: Summary, ran: Ran | None, folder: Path) -> dict[str, Any]:
    """The JSON object."""
    return {
        "tracker": maker.name,
        "dataset": data.name,
        "evaluated": len(summary.sequences),
        "expected": summary.expected,
        **summary.means,
        "protocol": protocol.name,
        "rules": summary.rules if data.scored else f"the boxes of {data.name} are not public: results are written, and nothing is scored",
        "timed_on": list(summary.timed_on),
        "sequences": summary.sequences,
        "gaps": summary.gaps,
        "left_out": {clip.name: clip.dropped for clip in data if clip.dropped},
        "read_as": list(maker.facts.get("read_as", ())),
        "skipped": list(ran.skipped) if ran else [],
        "made": ran.made if ran else {},
        "tracker_hash": summary.tracker_hash,
        "dataset_hash": summary.dataset_hash,
        "results": str(folder),
        "versions": versions(),
    }


def _print_summary(told: Mapping[str, Any], headings: Mapping[str, str]) -> None:
    from rich import box
    from rich.table import Table

    from sightline.cli.console import Tables
    from sightline.evaluate.protocols.one_pass import PLAINEST

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("sequence", no_wrap=True)
    for title in (*headings.values(), "fps", "frames"):
        table.add_column(title, justify="right", no_wrap=True)
    mean = {**told, "frames": sum(row["frames"] for row in told["sequences"].values())}
    for name, row in {**told["sequences"], "mean": mean}.items():
        table.add_row(name, *(_cell(row[key], 4) for key in headings), _cell(row["fps"], 1), str(row["frames"]))
    Tables(100).print(table)
    print(f"{told['tracker']} on {told['dataset']}: {told['evaluated']} of {told['expected']} sequences evaluated.")
    print(f"protocol: {told['protocol']}; rules: {told['rules']}{f' ({PLAINEST})' if told['rules'] == 'sightline' else ''}")
    for note in told["read_as"]:
        print(f"imported: {note}")
    if told["skipped"]:
        print(f"{len(told['skipped'])} were complete already and left alone.")
    for name, reason in told["made"].items():
        if reason != "no result":
            print(f"made again: {name} ({reason})")
    for name, reason in list(told["gaps"].items())[:SHOWN_LINES]:
        print(f"MISSING: {name}: {reason}")
    if len(told["gaps"]) > SHOWN_LINES:
        print(f"MISSING: and {len(told['gaps']) - SHOWN_LINES} more; all are listed in {told['results']}/summary.json")
    if told["left_out"]:
        count = sum(told["left_out"].values())
        print(f"left out: {count} images or rows of {len(told['left_out'])} sequences, which have no partner in the data set")
    if told["p50_ms"] is not None:
        print(f"update: median {told['p50_ms']:.2f} ms, 95 % within {told['p95_ms']:.2f} ms{_where(told)}")
    print(f"timed on: {'; '.join(told['timed_on']) or 'nothing: no times'}")
    if "submission" in told:
        print(f"to submit: {told['submission']}")
    print(f"results: {told['results']} (tracker {told['tracker_hash'][:12]}, data {told['dataset_hash'][:12]})")


def _where(told: Mapping[str, Any]) -> str:
    """Where the time of an update goes, and what decoding adds beside it."""
    if told["network_ms"] is None:
        return ""
    crop, network, post, decode = (told[f"{part}_ms"] for part in ("crop", "network", "post", "decode"))
    return f"; crop {crop:.2f}, network {network:.2f}, the rest {post:.2f}; decoding beside it {decode:.2f} ms"


def _cell(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _gaps_in_a_line(summary: Summary) -> str:
    shown = [f"{name} ({reason})" for name, reason in list(summary.gaps.items())[:SHOWN_GAPS]]
    more = f", and {len(summary.gaps) - SHOWN_GAPS} more" if len(summary.gaps) > SHOWN_GAPS else ""
    return (
        f"{len(summary.gaps)} of {summary.expected} sequences are not evaluated, so there are no means: {'; '.join(shown)}{more}. "
        "Mend them and run the same command again, or add --partial."
    )
