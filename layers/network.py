"""Which addresses may be asked from here, and connections to nothing else.

An address that somebody typed, that stands in a file or to which another server redirects must not turn this
one into a tool against its own network. So a name is resolved once, each of its addresses must be one of the
open network, and the connection goes to the very addresses that were looked at.
"""

import ipaddress
import socket
import ssl
from collections.abc import Callable

May = Callable[[str], bool]
"""Whether an address (`192.0.2.1`, `2001:db8::1`) may be asked."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_TRIED = 4


class NoHost(OSError):
    """A name leads nowhere."""


class NotPublic(OSError):
    """A name leads to an address that must not be asked."""


def is_public(address: str) -> bool:
    """Whether an address is one of the open network; those that wrap another are judged by that."""
    number = ipaddress.ip_address(address.split("%")[0])
    if isinstance(number, ipaddress.IPv6Address):
        # 64:ff9b::/96 leads to the IPv4 address in its last 32 bits.
        if number in _NAT64:
            number = ipaddress.IPv4Address(int(number) & 0xFFFFFFFF)
        else:
            number = number.ipv4_mapped or number.sixtofour or number
    return number.is_global and not number.is_multicast


def found(host: str, port: int, *, may_ask: May = is_public) -> list[str]:
    """The addresses of a host, each looked at.

    Raises:
        NoHost: it has none.
        NotPublic: one of them may not be asked.
    """
    try:
        known = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NoHost(host) from error
    if not known:
        raise NoHost(host)
    addresses = [str(entry[4][0]) for entry in known]
    if not all(may_ask(address) for address in addresses):
        raise NotPublic(host)
    return addresses


def connected(addresses: list[str], port: int, *, timeout_s: float | None) -> socket.socket:
    """A connection to the first of these addresses that answers; no name is resolved any more.

    Raises:
        OSError: none does.
    """
    failed = OSError("no address")
    for address in addresses[:_TRIED]:
        # `create_connection` would look even a number up again.
        made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        try:
            made.settimeout(timeout_s)
            made.connect((address, port))
            return made
        except OSError as error:
            made.close()
            failed = error
    raise failed


def secured(plain: socket.socket, *, host: str) -> socket.socket:
    """The connection under TLS, once the host has shown its certificate; it is closed where that fails."""
    try:
        return ssl.create_default_context().wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise
