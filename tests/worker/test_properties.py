"""The promises as invariants: whatever fails at whatever moment, in whatever order things are delivered.

Each case is a small installation under a draw of faults, run in virtual time to its end: first the
faults, then a quiet time in which the sweep and the queue put right what is left. How many cases is
hypothesis's profile: ``default`` 500, ``nightly`` 10,000 (``make test-nightly``).
"""

from __future__ import annotations

import random

import pytest
import structlog
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st

from tests.worker.fault_story import ACTS, TAGS, Asked, Befalls, Case, DoneLate, Story
from tests.worker.fault_verdict import Verdict
from tests.worker.fault_world import World
from tests.worker.virtual_time import Clock, run_in_virtual_time

pytestmark = pytest.mark.thorough

moments = st.integers(0, 100).map(lambda tenth: tenth / 10)
model_faults = st.tuples(st.sampled_from(("busy", "broken", "refused", "stall")), st.integers(0, 12))
asked = st.builds(
    Asked,
    conversation=st.integers(0, 1),
    at=moments,
    hook_after=st.one_of(st.none(), st.sampled_from((0.0, 0.0, 0.05, 0.3, 2.0))),
    faults=st.lists(model_faults, max_size=3).map(tuple),
)
befalls = st.builds(
    Befalls,
    at=st.integers(0, 1100).map(lambda hundredth: hundredth / 100),
    what=st.sampled_from(ACTS),
    which=st.integers(0, 5),
    size=st.sampled_from((0.1, 0.5, 1.0, 3.0, 6.0, 12.0)),
)
late = st.builds(
    DoneLate,
    at=st.integers(0, 1100).map(lambda hundredth: hundredth / 100),
    times=st.integers(1, 3),
    after_s=st.sampled_from((0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 25.0, 55.0)),
    makes_rows=st.sampled_from((False, False, False, True)),
)


def cases(workers: st.SearchStrategy[int]) -> st.SearchStrategy[Case]:
    return st.builds(
        Case,
        seed=st.integers(0, 2**32),
        workers=workers,
        asked=st.lists(asked, min_size=1, max_size=4).map(tuple),
        befalls=st.lists(befalls, max_size=5).map(tuple),
        late=st.lists(late, max_size=2).map(tuple),
    )


