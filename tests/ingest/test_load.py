"""The loader on the stand-in: what it writes, what it leaves out, what it says of both."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

import pytest

from ingest.load import load_folder
from ingest.load_report import Counts, LoadReport
from services.errors import AccessDeniedError, InvalidInputError, ServiceRejectedError, ServiceUnavailableError
from standins.directus import DirectusStandIn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from services.directus.client import Directus

SAMPLE = Path(__file__).parents[2] / "cli" / "demo_data"


def key(name: str) -> str:
    return str(uuid5(UUID(int=0), name))


CONFERENCE: dict[str, Any] = {"id": key("conference"), "name": "Conf", "timezone": "Europe/Prague"}


def session(name: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any column
    return {"id": key(name), "conference_id": CONFERENCE["id"], "title": name} | fields


def speaker(name: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any column
    return {"id": key(name), "conference_id": CONFERENCE["id"], "name": name} | fields


class Folder:
    """A folder of data files; what a test doesn't name is an empty list."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.write()

    def write(self, **files: object) -> None:
        defaults: dict[str, object] = {"conference": CONFERENCE, "sessions": [], "speakers": [], "exhibitors": []}
        for name, content in (defaults | files).items():
            target = self.path / f"{name}.json"
            if isinstance(content, (str, bytes)):
                target.write_bytes(content.encode() if isinstance(content, str) else content)
            else:
                target.write_text(json.dumps(content), encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.fixture
def standin() -> DirectusStandIn:
    return DirectusStandIn()


@pytest.fixture
async def directus(standin: DirectusStandIn) -> AsyncIterator[Directus]:
    async with standin.directus(retry_for_s=0) as client:
        yield client


def said(report: LoadReport) -> list[str]:
    return [str(problem) for problem in report.problems]


async def speakers_of(directus: Directus, name: str) -> list[str]:
    row = await directus.read_item("sessions", key(name), fields=["speakers.speakers_id.name"])
    return [link["speakers_id"]["name"] for link in row["speakers"]]


async def test_the_sample_conference_loads_without_a_problem_and_a_second_time_changes_nothing(
    directus: Directus, standin: DirectusStandIn
) -> None:
    lines: list[str] = []
    first = await load_folder(directus, SAMPLE, report=lines.append)
    assert first.problems == []
    assert {name: counts.created for name, counts in first.counts.items()} == {
        "conferences": 1,
        "speakers": 170,
        "exhibitors": 62,
        "sessions": 172,
        "sessions_speakers": 186,
    }
    assert "sessions: 172 of 172" in lines
    written = len(standin.writes)
    second = await load_folder(directus, SAMPLE)
    assert len(standin.writes) == written
    assert not second.changed_anything
    assert second.counts["sessions"] == Counts(unchanged=172)


async def test_only_the_changed_field_of_the_changed_row_is_written(
    directus: Directus, standin: DirectusStandIn, folder: Folder
) -> None:
    folder.write(sessions=[session("a", room="1"), session("b", room="1")])
    await load_folder(directus, folder.path)
    standin.writes.clear()
    folder.write(sessions=[session("a", room="1"), session("b", room="2")])
    report = await load_folder(directus, folder.path)
    assert [(write.method, write.rows) for write in standin.writes] == [("PATCH", ({"id": key("b"), "room": "2"},))]
    assert report.counts["sessions"] == Counts(updated=1, unchanged=1)


async def test_a_field_the_file_does_not_name_stays_as_it_is(directus: Directus, folder: Folder) -> None:
    folder.write(sessions=[session("a", room="1", speakers=[key("Ada")])], speakers=[speaker("Ada")])
    await load_folder(directus, folder.path)
    folder.write(sessions=[session("a")])
    report = await load_folder(directus, folder.path)
    assert (await directus.read_item("sessions", key("a")))["room"] == "1"
    assert await speakers_of(directus, "a") == ["Ada"]
    assert not report.changed_anything


async def test_null_in_a_file_empties_the_field(directus: Directus, folder: Folder) -> None:
    folder.write(sessions=[session("a", room="1")])
    await load_folder(directus, folder.path)
    folder.write(sessions=[session("a", room=None)])
    await load_folder(directus, folder.path)
    assert (await directus.read_item("sessions", key("a")))["room"] is None


async def test_speakers_keep_the_order_of_the_file_whatever_it_was_before(directus: Directus, folder: Folder) -> None:
    names = [f"S{number}" for number in range(12)]
    people = [speaker(name) for name in names]
    for order in (names, names[::-1], names[3:7], [*names[5:], *names[:5]], []):
        folder.write(sessions=[session("a", speakers=[key(name) for name in order])], speakers=people)
        await load_folder(directus, folder.path)
        assert await speakers_of(directus, "a") == order
        assert await directus.count_items("sessions_speakers") == len(order)


async def test_links_made_by_hand_in_the_right_order_are_left_alone(
    directus: Directus, standin: DirectusStandIn, folder: Folder
) -> None:
    folder.write(sessions=[session("a", speakers=[])], speakers=[speaker("Ada")])
    await load_folder(directus, folder.path)
    standin.put("sessions_speakers", sessions_id=key("a"), speakers_id=key("Ada"))
    folder.write(sessions=[session("a", speakers=[key("Ada")])], speakers=[speaker("Ada")])
    report = await load_folder(directus, folder.path)
    assert report.counts["sessions_speakers"] == Counts(unchanged=1)


async def test_a_speaker_named_twice_is_linked_once(directus: Directus, folder: Folder) -> None:
    folder.write(sessions=[session("a", speakers=[key("Ada"), key("Ada").upper()])], speakers=[speaker("Ada")])
    await load_folder(directus, folder.path)
    assert await speakers_of(directus, "a") == ["Ada"]


async def test_a_speaker_that_no_file_has_is_named_and_the_rest_loaded(directus: Directus, folder: Folder) -> None:
    missing = key("nobody")
    talk = session("a", speakers=[missing, key("Ada"), "not-an-id"])
    folder.write(sessions=[session("first"), talk], speakers=[speaker("Ada")])
    report = await load_folder(directus, folder.path)
    what = "is in no file and not in Directus; the session was loaded without them"
    assert said(report) == [
        f"sessions.json[1] 'a': speaker {missing} {what}",
        f"sessions.json[1] 'a': speaker not-an-id {what}",
    ]
    assert await speakers_of(directus, "a") == ["Ada"]
    assert report.counts["sessions_speakers"] == Counts(created=1, skipped=2)


@pytest.mark.parametrize(
    ("bad", "what"),
    [
        ({"id": None}, "id is missing; it wants a UUID"),
        ({"id": "s1"}, "id wants a UUID, not 's1'"),
        ({"id": 7}, "id wants a UUID, not 7"),
        ({"start_time": "next Tuesday"}, "start_time wants a date and time as 2024-07-08T09:30:00+02:00"),
        ({"start_time": "2024-13-45T09:00:00+02:00"}, "start_time wants a date and time"),
        ({"start_time": "2024-07-08"}, "start_time wants a date and time"),
        ({"start_time": 1720425600}, "start_time wants a date and time"),
        ({"start_time": "2024-07-08T10:00:00Z", "end_time": "2024-07-08T09:00:00Z"}, "is before start_time"),
        ({"title": 5}, "title Input should be a valid string"),
        ({"title": " "}, "title is empty"),
        ({"tags": "one"}, "tags Input should be a valid list"),
        ({"tags": [1]}, "tags.0 Input should be a valid string"),
        ({"conference_id": None}, "conference_id is missing; it wants a UUID"),
        ({"conference_id": key("elsewhere")}, "is no conference of conference.json or Directus"),
    ],
)
async def test_a_bad_row_is_named_with_what_is_wrong_and_left_out_alone(
    directus: Directus, folder: Folder, bad: dict[str, Any], what: str
) -> None:
    folder.write(sessions=[session("good"), session("bad") | bad, session("also good")])
    report = await load_folder(directus, folder.path)
    (problem,) = report.problems
    assert (problem.file, problem.index) == ("sessions.json", 1)
    assert problem.label == ("bad" if isinstance(bad.get("title", ""), str) and bad.get("title") != " " else key("bad"))
    assert what in problem.what
    assert report.counts["sessions"] == Counts(created=2, skipped=1)
    assert await directus.count_items("sessions") == 2


async def test_a_row_without_an_id_member_is_named(directus: Directus, folder: Folder) -> None:
    row = session("a")
    del row["id"]
    folder.write(sessions=[row, "no object", None])
    report = await load_folder(directus, folder.path)
    assert said(report) == [
        "sessions.json[0] 'a': id is missing; it wants a UUID",
        "sessions.json[1]: wants an object, not str",
        "sessions.json[2]: wants an object, not NoneType",
    ]


async def test_the_first_of_two_rows_with_one_id_is_loaded(directus: Directus, folder: Folder) -> None:
    folder.write(speakers=[speaker("Ada"), speaker("Ada", id=key("Ada").upper(), company="other")])
    report = await load_folder(directus, folder.path)
    assert said(report) == [
        f"speakers.json[1] 'Ada': id {key('Ada')} is taken by speakers.json[0]; that one was loaded"
    ]
    assert (await directus.read_item("speakers", key("Ada")))["company"] is None


async def test_times_without_an_offset_are_the_conference_s(directus: Directus, folder: Folder) -> None:
    folder.write(
        sessions=[session("summer", start_time="2024-07-08T09:30"), session("winter", start_time="2024-01-08 09:30:00")]
    )
    await load_folder(directus, folder.path)
    assert (await directus.read_item("sessions", key("summer")))["start_time"] == "2024-07-08T07:30:00.000Z"
    assert (await directus.read_item("sessions", key("winter")))["start_time"] == "2024-01-08T08:30:00.000Z"


async def test_times_without_an_offset_and_a_conference_without_a_zone_are_a_problem(
    directus: Directus, folder: Folder
) -> None:
    bare = {name: value for name, value in CONFERENCE.items() if name != "timezone"}
    folder.write(conference=bare, sessions=[session("a", start_time="2024-07-08T09:30:00")])
    report = await load_folder(directus, folder.path)
    assert "no time zone" in said(report)[0]


@pytest.mark.parametrize(
    ("bad", "what"),
    [
        ({"timezone": "Prague"}, "timezone wants a time zone as Europe/Prague"),
        ({"timezone": "../../etc/passwd"}, "timezone wants a time zone"),
        ({"start_date": "08.07.2024"}, "start_date wants a date as 2024-07-08"),
        ({"faq": [1]}, "faq.0 Input should be a valid dictionary"),
        ({"name": None}, "name Input should be a valid string"),
    ],
)
async def test_a_bad_conference_is_named(directus: Directus, folder: Folder, bad: dict[str, Any], what: str) -> None:
    folder.write(conference=CONFERENCE | bad)
    report = await load_folder(directus, folder.path)
    assert what in said(report)[0]


async def test_conference_json_may_hold_several(directus: Directus, folder: Folder) -> None:
    folder.write(conference=[CONFERENCE, {"id": key("two"), "name": "Two"}])
    report = await load_folder(directus, folder.path)
    assert report.counts["conferences"].created == 2


async def test_fields_directus_has_no_place_for_are_counted(directus: Directus, folder: Folder) -> None:
    folder.write(
        sessions=[session("a", wifi="x", url="y"), session("b", url="y")], speakers=[speaker("Ada", sessions=[])]
    )
    report = await load_folder(directus, folder.path)
    assert report.ignored_fields["sessions"] == {"wifi": 1, "url": 2}
    assert report.ignored_fields["speakers"] == {}
    assert report.problems == []


async def test_a_file_that_is_not_there_is_said_and_the_others_are_loaded(directus: Directus, folder: Folder) -> None:
    (folder.path / "exhibitors.json").unlink()
    report = await load_folder(directus, folder.path)
    assert said(report) == ["exhibitors.json: is not there; nothing was loaded from it"]
    assert report.counts["conferences"].created == 1


async def test_rows_of_a_conference_that_is_only_in_directus_are_loaded(
    directus: Directus, folder: Folder, standin: DirectusStandIn
) -> None:
    standin.put("conferences", **CONFERENCE)
    (folder.path / "conference.json").unlink()
    folder.write(sessions=[session("a", start_time="2024-07-08T09:30:00")])
    (folder.path / "conference.json").unlink()
    await load_folder(directus, folder.path)
    assert (await directus.read_item("sessions", key("a")))["start_time"] == "2024-07-08T07:30:00.000Z"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ('[{"id": 1,]', r"sessions\.json is no JSON: .*line 1 column 11"),
        ("", r"sessions\.json is no JSON: .*line 1 column 1"),
        ("[1, NaN]", r"sessions\.json is no JSON: NaN"),
        ("[" * 100_000, r"sessions\.json is no JSON"),
        (b"\xff\xfe\x00", r"sessions\.json is no UTF-8 text"),
        ('{"sessions": []}', r"sessions\.json wants a list of objects, not dict"),
    ],
    ids=["comma", "empty", "NaN", "nested", "bytes", "object"],
)
async def test_a_file_that_can_not_be_read_stops_before_anything_is_written(
    directus: Directus, standin: DirectusStandIn, folder: Folder, content: str | bytes, what: str
) -> None:
    folder.write(sessions=content)
    with pytest.raises(InvalidInputError, match=what):
        await load_folder(directus, folder.path)
    assert standin.writes == []


