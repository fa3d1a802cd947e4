"""The faults, by what they strike."""

from chaos.faults import (
    conferences,
    deaths,
    delivery,
    forgeries,
    intruders,
    late,
    order,
    outages,
    pauses,
    poison,
    private,
    providers,
    stops,
    visitors,
)

__all__ = ["FAULTS"]

FAULTS = (
    *delivery.FAULTS,
    *deaths.FAULTS,
    *pauses.FAULTS,
    *order.FAULTS,
    *outages.FAULTS,
    *late.FAULTS,
    *providers.FAULTS,
    *visitors.FAULTS,
    *stops.FAULTS,
    *forgeries.FAULTS,
    *intruders.FAULTS,
    *poison.FAULTS,
    *conferences.FAULTS,
    *private.FAULTS,
)
"""In the order of the table under "Faults" in docs/operating.md, which ``python -m chaos --markdown`` prints.

``private`` is last: it searches what all others have had logged.
"""
