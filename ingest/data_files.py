"""A folder of data files, read and checked: the rows that can be loaded, and the problems of the rest."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NoReturn

from pydantic import ValidationError

from ingest.data_rows import ROW_KINDS, ConferenceRow, DataRow, explain
from ingest.load_report import Problem
from services.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from ingest.load_report import LoadReport

__all__ = ["CheckedRow", "RawFile", "check_rows", "read_files"]

_LARGEST_FILE: Final = 64 * 2**20
"""Bytes; a conference of 1,000 sessions is some 3 MB."""


@dataclass(frozen=True)
class CheckedRow:
    """A row that can be loaded, and its place in its file."""

    index: int
    row: DataRow


@dataclass(frozen=True)
class RawFile:
    """A file's rows as they stand in it."""

    kind: type[DataRow]
    rows: Sequence[Any] = field(repr=False)


def read_files(folder: Path, report: LoadReport) -> list[RawFile]:
    """Read what the folder has of conference, speakers, exhibitors and sessions, in loading order.

    A file that isn't there is noted in the report. Raises InvalidInputError for a folder without any
    of them, and for a file that is no JSON (with line and column) or no list.
    """
    if not folder.is_dir():
        raise InvalidInputError(f"{folder} is no folder; it wants one with {_expected()}")
    files = []
    for kind in ROW_KINDS:
        path = folder / kind.file
        if not path.is_file():
            report.problems.append(Problem(kind.file, None, "", "is not there; nothing was loaded from it"))
            continue
        files.append(RawFile(kind, _rows(path, single=kind is ConferenceRow)))
    if not files:
        raise InvalidInputError(f"{folder} has no data files; it wants {_expected()}")
    return files


def check_rows(file: RawFile, zones: Mapping[str, ZoneInfo | None], report: LoadReport) -> list[CheckedRow]:
    """Give the rows that are as they should be; name the others in the report.

    ``zones`` are the conferences' time zones by id, for times without an offset.
    """
    checked: list[CheckedRow] = []
    seen: dict[str, int] = {}
    ignored = report.ignored_fields.setdefault(file.kind.collection, Counter())
    counts = report.of(file.kind.collection)
    for index, raw in enumerate(file.rows):
        try:
            row = file.kind.model_validate(raw, context={"zones": zones})
        except ValidationError as error:
            what = explain(error) if isinstance(raw, dict) else f"wants an object, not {type(raw).__name__}"
        else:
            first = seen.setdefault(row.id, index)
            if first == index:
                checked.append(CheckedRow(index, row))
                known = file.kind.model_fields.keys() | file.kind.told_elsewhere
                ignored.update(name for name in raw if name not in known)
                continue
            what = f"id {row.id} is taken by {file.kind.file}[{first}]; that one was loaded"
        counts.skipped += 1
        report.problems.append(Problem(file.kind.file, index, _label_of(raw), what))
    return checked


def _label_of(raw: object) -> str:
    """What a person would look for in the file: name, title or id."""
    if isinstance(raw, dict):
        for name in ("name", "title", "id"):
            if isinstance(raw.get(name), str) and raw[name].strip():
                return str(raw[name])[:80]
    return ""


def _rows(path: Path, *, single: bool) -> Sequence[Any]:
    if path.stat().st_size > _LARGEST_FILE:
        raise InvalidInputError(f"{path} is larger than {_LARGEST_FILE // 2**20} MB; split the conference")
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"), parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise InvalidInputError(f"{path} is no JSON: {error.msg}, line {error.lineno} column {error.colno}") from None
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{path} is no UTF-8 text: byte {error.start}") from None
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"{path} is no JSON: {error}") from None
    if single and isinstance(content, dict):
        return [content]
    if not isinstance(content, list):
        wanted = "an object or a list of objects" if single else "a list of objects"
        raise InvalidInputError(f"{path} wants {wanted}, not {type(content).__name__}")
    return content


def _refuse_constant(name: str) -> NoReturn:
    msg = f"{name} is no number of JSON's"
    raise ValueError(msg)


def _expected() -> str:
    return ", ".join(kind.file for kind in ROW_KINDS)
