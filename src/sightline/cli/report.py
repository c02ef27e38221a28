"""`sightline report`: finished results of several trackers beside each other."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from sightline.cli.arguments import Flag, check_folder, optional
from sightline.cli.extras import needing
from sightline.errors import SightlineError

__all__ = ["report"]


def report(
    results: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="RESULTS_DIR...", help_behavior_hint="")],
    /,
    *,
    dataset: Annotated[str, tyro.conf.arg(metavar="NAME")],
    root: Annotated[Path, tyro.conf.arg(metavar="DIR")],
    output: Annotated[Path, tyro.conf.arg(metavar="DIR", aliases=["-o"])],
    rules: Annotated[str | None, optional("NAME")] = None,
    partial: Flag = False,
    page_mb: Annotated[float, tyro.conf.arg(metavar="MB")] = 20.0,
) -> None:
    """Compare trackers: tables, plots, and a page that plays the sequences with everybody's boxes.

    Reads what `sightline eval` wrote and runs nothing. Writes report.html (one file, opens anywhere), report.md, report.json, tables as
    markdown, csv and LaTeX, plots as svg, pdf and png. All trackers are compared over the same sequences; a missing
    or changed result is an error, and exit code 2.

    Example: sightline report results/folder --dataset folder --root sequences --output report

    Args:
        results: folders of results, one tracker each, or a folder of such folders.
        dataset: what the results are of, as for `sightline eval`.
        root: the folder that the data set was unpacked to.
        output: folder for the report.
        rules: whose way of counting to use, as for `sightline eval`; what most papers on the data set use where not given.
        partial: leave out sequences that some tracker has no whole result of, and say so in the report.
        page_mb: how much of the pictures the page may hold, in megabytes.
    """
    if not results:
        raise SightlineError("no folder of results is given; expected one or more, as in `sightline report results/folder ...`.")
    if page_mb < 0:
        raise SightlineError(f"--page-mb is {page_mb:g}; expected 0 (no pictures) or more.")
    check_folder(output, "--output")
    from sightline.evaluate.clips import open_dataset
    from sightline.evaluate.published import published_on
    from sightline.evaluate.report.compare import compare, result_folders
    from sightline.evaluate.report.page import Limits
    from sightline.evaluate.report.write import write_report

    data = open_dataset(dataset, root)
    comparison = compare(data, result_folders(results), partial=partial, rules=rules)
    with needing("plots", "a report"):
        trackers = {entry.tracker for entry in comparison.entries}
        files = write_report(comparison, output, published=published_on(data.name, trackers), limits=Limits(size=round(page_mb * 1e6)))
    for label, gaps in comparison.gaps.items():
        for name, reason in gaps.items():
            print(f"LEFT OUT: {name}: {label}: {reason}")
    trackers_told = f"{len(comparison.entries)} tracker{'s' * (len(comparison.entries) != 1)}"
    print(f"{trackers_told} on {len(comparison.clips)} of {comparison.expected} sequences of {comparison.dataset}.")
    print(f"rules: {comparison.rules.name}")
    for entry in comparison.entries:
        print(f"{entry.means['auc'] or 0:.4f}  {entry.label}")
    print(f"written: {files[0]} ({files[0].stat().st_size / 1e6:.1f} MB) and {len(files) - 1} other files")
