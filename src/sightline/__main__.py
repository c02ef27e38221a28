"""The command `sightline`, also as `python -m sightline`."""

import sys

__all__ = ["main"]


def main() -> int:
    """Run it; Ctrl-C while it is being loaded is one line, too.

    Returns:
        As `sightline.cli.main`.
    """
    try:
        from sightline.cli import main as run

        return run()
    except KeyboardInterrupt:
        print("sightline: interrupted.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
