"""The command `sightline`: one file per sub-command; each imports its work when it runs, so that help is instant."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from typing import TextIO

from sightline import __version__
from sightline.cli import (
    ablate,
    batch,
    bench,
    check,
    convert,
    doctor,
    download,
    eval,  # noqa: A004  named after its command
    export,
    quantize,
    report,
    scene,
    similarity,
    track,
    train,
    trax,
    zoo,
)
from sightline.cli.parse import Command, parse
from sightline.errors import LittleChecked, SightlineError

__all__ = ["COMMANDS", "main"]

COMMANDS: dict[str, Command] = {
    "track": track.track,
    "batch": batch.batch,
    "zoo": zoo.zoo,
    "doctor": doctor.doctor,
    "download": download.download,
    "convert": convert.convert,
    "export": export.export,
    "quantize": quantize.quantize,
    "train": train.train,
    "check": check.check,
    "eval": eval.evaluate,
    "trax": trax.trax,
    "bench": bench.bench,
    "report": report.report,
    "ablate": ablate.ablate,
    "similarity": similarity.similarity,
    "scene": scene.scene,
}

DESCRIPTION = """Follow one object through a video, on an ordinary CPU.

Example: sightline track street.mp4 --box 120,80,40,60 --output tracked.mp4

sightline COMMAND --help explains a command, sightline --version says which version this is."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: words after the program's name; those of this process where None.

    Returns:
        Exit code: 0 done, 1 `doctor` found something ill, 2 the input was wrong (one line on standard error says what),
        130 interrupted by Ctrl-C, 141 whoever read the output has gone. An exception that passes is a bug of Sightline.
    """
    arguments = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    if arguments and arguments[0] in ("--version", "-V"):
        print(f"sightline {__version__}")
        return 0
    try:
        with _warnings_in_lines():
            code = parse(COMMANDS, arguments, description=DESCRIPTION)() or 0
        sys.stdout.flush()
        return code
    except SystemExit as stop:  # help was printed
        return stop.code if isinstance(stop.code, int) else 0
    except SightlineError as error:
        _let_output_go()
        print(f"sightline: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # `sightline zoo | head`
        _let_output_go()
        return 141
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.ENAMETOOLONG):
            raise
        _let_output_go()  # it may be what has no room, as in `sightline zoo > list.txt` on a full disk
        what = "nothing more can be written" if error.filename is None else str(error.filename)
        print(f"sightline: error: {what} ({error.strerror}); make room, or choose another name.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("sightline: interrupted.", file=sys.stderr)
        return 130


def _let_output_go() -> None:
    """Write what has not been written yet, or drop it where the output takes no more: Python would complain at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextlib.contextmanager
def _warnings_in_lines() -> Iterator[None]:
    """What Sightline warns of is a line like its errors, whatever filters there are; warnings of others are shown as they always are."""
    with warnings.catch_warnings():
        as_ever = warnings.showwarning

        def show(
            message: Warning | str, category: type[Warning], filename: str, lineno: int, file: TextIO | None = None, line: str | None = None
        ) -> None:
            if issubclass(category, SightlineError):
                print(f"sightline: warning: {message}", file=sys.stderr)
            else:
                as_ever(message, category, filename, lineno, file, line)

        warnings.simplefilter("default", LittleChecked)
        warnings.showwarning = show
        yield
