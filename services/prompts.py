"""Prompts as files: ``<root>/<version>/<name>.j2``, checked when a process starts.

What is handed to a template is data: it is never read as a template itself, and the templates run
sandboxed, for prompts may be edited by people who should not get a Python shell with them.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import jinja2
from jinja2 import meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from services.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["PromptFiles"]

_SUFFIX = ".j2"


class PromptFiles:
    """The prompts of one version, by their names without ``.j2``.

    ``root`` is the folder that holds a folder for each version. Nothing is read before ``check`` or
    the first ``render``.
    """

    def __init__(self, root: Path, version: str) -> None:
        self._root = root
        self.version = version

    def check(self, required: Mapping[str, frozenset[str]]) -> None:
        """Make sure that each prompt in ``required`` is there and needs no variable but those named for it.

        Raises ConfigurationError with one clause for each thing that is wrong, so that a missing
        prompt stops a start and not a turn.
        """
        problems = []
        for name, variables in required.items():
            try:
                missing = self._needed(name) - variables
            except ConfigurationError as error:
                problems.append(str(error))
                continue
            if missing:
                problems.append(f"prompt {self.version}/{name}{_SUFFIX} needs what it is not given: {_list(missing)}")
        if problems:
            raise ConfigurationError("; ".join(problems))

    def render(self, name: str, **variables: object) -> str:
        """The prompt with its variables filled in, without the line break at its end.

        Raises ConfigurationError for a missing prompt or variable; neither happens after ``check``.
        """
        try:
            return self._environment.get_template(name + _SUFFIX).render(variables).rstrip("\n")
        except jinja2.TemplateError as error:
            raise self._explained(name, error) from error

    @cached_property
    def _environment(self) -> jinja2.Environment:
        folder = self._root / self.version
        if not folder.is_dir():
            there = sorted(path.name for path in self._root.glob("v*") if path.is_dir())
            msg = f"PROMPT_VERSION {self.version}: {folder} is not there (there are: {_list(there) or 'none'})"
            raise ConfigurationError(msg)
        return ImmutableSandboxedEnvironment(
            loader=jinja2.FileSystemLoader(folder),
            undefined=jinja2.StrictUndefined,
            # Prompts are plain text for a model; what is shown in a page is escaped where it is shown.
            autoescape=False,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
            # An included file ends its last line, for trim_blocks takes the line break behind the include.
            keep_trailing_newline=True,
        )

    def _needed(self, name: str) -> set[str]:
        """The variables of a template and of all it includes."""
        needed: set[str] = set()
        waiting, seen = [name + _SUFFIX], set[str]()
        while waiting:
            file = waiting.pop()
            seen.add(file)
            try:
                source, _, _ = self._loader.get_source(self._environment, file)
                # Compiled as well as parsed: some mistakes (an unknown filter) show only then.
                self._environment.get_template(file)
                tree = self._environment.parse(source)
            except jinja2.TemplateError as error:
                raise self._explained(file.removesuffix(_SUFFIX), error) from error
            needed |= meta.find_undeclared_variables(tree)
            referenced = meta.find_referenced_templates(tree)
            waiting += [other for other in referenced if other is not None and other not in seen]
        return needed

    @property
    def _loader(self) -> jinja2.BaseLoader:
        loader = self._environment.loader
        if loader is None:
            raise ConfigurationError(f"no folder to load prompts of {self.version} from")
        return loader

    def _explained(self, name: str, error: jinja2.TemplateError) -> ConfigurationError:
        file = f"prompt {self.version}/{name}{_SUFFIX}"
        if isinstance(error, jinja2.TemplateNotFound):
            return ConfigurationError(f"{file} is missing in {self._root / self.version}")
        if isinstance(error, jinja2.TemplateSyntaxError):
            return ConfigurationError(f"{file}, line {error.lineno}: {error.message}")
        return ConfigurationError(f"{file}: {error.message}")


def _list(names: set[str] | list[str]) -> str:
    return ", ".join(sorted(names))
