"""``Upsert``: checked rows into one collection of Directus; only what differs is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ingest.load_report import Problem
from ingest.row_batches import batches
from services.errors import ConflictError, ServiceRejectedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from ingest.data_files import CheckedRow
    from ingest.load_report import LoadReport
    from services.directus.client import Directus, Row

__all__ = ["Upsert"]


@dataclass(frozen=True)
class _Pending:
    checked: CheckedRow
    data: Row


class Upsert:
    """Brings rows in and counts; ``stored`` are those that Directus holds as the files say."""

    def __init__(self, directus: Directus, outcome: LoadReport, report: Callable[[str], None]) -> None:
        self._directus = directus
        self._outcome = outcome
        self._report = report
        self.stored: list[CheckedRow] = []

    async def put(self, rows: Sequence[CheckedRow]) -> None:
        """Create what is missing, change what differs, leave the rest; all rows of one kind.

        A row that Directus rejects is named in the report, and the others of its batch are written.
        """
        done = 0
        for batch in batches(rows, size_of=lambda one: one.row.columns()):
            await self._put_batch(batch)
            done += len(batch)
            self._report(f"{batch[0].row.collection}: {done} of {len(rows)}")

    async def _put_batch(self, batch: Sequence[CheckedRow]) -> None:
        kind = type(batch[0].row)
        ids = [one.row.id for one in batch]
        there = {row["id"]: row for row in await self._directus.read_by_ids(kind.collection, ids, fields=kind.stored())}
        new, changed = [], []
        counts = self._outcome.of(kind.collection)
        for one in batch:
            columns = one.row.columns()
            if one.row.id not in there:
                new.append(_Pending(one, columns))
            elif changes := {name: value for name, value in columns.items() if there[one.row.id][name] != value}:
                changed.append(_Pending(one, {"id": one.row.id} | changes))
            else:
                counts.unchanged += 1
                self.stored.append(one)
        counts.created += await self._write(new, lambda rows: self._create(kind.collection, rows))
        counts.updated += await self._write(changed, lambda rows: self._update(kind.collection, rows))

    async def _write(self, pending: Sequence[_Pending], write: Callable[[list[Row]], Awaitable[Any]]) -> int:
        """Write all at once, or, when Directus rejects that, one by one; give the number written."""
        if not pending:
            return 0
        try:
            await write([one.data for one in pending])
        except ServiceRejectedError as error:
            if len(pending) > 1:
                return sum([await self._write([one], write) for one in pending])
            checked = pending[0].checked
            self._outcome.of(checked.row.collection).skipped += 1
            self._outcome.problems.append(Problem(checked.row.file, checked.index, checked.row.label, str(error)))
            return 0
        self.stored += [one.checked for one in pending]
        return len(pending)

    async def _create(self, collection: str, rows: list[Row]) -> None:
        """Create rows; those that came to be there meanwhile, by a first try of ours maybe, are changed instead."""
        try:
            await self._directus.create_items(collection, rows)
        except ConflictError:
            found = await self._directus.read_by_ids(collection, [row["id"] for row in rows], fields=["id"])
            there = {row["id"] for row in found}
            if not there:  # it is another field that wants to be unique
                raise
            await self._update(collection, [row for row in rows if row["id"] in there])
            await self._directus.create_items(collection, [row for row in rows if row["id"] not in there])

    async def _update(self, collection: str, rows: list[Row]) -> None:
        await self._directus.update_items(collection, rows, retry=True)
