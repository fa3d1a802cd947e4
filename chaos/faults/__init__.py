"""The faults, by what they strike."""

from chaos.faults import deaths, delivery, outages, pauses, providers, visitors

__all__ = ["FAULTS"]

FAULTS = (
    *delivery.FAULTS,
    *deaths.FAULTS,
    *pauses.FAULTS,
    *outages.FAULTS,
    *providers.FAULTS,
    *visitors.FAULTS,
)
"""In the order of docs/operating.md's table."""
