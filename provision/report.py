"""What provisioning found, made and changed, and what it could not put right."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Report"]


@dataclass
class Report:
    """Each entry names one thing: ``collection messages``, ``field sessions.track``, ``flow Erleah: …``.

    ``problems`` are whole sentences about found things that don't fit; they were left as they are;
    ``notes`` are whole sentences about what was left so on purpose.
    """

    made: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    found: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def changed_nothing(self) -> bool:
        """Whether Directus had everything already."""
        return not self.made and not self.changed