half = settings(
    max_examples=settings.default.max_examples // 2 if settings.default else 250,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
"""Half of the profile's cases for one worker alone, half for several (the two run beside each other)."""


@half
@given(case=cases(st.just(1)))
@example(
    # An answer's first turn gave a write up, and it came 13 s behind the last one of the turn that wrote it anew.
    case=Case(
        seed=15546026,
        workers=1,
        asked=(Asked(conversation=1, at=1.4, hook_after=0.0),),
        befalls=(
            Befalls(at=2.76, what="regenerate", which=0, size=0.1),
            Befalls(at=2.85, what="direct", which=2, size=3.0),
            Befalls(at=5.9, what="regenerate", which=0, size=6.0),
        ),
        late=(DoneLate(at=3.94, times=1, after_s=25.0),),
    )
)
@example(
    # An answer is stopped that covers two questions, and its mark was given up: the earlier one was answered by itself.
    case=Case(
        seed=0,
        workers=1,
        asked=(
            Asked(conversation=0, at=0.3, hook_after=None),
            Asked(conversation=0, at=9.8, hook_after=0.0),
            Asked(conversation=1, at=0.9, hook_after=0.3, faults=(("refused", 4), ("stall", 6))),
        ),
        befalls=(Befalls(at=3.25, what="stop by flag", which=4, size=0.5),),
        late=(DoneLate(at=8.72, times=1, after_s=10.0),),
    )
)
@example(
    # The only worker is away for longer than the line holds, with an answer on the screen, and the visitor asks again.
    case=Case(
        seed=1,
        workers=1,
        asked=(Asked(0, 1.0, 0.0), Asked(0, 3.0, 0.05)),
        befalls=(Befalls(1.6, "kill", 0, 12.0),),
    )
)
def test_one_worker_keeps_every_promise_whatever_befalls(case: Case) -> None:
    """Every message gets exactly one whole answer, in order, never revived, never left streaming."""
    run(case)


@half
@given(case=cases(st.integers(2, 3)))
@example(
    # Found by the nightly run: cut off from Redis, a worker writes once more right behind the winner's last write.
    case=Case(
        seed=15,
        workers=3,
        asked=(
            Asked(conversation=0, at=1.2, hook_after=0.05, faults=(("stall", 0),)),
            Asked(conversation=0, at=7.1, hook_after=None, faults=()),
            Asked(conversation=0, at=6.0, hook_after=None, faults=()),
            Asked(conversation=0, at=6.8, hook_after=None, faults=()),
        ),
        befalls=(
            Befalls(at=7.17, what="redeliver", which=0, size=0.1),
            Befalls(at=2.68, what="redis away for one", which=1, size=6.0),
        ),
    )
)
@example(
    # An attempt's last write comes when another goes on: the rows look ended while that one writes on.
    case=Case(
        seed=842,
        workers=2,
        asked=(Asked(conversation=0, at=9.0, hook_after=0.0, faults=(("busy", 5), ("busy", 1))),),
        befalls=(
            Befalls(at=0.17, what="pause", which=0, size=12.0),
            Befalls(at=9.77, what="pause", which=1, size=12.0),
        ),
    )
)
@example(
    # Each attempt at a stop is given up and done late: the last one's row knew of none of them, nor did its seq.
    case=Case(
        seed=204153,
        workers=3,
        asked=(Asked(conversation=0, at=0.0, hook_after=None, faults=(("stall", 1), ("busy", 1))),),
        befalls=(Befalls(at=0.0, what="stop by flag", which=0, size=0.1),),
        late=(DoneLate(at=0.0, times=2, after_s=5.0), DoneLate(at=0.0, times=2, after_s=5.0)),
    )
)
@example(
    # Directus is away for longer than the line holds, as two questions come: the first was answered twice.
    case=Case(
        seed=7,
        workers=2,
        asked=(Asked(0, 1.0, 0.0), Asked(0, 1.05, 0.0)),
        befalls=(Befalls(1.07, "directus away", 0, 11.0),),
    )
)
@example(
    # A creation arrives from a worker that stood still, for a question that another one's answer covers by then.
    case=Case(
        seed=4,
        workers=2,
        asked=(Asked(0, 1.0, 0.0), Asked(0, 4.3, 0.0)),
        befalls=(Befalls(1.09, "pause", 0, 3.0),),
    )
)
@example(
    # Redis is emptied as a covering answer has just begun to show, and the covered message is reported again at once.
    case=Case(
        seed=5,
        workers=2,
        asked=(Asked(0, 1.0, None), Asked(0, 1.05, 0.0)),
        befalls=(Befalls(1.9, "redis emptied", 0, 0.1), Befalls(1.91, "redeliver", 0, 0.1)),
    )
)
@example(
    # The same before it shows: the covered message's turn has the line, and neither finds a row of the other's.
    case=Case(
        seed=135,
        workers=2,
        asked=(Asked(0, 1.0, None), Asked(0, 1.05, 0.0)),
        befalls=(Befalls(1.75, "redis emptied", 0, 0.1), Befalls(1.76, "redeliver", 0, 0.1)),
    )
)
@example(
    # And where that turn has come and gone before the covering one shows anything: the line was nobody's for a moment.
    case=Case(
        seed=2,
        workers=2,
        asked=(Asked(0, 1.0, None), Asked(0, 1.05, 0.0)),
        befalls=(Befalls(1.75, "redis emptied", 0, 0.1), Befalls(1.76, "redeliver", 0, 0.1)),
    )
)
@example(
    # A stop's write is unheard, its turn read again, and then the last text comes late, and that write too.
    case=Case(
        seed=14355105,
        workers=2,
        asked=(Asked(0, 6.4, 0.0),),
        befalls=(Befalls(0.0, "redeliver", 0, 0.1), Befalls(0.42, "stop by flag", 0, 0.1)),
        late=(DoneLate(0.0, 1, 0.2, makes_rows=False), DoneLate(0.0, 3, 2.0, makes_rows=False)),
    )
)
def test_several_workers_keep_every_promise_whatever_befalls(case: Case) -> None:
    """Every message gets exactly one whole answer also where workers die, part and take each other's turns up."""
    run(case)


def run(case: Case) -> None:
    """Let a case unfold and hold its end to the promises."""
    for each in case.befalls:
        event(each.what)
    for one in case.late:
        event(f"{one.times} writes done {one.after_s} s late")
    clock = Clock()
    random.seed(case.seed)  # back-off has its jitter from there

    async def main() -> None:
        faults = {f"{TAGS[number]}?": list(one.faults) for number, one in enumerate(case.asked)}
        story = Story(case, clock, World(case.seed, faults))
        try:
            await story.unfold()
        finally:
            await story.world.close()
        Verdict(story).pronounce()

    with structlog.testing.capture_logs() as lines:
        run_in_virtual_time(main(), clock)
    assert not [line for line in lines if line.get("exc_info")], "something failed that nobody had thought of"
