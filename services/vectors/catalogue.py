"""``Catalogue``: what the collections of an embedded index are called, and what their aliases stand for."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING
from uuid import uuid4

from pydantic import BaseModel, ValidationError

from services.errors import NotFoundError, ServiceUnavailableError
from services.vectors.types import Shape

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Catalogue", "Entry"]

_FILE = "catalogue.json"
_SHARD = "shard-"
"""How the folders of collections begin: what has such a name and is not in the catalogue was never finished."""


class Entry(BaseModel):
    """A collection: the folder of its shard, and what its points carry."""

    folder: str
    shape: Shape


class Catalogue(BaseModel):
    """Collections by name, and each alias with the collection that it stands for."""

    collections: dict[str, Entry] = {}
    aliases: dict[str, str] = {}

    @classmethod
    def read(cls, folder: Path) -> Catalogue:
        """What is kept in ``folder``; an empty one where there is none. Sweeps what was never finished.

        Raises ServiceUnavailableError for a file that is not a catalogue: it is not guessed at.
        """
        file = folder / _FILE
        try:
            kept = cls.model_validate_json(file.read_bytes())
        except FileNotFoundError:
            kept = cls()
        except ValidationError as error:
            raise ServiceUnavailableError(
                "qdrant",
                f"{file} is damaged; move the folder {folder} away and run `erleah reindex --full`",
            ) from error
        known = {entry.folder for entry in kept.collections.values()}
        for left in folder.glob(f"{_SHARD}*"):
            if left.name not in known:
                shutil.rmtree(left, ignore_errors=True)
        return kept

    def write(self, folder: Path) -> None:
        """Keep it in ``folder``, whole or not at all."""
        beside = folder / f"{_FILE}.new"
        with beside.open("wb") as file:
            file.write(self.model_dump_json().encode())
            file.flush()
            os.fsync(file.fileno())
        beside.replace(folder / _FILE)

    def new_entry(self, shape: Shape) -> Entry:
        """A collection to be made, in a folder that no other has."""
        return Entry(folder=f"{_SHARD}{uuid4().hex}", shape=shape)

    def entry(self, name: str) -> Entry:
        """The collection of this name or alias. Raises NotFoundError."""
        found = self.collections.get(self.aliases.get(name, name))
        if found is None:
            raise NotFoundError(f"Qdrant: collection {name} not found")
        return found

    def remove(self, name: str) -> Entry | None:
        """Forget a collection and its aliases; None where there is none."""
        entry = self.collections.pop(name, None)
        if entry is not None:
            self.aliases = {alias: target for alias, target in self.aliases.items() if target != name}
        return entry
