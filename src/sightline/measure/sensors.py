"""What the system tells of the machine and of this process: the processor's clock, the energy that it has used, memory."""

from __future__ import annotations

from pathlib import Path

__all__ = ["clock_mhz", "energy_joules", "resident_mb", "spent_joules"]


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


def spent_joules(before: float | None, after: float | None) -> float | None:
    """Between two readings of the counter; None where it was not read, or began anew, as it does now and then."""
    return None if before is None or after is None or after < before else after - before


def resident_mb(what: str = "VmRSS") -> float | None:
    """Memory of this process in 2^20 bytes: now, or at most ("VmHWM"); None where the system does not tell."""
    table = Path("/proc/self/status")  # `ru_maxrss` is inherited from the parent on Linux
    if not table.is_file():
        return None
    [line] = [line for line in table.read_text().splitlines() if line.startswith(f"{what}:")]
    return int(line.split()[1]) / 1024
