"""A scene takes a fault's own measurements for its recovery, and says what was broken, once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from chaos.fault import Fault, Scene

if TYPE_CHECKING:
    from chaos.house import House


class HouseOfTest:
    """A house in which nothing happens."""

    async def mend(self) -> None:
        """Nothing is broken."""

    async def calls(self, *, forget: bool = False) -> list[dict[str, Any]]:
        del forget
        return []


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chaos.fault._QUIET_WITHIN_S", 0.0)


async def play(strike: Any) -> Any:  # noqa: ANN401 - a fault's function, and a tally
    return await Scene(cast("House", HouseOfTest()), Fault("a fault", strike, promised_s=1.0), [0], quick=False).play()


async def test_what_a_fault_measured_is_its_recovery() -> None:
    async def strike(scene: Scene) -> None:
        scene.measured += [0.2, 1.104, 0.7]
        scene.injected()

    tally = await play(strike)
    assert tally.longest_recovery_s == 1.1
    assert not tally.is_kept


async def test_a_promise_that_is_broken_many_times_is_said_once() -> None:
    async def strike(scene: Scene) -> None:
        for _ in range(3):
            scene.broken("it was")

    assert (await play(strike)).broken == ["it was"]


async def test_a_fault_that_fails_says_what_failed_first() -> None:
    """Not that several did."""

    async def strike(_: Scene) -> None:
        raise ExceptionGroup("two", [ExceptionGroup("one", [ValueError("no such row")]), OSError("gone")])

    assert (await play(strike)).broken == ["could not be played: ValueError: no such row"]