async def test_a_folder_without_data_says_what_it_wants(directus: Directus, tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "missing"):
        with pytest.raises(
            InvalidInputError, match=r"conference\.json, speakers\.json, exhibitors\.json, sessions\.json"
        ):
            await load_folder(directus, place)


async def test_a_row_too_large_for_directus_is_named_and_the_rest_of_its_batch_loaded(
    directus: Directus, folder: Folder
) -> None:
    folder.write(sessions=[session("a"), session("huge", description="x" * 1_100_000), session("b")])
    report = await load_folder(directus, folder.path)
    assert (report.problems[0].index, report.problems[0].label) == (1, "huge")
    assert "too large" in report.problems[0].what
    assert report.counts["sessions"] == Counts(created=2, skipped=1)


async def test_a_row_directus_rejects_is_named_and_the_rest_of_its_batch_loaded(
    directus: Directus, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As PostgreSQL does with a text longer than its column."""
    folder.write(sessions=[session("a"), session("b", room="too long"), session("c")])
    real_create = directus.create_items

    async def create(collection: str, rows: Any, **options: Any) -> Any:  # noqa: ANN401 - as the real one
        if any(row.get("room") == "too long" for row in rows):
            raise ServiceRejectedError("directus", "VALUE_TOO_LONG")
        return await real_create(collection, rows, **options)

    monkeypatch.setattr(directus, "create_items", create)
    report = await load_folder(directus, folder.path)
    assert said(report) == ["sessions.json[1] 'b': VALUE_TOO_LONG"]
    assert report.counts["sessions"] == Counts(created=2, skipped=1)


async def test_many_large_rows_go_in_portions_directus_takes(
    directus: Directus, standin: DirectusStandIn, folder: Folder
) -> None:
    folder.write(sessions=[session(str(number), description="x" * 100_000) for number in range(30)])
    report = await load_folder(directus, folder.path)
    assert report.problems == []
    assert report.counts["sessions"].created == 30
    assert [len(write.rows) for write in standin.writes if write.collection == "sessions"] == [4] * 7 + [2]


async def test_a_creation_whose_answer_was_lost_is_no_problem(
    directus: Directus, standin: DirectusStandIn, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second try finds the rows of the first."""
    folder.write(sessions=[session("a"), session("b")])
    real_create = directus.create_items

    async def create_twice(collection: str, rows: Any, **options: Any) -> Any:  # noqa: ANN401 - as the real one
        if collection == "sessions" and not standin.rows("sessions"):
            await real_create(collection, rows[:1], **options)
        return await real_create(collection, rows, **options)

    monkeypatch.setattr(directus, "create_items", create_twice)
    report = await load_folder(directus, folder.path)
    assert report.problems == []
    assert report.counts["sessions"] == Counts(created=2)
    assert len(standin.rows("sessions")) == 2


async def test_directus_away_in_the_middle_ends_the_load_and_the_next_one_goes_on(
    directus: Directus, standin: DirectusStandIn, folder: Folder
) -> None:
    folder.write(sessions=[session(str(number)) for number in range(120)], speakers=[speaker("Ada")])

    def away_after_the_first_portion(line: str) -> None:
        standin.away = line.startswith("sessions: 50 ")

    with pytest.raises(ServiceUnavailableError, match="not reachable"):
        await load_folder(directus, folder.path, report=away_after_the_first_portion)
    standin.away = False
    report = await load_folder(directus, folder.path)
    assert report.counts["sessions"] == Counts(created=70, unchanged=50)


async def test_a_token_that_may_not_write_ends_the_load_with_the_reason(
    standin: DirectusStandIn, folder: Folder
) -> None:
    async with standin.directus("wrong") as stranger:
        with pytest.raises(AccessDeniedError):
            await load_folder(stranger, folder.path)
    assert standin.writes == []
