"""`sightline similarity`: how alike two networks see the same pictures."""

from __future__ import annotations

import csv
import io
import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from sightline.cli.arguments import check_suffix, optional
from sightline.cli.extras import needing
from sightline.errors import BadData, SightlineError

if TYPE_CHECKING:
    from sightline.train.similarity import Example, Similarity

__all__ = ["similarity"]

SUFFIXES = (".csv", ".md", ".png", ".svg", ".pdf")


def similarity(
    first: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="A")],
    second: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="B")],
    /,
    *,
    root: Annotated[Path, tyro.conf.arg(metavar="DIR")],
    dataset: Annotated[str, tyro.conf.arg(metavar="NAME")] = "folder",
    pairs: Annotated[int, tyro.conf.arg(metavar="N")] = 64,
    gap: Annotated[int, tyro.conf.arg(metavar="FRAMES")] = 5,
    layers: Annotated[str | None, optional("PATTERN")] = None,
    output: Annotated[tuple[Path, ...], optional("FILE [FILE ...]", "-o")] = (),
) -> None:
    """Compare two networks layer by layer (linear CKA) while both follow the same targets through the same pairs of frames.

    1 means that two layers say the same up to rotation and scale, 0 that they have nothing in common. Needs torch: pip install 'sightline[convert]'.

    Example: sightline similarity before.safetensors after.safetensors --root sequences --output cka.csv cka.png

    Args:
        first: a weights file for torch (.safetensors, or its authors' own), or a name from the zoo (random weights, if it has none here).
        second: likewise, of the same family or another.
        root: the folder of sequences that the pairs of frames are taken from.
        dataset: its layout, as for `sightline eval`.
        pairs: how many, spread evenly over sequences and time; 4 or more.
        gap: frames from the one where the target is marked to the one where it is looked for.
        layers: a regular expression for whole names of modules; all blocks or stages where not given.
        output: write the table (.csv, .md) or the heat map (.png, .svg, .pdf; extra `plots`) here; several files with blanks.
    """
    for path in output:
        check_suffix(path, SUFFIXES, "--output")
    if pairs < 1 or gap < 1:
        raise SightlineError(f"--pairs {pairs}, --gap {gap}: expected at least 1 of both.")
    with needing("convert", "comparing networks"):
        from sightline.cli.loading import load_by_name
        from sightline.train.similarity import similarity as compare

        trackers = [load_by_name(name, engine="torch", threads=None).tracker for name in (first, second)]
        found = compare(trackers[0].method, trackers[1].method, _examples(dataset, root, pairs, gap), pattern=layers)
    _print(found)
    for path in output:
        _write(found, path, titles=(first, second))


def _examples(dataset: str, root: Path, pairs: int, gap: int) -> list[Example]:
    """Pairs of frames in which the target is seen, one sequence after the other, from all parts of each."""
    from sightline.box import Box
    from sightline.evaluate.clips import open_dataset
    from sightline.frame import read
    from sightline.train.similarity import Example

    clips = list(open_dataset(dataset, root))
    share = -(-pairs // len(clips))
    places = []
    for clip in clips:
        seen = [i for i in range(len(clip.frames) - gap) if clip.visible[i] and clip.visible[i + gap]]
        places.append([(clip, seen[(2 * k + 1) * len(seen) // (2 * share)]) for k in range(share if seen else 0)])
    chosen = [place for row in itertools.zip_longest(*places) for place in row if place is not None][:pairs]
    if not chosen:
        raise BadData(f"no sequence under {root} shows its target in two frames that lie {gap} apart; choose a smaller --gap.")
    examples = []
    for clip, i in chosen:
        frames = [next(iter(read(clip.frames[k]))) for k in (i, i + gap)]
        examples.append(Example(frames[0], Box(*clip.truth[i].tolist()), frames[1]))
    return examples


def _print(found: Similarity) -> None:
    """Each layer beside the one of the other network that is most like it, and beside its namesake."""
    from rich import box
    from rich.table import Table

    from sightline.cli.console import Tables

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("layer of A", "same name in B", "most alike in B", "CKA"):
        table.add_column(title, justify="left" if "layer" in title or "most" in title else "right", no_wrap=True)
    for name, row in zip(found.rows, found.values, strict=True):
        same = f"{row[found.columns.index(name)]:.3f}" if name in found.columns else "-"
        best = max(range(len(row)), key=lambda i: row[i] if row[i] == row[i] else -1.0)  # NaN is no match
        table.add_row(name, same, found.columns[best], f"{row[best]:.3f}")
    Tables().print(table)


def _write(found: Similarity, path: Path, titles: tuple[str, str]) -> None:
    from sightline.weights import write_whole

    if path.suffix == ".csv":
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["layer", *found.columns])
        writer.writerows([name, *(f"{value:.6f}" for value in row)] for name, row in zip(found.rows, found.values, strict=True))
        content = text.getvalue().encode()
    elif path.suffix == ".md":
        rows = [f"| {name} | {' | '.join(f'{value:.3f}' for value in row)} |" for name, row in zip(found.rows, found.values, strict=True)]
        content = "\n".join([f"| | {' | '.join(found.columns)} |", "|---" * (len(found.columns) + 1) + "|", *rows, ""]).encode()
    else:
        with needing("plots", "a heat map"):
            content = _drawn(found, path.suffix.removeprefix("."), titles)
    write_whole({path: content})
    print(f"written: {path}")


def _drawn(found: Similarity, kind: str, titles: tuple[str, str]) -> bytes:
    """A heat map, the first layers at the lower left."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2.5 + 0.32 * len(found.columns), 2.0 + 0.32 * len(found.rows)), layout="constrained")
    axes: Any = figure.add_subplot()
    drawn = axes.imshow(found.values, origin="lower", vmin=0.0, vmax=1.0, cmap="magma")
    axes.set_xticks(range(len(found.columns)), found.columns, rotation=90, fontsize=7)
    axes.set_yticks(range(len(found.rows)), found.rows, fontsize=7)
    axes.set_xlabel(Path(titles[1]).name)
    axes.set_ylabel(Path(titles[0]).name)
    figure.colorbar(drawn, label="linear CKA", shrink=0.8)
    content = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "sightline"}):
        figure.savefig(content, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else None)
    return content.getvalue()
