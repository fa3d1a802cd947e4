"""Who calls, as far as limits are concerned."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from starlette.requests import Request

__all__ = ["client_address"]

_IPV6_SITE_BITS: Final = 64
"""One IPv6 subscriber has 2^64 addresses (RFC 6177): they are one client."""


def client_address(request: Request) -> str:
    """The peer's address (a proxy's client's, where the server trusts the proxy); IPv6 by its /64."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host or "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((int(address), _IPV6_SITE_BITS), strict=False))
    return str(address)
