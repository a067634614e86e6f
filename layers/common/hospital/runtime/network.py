"""Where a call comes from: one name for all addresses that one subscriber has."""

from __future__ import annotations


def network(text: str) -> str:
    """An IPv4 address as it is, of IPv6 the /64 (a subscriber has all of it); empty for what is no address."""
    from ipaddress import IPv6Address, ip_address

    try:
        address = ip_address(text)
    except ValueError:
        return ""
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return f"{IPv6Address(int(address) >> 64 << 64)}/64"
