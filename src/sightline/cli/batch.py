"""`sightline batch`: follow objects through many videos."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from sightline.builtin import DEFAULT
from sightline.cli.arguments import Device, Json, check_folder, optional
from sightline.cli.environment import versions
from sightline.cli.extras import needing
from sightline.cli.pools import check_numbers, choose_pool
from sightline.cli.progress import progress_bar
from sightline.cli.ready import make_ready
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.batch import Job

__all__ = ["batch"]

SHOWN = 5  # of the videos that failed; all are printed above


def batch(
    jobs: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="LIST")],
    /,
    *,
    output: Annotated[Path, tyro.conf.arg(metavar="DIR", aliases=["-o"])],
    tracker: Annotated[str, tyro.conf.arg(metavar="NAME|PATH")] = DEFAULT,
    workers: Annotated[int | None, optional("N")] = None,
    ray: Annotated[str | None, optional("ADDRESS")] = None,
    threads: Annotated[int, tyro.conf.arg(metavar="N")] = 1,
    engine: Annotated[str | None, optional("NAME")] = None,
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Follow objects through many videos, and write their tracks as a folder of Parquet files: one table for pandas, DuckDB or Spark.

    The list is a .csv file with the columns source,x,y,w,h (start,target too, where wanted) or a .jsonl file with those keys; rows of the same source are
    several targets in one video. Videos that are complete are left alone when the command is run again, one that cannot be read is listed
    and the others go on; then the exit code is 2. Needs pyarrow: pip install 'sightline[parquet]'.

    Example: sightline batch videos.csv --output tracks --workers 2

    Args:
        jobs: the list of videos, with the box of each target in its first frame.
        output: folder for the tracks, one file for each video.
        tracker: a name from `sightline zoo`, or the path of a weights file.
        workers: processes, each with one video at a time. One where not given.
        ray: spread the videos over a Ray cluster whose machines all see them and --output: "host:port", "auto" for the one that `ray start --head` started
            here, "local" for one of this command's own. As many processes as it has processors, or --workers.
        threads: processor threads of each process.
        engine: what runs the network, see `sightline doctor`; chosen by the kind of weights file where not given.
        device: where the network runs, as for `sightline track`.
        as_json: print one JSON object about the run on standard output, and nothing else there.
    """
    check_numbers(workers, threads)
    check_folder(output, "--output")
    with needing("parquet", "sightline batch"):
        from sightline.batch import read_jobs, run

    videos, folder = read_jobs(jobs), output.resolve()
    loaded, maker, prepare = make_ready(tracker, threads=threads, engine=engine, device=device)
    folder.mkdir(parents=True, exist_ok=True)
    pool = choose_pool(workers, ray, prepare, written=folder)
    with progress_bar() as bar:
        task = bar.add_task("videos", total=len(videos))

        def advance(job: Job) -> None:
            bar.update(task, advance=1, description=Path(job.source).name)

        done = run(videos, folder, tracker=loaded, made_by=maker.digest(), pool=pool, report=advance)
    if as_json:
        told = {"tracker": maker.name, "videos": len(videos), "made": done.made, "skipped": done.skipped, "failed": done.failed}
        print(json.dumps({**told, "output": str(output), "versions": versions()}))
    else:
        print(f"{maker.name} followed {sum(done.made.values())} frames of {len(done.made)} of {len(videos)} videos.")
        if done.skipped:
            print(f"{len(done.skipped)} were complete already and left alone.")
        for source, reason in done.failed.items():
            print(f"FAILED: {source}: {reason}")
        print(f"tracks: {output}")
    if done.failed:
        names = ", ".join(Path(source).name for source in list(done.failed)[:SHOWN])
        more = f" and {len(done.failed) - SHOWN} more" if len(done.failed) > SHOWN else ""
        raise SightlineError(f"{len(done.failed)} of {len(videos)} videos failed: {names}{more}. Mend them and run the same command again.")
