"""From words on the command line to a command that is ready to run; what is wrong with them becomes one line."""

from __future__ import annotations

import contextlib
import difflib
import functools
import inspect
import io
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, get_type_hints

import tyro

from sightline.errors import SightlineError

__all__ = ["Command", "parse"]

Command: TypeAlias = Callable[..., "int | None"]  # returns its exit code; None is 0


def parse(commands: Mapping[str, Command], arguments: Sequence[str], *, description: str) -> Callable[[], int | None]:
    """The command that `arguments` ask for, with its options bound and not yet run.

    Raises:
        SightlineError: the words make no sense; the message is one line.
        SystemExit: help was asked for, and printed.
    """
    first = arguments[0] if arguments else "--help"
    name = first if first in commands else None
    if name is None and not first.startswith("-"):
        close = difflib.get_close_matches(first, commands, n=2)
        hint = f"perhaps you meant {' or '.join(close)}" if close else f"expected one of {', '.join(commands)}"
        raise SightlineError(f"there is no command {first!r}: {hint}. See `sightline --help`.")
    prog = f"sightline {name}" if name else "sightline"
    errors = io.StringIO()
    ready: Any
    try:
        with contextlib.redirect_stderr(errors):
            if name:
                ready = tyro.cli(_bind(commands[name]), prog=prog, args=arguments[1:], config=(tyro.conf.FlagCreatePairsOff,))
            else:  # the help of all commands, or an error: the first word is none of them
                overview = {other: _first_line(command) for other, command in commands.items()}
                ready = tyro.extras.subcommand_cli_from_dict(overview, prog=prog, args=arguments, description=description)
    except SystemExit as stop:
        if not stop.code:
            raise
        told = _line_from_box(errors.getvalue())
        apart = re.match(r"Unrecognized options: ([-+.\d]+(?:, [-+.\d]+)*)\.", told)
        hint = " Numbers that belong together have commas between them and no spaces, as in --box 120,80,40,60." if apart else ""
        raise SightlineError(f"{told}{hint} See `{prog} --help`.") from None
    sys.stderr.write(errors.getvalue())
    bound: Callable[[], int | None] = ready
    return bound


def _bind(command: Command) -> Callable[..., Callable[[], int | None]]:
    """A function with the same options which does nothing yet: parsing ends before the work begins."""

    @functools.wraps(command)
    def bind(*values: object, **options: object) -> Callable[[], int | None]:
        return functools.partial(command, *values, **options)

    del bind.__dict__["__wrapped__"]  # the one whose description would be taken
    bind.__dict__["__signature__"] = inspect.signature(command)
    bind.__annotations__ = get_type_hints(command, include_extras=True)
    bind.__doc__ = re.sub(r"\n {8,}(?=\S)", " ", inspect.cleandoc(command.__doc__ or ""))  # help breaks its lines itself
    return bind


def _first_line(command: Command) -> Command:
    """A stand-in for a command in the list of all: the first line of its description and no options."""

    def stand_in() -> None: ...

    stand_in.__doc__ = (command.__doc__ or "").partition("\n")[0]
    return stand_in


def _line_from_box(text: str) -> str:
    """What tyro says in a box (framed, or with rules of ASCII) as one line: neither its title nor the descriptions of options."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text).replace("│", " ")
    rows = [row[2:].rstrip() for row in plain.splitlines() if row.startswith("  ")]  # titles have one space before them
    sections: list[list[str]] = [[]]
    for row in rows:
        if row and set(row) <= {"─", "-"}:
            sections.append([])
        elif not row.startswith(" " * 8):
            sections[-1].append(row)
    told = [" ".join(" ".join(section).split()) for section in sections]
    value = re.match(r"Error parsing (\S+): (?:no type matching .* could be instantiated from \[(.*?)\]|.*: ('.*'))", told[0])
    if value:
        return f"{value[1]} cannot be {value[2] or value[3]}."
    kept = [part for part in told if part and not part.startswith(("For full helptext", "Argument helptext"))]
    return " ".join(part if part.endswith(".") else f"{part}." for part in kept or [" ".join(plain.split())])
