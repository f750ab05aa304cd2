"""The normal form of web addresses and host names, by which a list of removals and documents are compared.

Two addresses are the same where they differ in no more than: the scheme, http or https; the case of the host, a dot at
its end, and whether it is written in Unicode or in Punycode (IDNA 2003); the port, where it is the scheme's own; a user
name; one slash at the end of the path; an empty query; the fragment; and percent signs, where they stand for letters,
digits and ``-._~``, or where one of two writes a character outside ASCII as it is. The case of path and query, their
other characters and ``www.`` all count. Source of these rules: RFC 3986, section 6.2.2, but for scheme and slash.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from pipeline.text import encodable

_AUTHORITY = re.compile(r"[^/?]*")
_PORT = re.compile(r":\d*\Z")
_OWN_PORTS = {"http": ":80", "https": ":443"}
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_ASCII = "".join(map(chr, range(0x21, 0x7F)))
_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]")


def split_address(url: str) -> tuple[str, str, str]:
    """An address as host, port with its colon where it is not the scheme's own, and all that follows.

    Args:
        url: The address; without a scheme it is one of the web.

    Returns:
        The host as ``normal_host`` gives it, empty where there is none; port; path and query as they are written.
    """
    scheme, marked, rest = url.strip().partition("://")
    if not marked:
        scheme, rest = "", url.strip()
    found = _AUTHORITY.match(rest.partition("#")[0])
    assert found is not None
    authority = found[0].rpartition("@")[2]
    port = _PORT.search(authority)
    host = authority[: port.start()] if port else authority
    own = port is None or port[0] in (":", _OWN_PORTS.get(scheme.lower() or "http"))
    return normal_host(host), "" if own or port is None else port[0], rest.partition("#")[0][found.end() :]


def normal_host(host: str) -> str:
    """A host name in small letters and Punycode, without a dot at its end."""
    host = host.rstrip(".").lower()
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode()
    except UnicodeError:  # no name that a server can have
        return host


def is_host(host: str) -> bool:
    """Whether a normal form can be the name of a host."""
    return bool(_HOST.fullmatch(host))


def normal_address(url: str) -> str:
    """The normal form of an address: host, path and query."""
    host, port, rest = split_address(url)
    path, _, query = _escaped(rest).partition("?")
    return f"{host}{port}{path.removesuffix('/')}" + (f"?{query}" if query else "")


def whole_address(url: str) -> tuple[str, str]:
    """An address as host with port, and all that follows: with the slash at the end of its path, and an empty query.

    It is what prefixes are compared with, and the normal form of a prefix: each of its characters counts.
    """
    host, port, rest = split_address(url)
    return f"{host}{port}", _escaped(rest)


def _escaped(text: str) -> str:
    """A path and query with percent signs where they must be, and nowhere else."""
    if not text.isascii() or " " in text:
        text = quote(encodable(text), safe=_ASCII)
    return _ESCAPE.sub(_one, text) if "%" in text else text


def _one(found: re.Match[str]) -> str:
    character = chr(int(found[1], 16))
    return character if character in _UNRESERVED else found[0].upper()
