"""The command `sightline`, also as `python -m sightline`."""

import os
import sys

__all__ = ["main"]


def main() -> int:
    """Run it; Ctrl-C while it is being loaded is one line, too.

    Returns:
        As `sightline.cli.main`.
    """
    _mend_streams()
    try:
        from sightline.cli import main as run

        return run()
    except KeyboardInterrupt:
        print("sightline: interrupted.", file=sys.stderr)
        return 130


def _mend_streams() -> None:
    """Let whoever starts a program without an output (`>&-`, a service) hear nothing, and whoever has an output of few signs read the others escaped.

    Paths and names may hold what the output's encoding has no sign for, even bytes that are no text.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115  # until the process ends
        else:
            stream.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    sys.exit(main())
