"""When bootstrap takes the hook's secret out of Directus's memory, and what it says where it cannot."""

from __future__ import annotations

import json as json_codec
from typing import Any

import pytest

from provision.report import Report
from provision.secret_history import FORGETTING_FLOW_ID, SecretHistory
from services.directus_names import ANSWERS_FLOW_ID, MESSAGE_CREATED_FLOW_ID
from services.errors import AccessDeniedError, ServiceUnavailableError


def remembered(value: str, header: str = "X-Erleah-Secret") -> dict[str, Any]:
    """A revision of a step that calls with this header."""
    options = {"options": {"headers": [{"header": header, "value": value}]}}
    return {"collection": "directus_operations", "item": "a-step", "data": options, "delta": options}


class PlayedDirectus:
    """Has revisions and Flows; running a Flow empties the memory, or raises ``breaks``."""

    def __init__(self, *revisions: dict[str, Any], breaks: Exception | None = None, most_flows: int = 5) -> None:
        self.revisions = [{"id": number} | row for number, row in enumerate(revisions, start=1)]
        self.flows: dict[str, dict[str, Any]] = {}
        self.breaks = breaks
        self.most_flows = most_flows
        self.writes: list[tuple[str, str]] = []

    async def request(self, method: str, path: str, *, json: Any = None, params: dict[str, Any] | None = None) -> Any:  # noqa: ANN401 - any JSON
        """Play Directus."""
        if (method, path) == ("GET", "/revisions"):
            after = json_codec.loads((params or {})["filter"])["_and"][0]["id"]["_gt"]
            return [row for row in self.revisions if row["id"] > after][:2]  # an operator's QUERY_LIMIT_MAX
        if (method, path) == ("GET", "/flows"):
            return list(self.flows.values())
        self.writes.append((method, path))
        flow_id = path.rsplit("/", 1)[-1]
        if path == "/operations":
            return json | {"id": json["key"]}
        if path.startswith("/flows/trigger/"):
            if self.breaks is not None:
                raise self.breaks
            self.revisions = [row for row in self.revisions if row["id"] not in json["revisions"]]
        elif path == "/flows":
            self.flows[json["id"]] = dict(json)
        elif method == "DELETE":
            del self.flows[flow_id]
        else:
            active = [row for row in self.flows.values() if row["status"] == "active"]
            if json.get("status") == "active" and len(active) >= self.most_flows:
                raise AccessDeniedError("no more Flows")
            self.flows[flow_id] |= json
        return None


@pytest.mark.parametrize(
    "row",
    [
        remembered("{{$env.DIRECTUS_WEBHOOK_SECRET}}"),
        remembered("--redacted--"),
        remembered("--redacted:DIRECTUS_WEBHOOK_SECRET--"),
        remembered("theirs", header="Authorization"),
        remembered("x") | {"data": None, "delta": None},
    ],
)
async def test_nothing_is_written_where_nothing_is_to_be_forgotten(row: dict[str, Any]) -> None:
    """Templates, values that were taken out, and other headers are no secret of Erleah's."""
    directus, report = PlayedDirectus(row), Report()
    await SecretHistory(directus, report).forget()
    assert (directus.writes, report) == ([], Report())


async def test_every_page_is_looked_at() -> None:
    """However few rows Directus gives at once; the sum is told, unless they are of this very run."""
    rows = [remembered("{{template}}")] * 3 + [remembered("a-secret"), remembered("a-secret", "x-erleah-secret")]
    directus, report = PlayedDirectus(*rows), Report()
    await SecretHistory(directus, report).forget()
    assert report.changed == ["revisions: the hook's secret taken out of 2"]
    assert directus.flows == {}
    directus, report = PlayedDirectus(*rows), Report()
    await SecretHistory(directus, report).forget(of_this_run=True)
    assert (len(directus.revisions), report) == (3, Report())


async def test_what_a_run_that_broke_off_left_behind_is_deleted() -> None:
    """The Flow that forgets is gone after the next run, if there is nothing more to forget."""
    directus = PlayedDirectus()
    directus.flows[FORGETTING_FLOW_ID] = {"id": FORGETTING_FLOW_ID, "status": "active"}
    await SecretHistory(directus, Report()).forget()
    assert directus.flows == {}


@pytest.mark.parametrize("rests", [ANSWERS_FLOW_ID, MESSAGE_CREATED_FLOW_ID])
async def test_where_the_licence_is_full_a_flow_of_erleahs_rests_meanwhile(rests: str) -> None:
    """Rather that of the answers, for which workers have another way; where a step breaks it is woken, too."""
    for breaks in (None, ServiceUnavailableError("directus", "a step broke", status=500)):
        directus, report = PlayedDirectus(remembered("a-secret"), breaks=breaks, most_flows=2), Report()
        for flow_id in {rests, MESSAGE_CREATED_FLOW_ID, "theirs"}:
            directus.flows[flow_id] = {
                "id": flow_id,
                "status": "active" if flow_id in {rests, "theirs"} else "inactive",
            }
        await SecretHistory(directus, report).forget()
        assert [path for method, path in directus.writes if method == "PATCH"].count(f"/flows/{rests}") == 2
        assert (directus.flows[rests]["status"], directus.flows["theirs"]["status"]) == ("active", "active")
        assert FORGETTING_FLOW_ID not in directus.flows
        assert bool(report.problems) is bool(breaks)


async def test_where_it_cannot_be_forgotten_the_rest_goes_on_and_the_report_says_so() -> None:
    """Once, however often it is tried: a full licence without a Flow of Erleah's, or a step that breaks."""
    full = PlayedDirectus(remembered("a-secret"), most_flows=0)
    broken = PlayedDirectus(remembered("a-secret"), breaks=ServiceUnavailableError("directus", "broke", status=500))
    for directus in (full, broken):
        report = Report()
        history = SecretHistory(directus, report)
        await history.forget()
        await history.forget(of_this_run=True)
        (problem,) = report.problems
        assert problem.startswith("The hook's secret can be read in the revisions of the Flows (directus_revisions): ")
        assert "a-secret" not in problem
        assert directus.flows == {}


async def test_a_directus_that_is_away_is_told_as_that() -> None:
    """The next run begins where this one stopped."""
    directus = PlayedDirectus(remembered("a-secret"), breaks=ServiceUnavailableError("directus", "away"))
    with pytest.raises(ServiceUnavailableError):
        await SecretHistory(directus, Report()).forget()
