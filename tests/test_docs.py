"""What the documents say, held against the code: links, commands, targets, settings, packages, examples."""

from __future__ import annotations

import importlib
import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from assistants.interface import Assistant, ToolOutcome, TurnView
from cli.main import COMMANDS
from services import answer_ids, errors, metrics
from services.queue.jobs import AnswerJob, IndexItemJob, ReindexJob, SearchJob
from services.settings import Settings
from webhook.responses import NAME_OF

if TYPE_CHECKING:
    from collections.abc import Iterator

    import click

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")])
TEXTS = {page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8") for page in PAGES}
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")

page_name = pytest.mark.parametrize("name", sorted(TEXTS))

_NOT_OURS = {
    # Directus's own
    "WEBSOCKETS_ENABLED", "WEBSOCKETS_REST_AUTH", "CORS_ENABLED", "CORS_ORIGIN", "CACHE_SCHEMA_FREEZE_ENABLED",
    "IMPORT_IP_DENY_LIST", "FLOWS_ENV_ALLOW_LIST", "PRESSURE_LIMITER_ENABLED",
    # libuv's, under Directus
    "UV_THREADPOOL_SIZE",
    # the demo's cache, and where tests find a model
    "ERLEAH_CACHE_DIR", "ERLEAH_TEST_FASTEMBED_PATH",
}  # fmt: skip
_PLACEHOLDERS = {"TRACE_ID"}
_CONSTANTS = {"ANSWER_FIELDS", "ERLEAH_PERMISSIONS"}


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def code(text: str) -> Iterator[str]:
    """Every line of a fenced block, and every inline code."""
    fenced = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    for block in fenced:
        yield from block.splitlines()
    yield from re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


def python_blocks(name: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", TEXTS[name], re.MULTILINE | re.DOTALL)


@page_name
def test_links_lead_somewhere(name: str) -> None:
    """Each relative link names a file that is there, and its anchor a heading in it."""
    for target in re.findall(r"\]\(([^)\s]+)\)", TEXTS[name]):
        if target.startswith(("https://", "http://", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        file = ((ROOT / name).parent / path).resolve() if path else ROOT / name
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file.read_text(encoding="utf-8")), target


@page_name
def test_paths_in_code_exist(name: str) -> None:
    """A path of this repository that stands in code is there."""
    top = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")}
    made = {"bench/results/latest.json", "bench/results/chaos.json", "bench/results/eval.json", "assistants/parrot/"}
    for words in code(TEXTS[name]):
        for path in re.findall(r"(?<![\w./:-])((?:[\w-]+/)+[\w.-]*\w/?)(?![\w/<{*])", words):
            if path.split("/")[0] in top and path not in made:
                assert (ROOT / path).exists(), path


@page_name
def test_make_targets_exist(name: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    for words in code(TEXTS[name]):
        for target in re.findall(r"(?:^|\s)make ([a-z-]+)", words):
            assert target in targets, words


@page_name
def test_commands_and_their_options_exist(name: str) -> None:
    """Each ``erleah`` command line names a command, and only options which that command has."""
    for words in code(TEXTS[name]):
        for command, rest in re.findall(r"(?:^|[\s/])erleah ((?!0\.)[a-z]+)([^`|]*)", words):
            if re.search(r"image:|-t erleah|FROM|useradd", words):
                continue
            assert command in COMMANDS, words
            module, _, attribute = COMMANDS[command].partition(":")
            known: click.Command = getattr(importlib.import_module(module), attribute)
            options = {option for each in known.params for option in (*each.opts, *each.secondary_opts)} | {"--help"}
            assert set(re.findall(r"(?<!\S)\[?(--[a-z][a-z-]*)", rest.partition(";")[0])) <= options, words


@page_name
def test_variables_exist(name: str) -> None:
    """Each variable named in code is a setting, or is known to be another program's."""
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    known = (
        {field.upper() for field in Settings.model_fields}
        | _NOT_OURS
        | set(re.findall(r"^([A-Z_]+)=", example, re.MULTILINE))
    )
    named = {
        variable
        for words in code(TEXTS[name])
        for variable in re.findall(r"(?<![\w$-])([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?![\w-])", words)
    }
    assert named - _PLACEHOLDERS - _CONSTANTS <= known


def test_every_command_is_described() -> None:
    """The table of commands has each of them."""
    for command in COMMANDS:
        assert f"`erleah {command}" in TEXTS["docs/api.md"], command


def test_the_table_of_settings_is_the_settings() -> None:
    """Each setting once, in order, with its real default."""
    rows = re.findall(
        r"^\| ([A-Z_]+) \| (\S+) \| (.+) \|$", TEXTS["docs/api.md"].partition("## Settings")[2], re.MULTILINE
    )
    assert [row[0] for row in rows] == [name.upper() for name in Settings.model_fields]
    for (variable, written, _), field in zip(rows, Settings.model_fields.values(), strict=True):
        if field.is_required():
            assert written == "required", variable
        elif field.default in (None, ()):
            assert written == "none", variable
        else:
            made = Settings.model_validate(
                {"directus_api_key": "a", "directus_webhook_secret": "b", variable.lower(): written}
            )
            assert getattr(made, variable.lower()) == field.default, variable


def test_the_table_of_jobs_is_the_jobs() -> None:
    """Name, queue and payload of each job."""
    for job in (AnswerJob, SearchJob, ReindexJob, IndexItemJob):
        row = re.search(rf"^\| {job.name} \| {job.queue} \| `.*` \| (.*) \|$", TEXTS["docs/api.md"], re.MULTILINE)
        assert row, job.name
        assert set(row[1].split(", ")) == set(job.model_fields) - {"trace_id", "queued_at"}


def test_the_answers_id_is_worked_out_as_described() -> None:
    scope: dict[str, Any] = {}
    exec(python_blocks("docs/api.md")[0], scope)  # noqa: S102 - our own page's example
    message_id = str(uuid4())
    assert scope["answer_id"](message_id) == answer_ids.answer_id_of(message_id)


def test_metrics_named_are_counted() -> None:
    known = {f"{name}_total" for name in metrics.COUNTERS} | set(metrics.HISTOGRAMS)
    source = Path(metrics.__file__).read_text(encoding="utf-8")
    named = set(re.findall(r"erleah_[a-z_]+", TEXTS["docs/operating.md"] + TEXTS["docs/containers.md"]))
    for name in named - {"erleah_front"}:  # a network of compose.yaml
        assert name in known or f'"{name}"' in source, name


def test_errors_shown_are_real() -> None:
    shown = set(re.findall(r'"error": "(\w+)"', "".join(TEXTS.values())))
    own = {
        error.code
        for error in vars(errors).values()
        if isinstance(error, type) and issubclass(error, errors.ErleahError)
    }
    assert {"unauthorised", "invalid_input", "not_found"} <= shown <= {*NAME_OF.values(), *own}


def test_every_package_is_accounted_for() -> None:
    """docs/dependencies.md has each dependency, and no other in its first columns."""
    wanted = {
        re.split(r"[\[<>=~]", line)[0]
        for line in (
            *PROJECT["project"]["dependencies"],
            *(line for extra in PROJECT["project"]["optional-dependencies"].values() for line in extra),
            *PROJECT["dependency-groups"]["dev"],
        )
    }
    text = TEXTS["docs/dependencies.md"]
    runtime, extras, development = (
        text.partition(f"## {heading}")[2].partition("\n## ")[0]
        for heading in ("At run time", "Extras", "For development")
    )
    cells = re.findall(r"^\| ([a-z0-9-]+(?:, [a-z0-9-]+)*) \|", runtime + development, re.MULTILINE)
    cells += re.findall(r"^\| [a-z]+ \| ([a-z0-9-]+) \|", extras, re.MULTILINE)
    named = {package for cell in cells for package in cell.split(", ")} - {"package", "extra"}
    assert named == wanted


def test_modules_of_dependencies_exist() -> None:
    section = TEXTS["docs/dependencies.md"].partition("## At run time")[2].partition("\n## ")[0]
    for cell in re.findall(r"^\| (?!package)[a-z][^|]* \| [^|]+ \| ([a-z_/., ]+) \|", section, re.MULTILINE):
        for path in re.findall(r"[a-z_]+(?:/[a-z_]+)*(?:\.py)?", cell.replace(" and throughout", "")):
            assert (ROOT / path).exists(), path


def test_the_ten_lines_are_an_assistant() -> None:
    """The example runs as it stands."""
    scope: dict[str, Any] = {"__name__": "example"}
    exec(python_blocks("docs/adding-an-assistant.md")[0], scope)  # noqa: S102 - our own page's example
    parrot: Assistant = scope["Parrot"]()
    view = TurnView(question="Hello", scope_id=None, now=datetime.now(UTC))
    assert parrot.offline_answer(view) == "Hello! Squawk!"
    assert len([line for line in python_blocks("docs/adding-an-assistant.md")[0].splitlines() if line]) <= 10


async def test_the_assistant_with_a_tool_finds_and_says_what_it_found() -> None:
    """Plan, tool, answer and sources of the second example fit together."""
    scope: dict[str, Any] = {"__name__": "example"}
    exec(python_blocks("docs/adding-an-assistant.md")[1], scope)  # noqa: S102 - our own page's example
    library: Assistant = scope["Library"]()
    now = datetime.now(UTC)
    asked = TurnView(question="When do you open on Tuesday?", scope_id=None, now=now)
    outcomes: list[ToolOutcome] = []
    for call in library.plan(asked):
        tool: Any = library.tools[call.tool]
        outcomes.append(await tool(call.arguments, view=asked, toolbox=None))
    view = TurnView(question=asked.question, scope_id=None, now=now, outcomes=tuple(outcomes))
    assert library.offline_answer(view) == "- **Tuesday**: 9 to 17"
    assert [source.id for source in library.sources_used(view)] == ["tuesday"]


def test_every_method_named_is_the_interfaces() -> None:
    section = TEXTS["docs/adding-an-assistant.md"].partition("## What else")[2]
    for cell in re.findall(r"^\| (`[^|]+) \|", section, re.MULTILINE):
        for method in re.findall(r"`(\w+)`", cell):
            assert hasattr(Assistant, method), method


def test_the_map_of_the_house_is_true() -> None:
    """Each room of the table is there, and each noun stands in its room."""
    rows = re.findall(r"^\| ((?:[a-z_]+/)[^|]+) \| ([^|]+) \|$", TEXTS["docs/architecture.md"], re.MULTILINE)
    assert len(rows) > 20
    for cell, nouns in rows:
        rooms = [ROOT / part.strip() for part in re.split(r",\s*(?=[a-z]+/)", cell)]
        for room in rooms:
            assert room.exists(), cell
        sources = [path for room in rooms for path in ([room] if room.is_file() else sorted(room.rglob("*.py")))]
        text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
        for noun in re.findall(r"`([A-Za-z_]+)(?=`|\()", nouns):
            known = noun == "source" or re.search(rf"\b(class|def) {noun}\b|^{noun}\b", text, re.MULTILINE)
            assert known, f"{noun} in {cell}"


def test_every_package_is_on_the_map() -> None:
    """Each folder with Python in it is named in docs/architecture.md, or lies in one that is."""
    text = TEXTS["docs/architecture.md"]
    for package in PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]:
        for init in sorted((ROOT / package).rglob("__init__.py")):
            parts = init.parent.relative_to(ROOT).parts
            names = ["/".join(parts[: depth + 1]) + "/" for depth in range(len(parts))]
            assert names[0] in text
            assert len(names) == 1 or any(name in text for name in names[1:]), names[-1]
