"""`sightline download`: weights that lie at a public address, fetched, checked and made ready to track with."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from sightline.cli.arguments import Flag
from sightline.cli.extras import needing

if TYPE_CHECKING:
    from sightline.spec import Spec

__all__ = ["download"]


def download(
    tracker: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME")],
    /,
    *,
    offline: Flag = False,
) -> None:
    """Fetch a tracker's weights, check them, and make them ready to track with.

    The authors' file is fetched once, held against its sha256, and converted and exported into the cache folder
    ($SIGHTLINE_CACHE, else ~/.cache/sightline); after that `--tracker NAME` is enough, without a network. Converting needs
    torch: pip install 'sightline[convert]'. Files on Google Drive and the like cannot be fetched: then it says where the
    authors publish them, and what to run.

    Example: sightline download nanotrack-v2

    Args:
        tracker: a name from `sightline zoo`.
        offline: do not use the network: prepare it from the file in the cache.
    """
    from sightline import zoo
    from sightline.weights import builtin_names, cache_folder

    if tracker in builtin_names():
        print(f"{tracker} is in the package: there is nothing to fetch.")
        return
    spec = zoo.find(tracker)
    file = _fetch(spec, offline=offline)
    print(f"{file} ({file.stat().st_size / 1e6:.1f} MB, sha256 as expected)")
    with needing("convert", f"{file} is here; to make it ready"):
        from sightline.models import checkpoint, export
    weights = cache_folder() / f"{tracker}.safetensors"
    checkpoint.convert(file, tracker, weights)
    graphs = export.export(weights, weights.with_suffix(".onnx"))
    for path in (weights, *graphs):
        print(f"{path} ({path.stat().st_size / 1e6:.1f} MB)")
    print(f"Ready: sightline track VIDEO --box X,Y,W,H --tracker {tracker}")


def _fetch(spec: Spec, *, offline: bool) -> Path:
    """The authors' file, with a bar on a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    from sightline.download import fetch

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(spec.name, total=None)
        return fetch(spec, offline=offline, told=lambda done, total: bar.update(task, completed=done, total=total))
