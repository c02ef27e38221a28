"""How fast trackers are, and beside what: times in turns, the machine's own ceilings, start-up and memory, where a frame's time goes.

A speed means nothing without engine, precision, threads and hardware, and little without something measured beside it in the same run:
`race` lets candidates take turns and gives ratios within each round. Nothing here sets the number of threads of a library; candidates do
that themselves when their turn comes (`Candidate.prepare`).
"""

from __future__ import annotations
