"""``python -m chaos [--only NAME …] [--quick] [--list] [--markdown]``: faults on real processes, a table, a JSON file.

Exit code 1 when a message was lost, answered twice or left stuck, when a recovery took longer than promised,
or when a fault could not be run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from chaos.fault import Fault, Scene
from chaos.faults import FAULTS
from chaos.house import House
from chaos.tally import Tally, markdown, table

if TYPE_CHECKING:
    from collections.abc import Sequence

RESULTS = Path(__file__).parents[1] / "bench" / "results" / "chaos.json"


async def _run(chosen: Sequence[Fault], folder: Path, *, quick: bool) -> list[Tally]:
    tallies: list[Tally] = []
    numbers = [0]
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asyncio.current_task().cancel)  # type: ignore[union-attr]  # we are in one
    _say("starting Directus, Redis, the receiver, two workers and a model …")
    async with House(folder) as house:
        for fault in chosen:
            began = time.monotonic()
            tally = await Scene(house, fault, numbers, quick=quick).play()
            tallies.append(tally)
            load = os.getloadavg()[0]
            _say(f"{table([tally]).partition(chr(10))[2]}\n  … {time.monotonic() - began:.0f} s, load {load:.1f}")
    return tallies


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the faults; 0 when every promise was kept, 1 when not, 2 for wrong usage."""
    names = [fault.name for fault in FAULTS]
    parser = argparse.ArgumentParser(prog="python -m chaos", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="NAME", help="faults by the beginning of their name")
    parser.add_argument("--quick", action="store_true", help="shorter traffic and outages, and none of 60 s")
    parser.add_argument("--list", action="store_true", help="name the faults")
    parser.add_argument("--markdown", action="store_true", help="print the last results as a table for a page")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="work in this folder and keep logs and databases")
    wanted = parser.parse_args(arguments)
    if wanted.list:
        print("\n".join(names))
        return 0
    if wanted.markdown:
        print(markdown(json.loads(RESULTS.read_text(encoding="utf-8"))))
        return 0
    chosen = [
        fault
        for fault in FAULTS
        if (fault.name.startswith(tuple(wanted.only)) if wanted.only else not (wanted.quick and fault.is_long))
    ]
    if wanted.keep and wanted.keep.exists() and any(wanted.keep.iterdir()):
        parser.error(f"{wanted.keep} is not empty: what an earlier run kept there has other secrets")
    if not chosen:
        parser.error(f"no fault begins so; there are: {', '.join(names)}")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    logging.getLogger("httpx").setLevel(logging.WARNING)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="erleah-chaos-") as temporary:
        folder = wanted.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        tallies = asyncio.run(_run(chosen, folder, quick=wanted.quick))
    _write(tallies, others_stay=bool(wanted.only))
    print(table(tallies))
    load = os.getloadavg()[0]
    _say(f"{time.monotonic() - began:.0f} s on {os.cpu_count()} cores, load {load:.1f}; written to {RESULTS}")
    return 0 if all(tally.is_kept for tally in tallies) else 1


def _write(tallies: Sequence[Tally], *, others_stay: bool) -> None:
    """Write the rows, in the faults' order; a run of some only leaves the others' rows as they were."""
    before = json.loads(RESULTS.read_text(encoding="utf-8")) if others_stay and RESULTS.exists() else []
    rows = {row["fault"]: row for row in before} | {tally.fault: tally.as_json() for tally in tallies}
    in_order = [rows[fault.name] for fault in FAULTS if fault.name in rows]  # what is no fault any more goes
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(in_order, indent=1) + "\n", encoding="utf-8")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
