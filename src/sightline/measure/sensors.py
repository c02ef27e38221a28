"""What the system tells of the processor: its clock, and the energy that it has used."""

from __future__ import annotations

from pathlib import Path

__all__ = ["clock_mhz", "energy_joules"]


def clock_mhz() -> float | None:
    """The mean clock of all cores as the system tells it now; None where it does not."""
    table = Path("/proc/cpuinfo")
    if not table.is_file():
        return None
    told = [float(line.partition(":")[2]) for line in table.read_text().splitlines() if line.startswith("cpu MHz")]
    return sum(told) / len(told) if told else None


def energy_joules() -> float | None:
    """A counter of the energy that the processor has used; None where it cannot be read."""
    try:
        told = [int(path.read_text()) for path in Path("/sys/class/powercap").glob("intel-rapl:?/energy_uj")]
    except OSError:
        return None
    return sum(told) / 1e6 if told else None
