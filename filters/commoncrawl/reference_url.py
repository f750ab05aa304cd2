"""The address of a web page in one form, so that Wikipedia's references meet the pages of a crawl."""

import re
from urllib.parse import unquote

# A longer URL is data, not an address; and time grows with the square of the length where archives are nested.
MAX_URL = 8192
WEB_SCHEME = re.compile(r"(?:(?:https?|ftp):/*|//+)", re.IGNORECASE)
OTHER_SCHEME = re.compile(
    r"(?:about|data|doi|file|irc|javascript|magnet|mailto|news|nntp|tel|urn):|[a-z][a-z0-9+.-]*://", re.IGNORECASE
)
CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")
# A name with a dot, and perhaps a port. (Addresses of version 6 have no dot: no page is cited by one.)
HOST = re.compile(r"[^:]*\.[^:]*(?::[0-9]+)?")
DEFAULT_PORTS = (":80", ":443", ":")
# RFC 3986, section 2: everything but unreserved and reserved characters is written as %XX, unreserved ones never are.
UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
TO_QUOTE = re.compile(r"%[0-9A-Fa-f]{2}|[^A-Za-z0-9\-._~!$&'()*+,;=:@/?\[\]]")
# Query parameters that name a visit or a campaign, not a page. ``amp`` is also what is left of a cut ``&amp;``.
TRACKING_PREFIXES = ("utm_", "aspsessionid")
TRACKING = frozenset((
    "_ga", "_gl", "amp", "cfid", "cftoken", "dclid", "fbclid", "gbraid", "gclid", "gclsrc", "igshid", "jsessionid",
    "mc_cid", "mc_eid", "msclkid", "phpsessid", "session_id", "sessionid", "twclid", "wbraid", "yclid",
))  # fmt: skip
PATH_SESSION = re.compile(r";(?:jsessionid|phpsessid|cfid|cftoken)=[^/]*", re.IGNORECASE)
ESCAPED_AMPERSAND = re.compile(r"&(?:amp;)+")
# Sites whose pages are copies of other pages, with the address of the original inside their own.
ARCHIVES = frozenset((
    "archive.fo", "archive.is", "archive.li", "archive.md", "archive.org", "archive.ph", "archive.today", "archive.vn",
    "archive-it.org", "arquivo.pt", "ghostarchive.org", "liveweb.archive.org", "perma-archives.org",
    "replay.waybackmachine.org", "wayback.archive-it.org", "wayback.archive.org", "web.archive.org",
    "webarchive.loc.gov", "webarchive.nationalarchives.gov.uk", "webarchive.org.uk", "webcitation.org",
))  # fmt: skip
# .../http://host/path or ...=http%3A%2F%2Fhost%2Fpath anywhere, /web/20120102030405id_/host.org/path without a scheme.
ARCHIVED = re.compile(
    r"[/=]((?:https?|ftp)(?::|%3A).+)|^/web/(?:[0-9]{1,14}\*?|\*)(?:[a-z]{2}_)?/([^/?]+\..+)", re.IGNORECASE
)


def normalize_url(url: str) -> str:
    """The form under which a URL cited in Wikipedia and one met in a crawl are the same page.

    Dropped: scheme, user, leading ``www.``, default port, fragment, slashes at the end of the path, empty parts of the
    query, parameters of sessions and campaigns (``TRACKING``, ``TRACKING_PREFIXES``, ``;jsessionid=`` in the path).
    Host in lower case and in its ASCII form; ``.`` and ``..`` in the path resolved; percent-encoding as RFC 3986
    normalises it. A copy in an archive (``ARCHIVES``) becomes the address of the original.

    Args:
        url: Any text.

    Returns:
        ``host/path?query``, on which the function has no further effect; "" for what is no address of a public web
        page (no host with a dot, another scheme, or longer than 8,192 characters). It never raises.
    """
    for _ in range(len(url)):
        if len(url) > MAX_URL:
            return ""
        normalized = _normalize_once(url)
        original = _original_of_archived(normalized)
        if original is None:
            return normalized if len(normalized) <= MAX_URL else ""
        url = original
    return ""


def _normalize_once(url: str) -> str:
    url = CONTROLS.sub("", url).strip()
    while scheme := WEB_SCHEME.match(url):
        url = url[scheme.end() :].lstrip()
    if OTHER_SCHEME.match(url):
        return ""
    url = url.partition("#")[0]
    end = min((at for at in map(url.find, "/?") if at >= 0), default=len(url))
    host = _normalize_host(url[:end])
    if not host:
        return ""
    path, _, query = url[end:].partition("?")
    return host + _normalize_path(path) + _normalize_query(query)


def _normalize_host(authority: str) -> str:
    host = authority.rpartition("@")[2].strip().lower()
    if not host.isascii():
        try:
            host = host.encode("idna").decode("ascii")
        except UnicodeError:
            # No international domain name; it is quoted like any other text.
            host = host.strip(".")
    host = _quote(host).lower()
    while host.endswith((*DEFAULT_PORTS, ".")):
        host = host[:-1] if host[-1] == "." else host.rpartition(":")[0]
    while host.startswith("www.") and "." in host[4:]:
        host = host[4:]
    return host if HOST.fullmatch(host) else ""


def _normalize_path(path: str) -> str:
    kept: list[str] = []
    for segment in PATH_SESSION.sub("", _quote(path)).split("/")[1:]:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    return "".join("/" + segment for segment in kept).rstrip("/")


def _normalize_query(query: str) -> str:
    parts = ESCAPED_AMPERSAND.sub("&", _quote(query)).split("&")
    kept = [part for part in parts if part and not _is_tracking(part.partition("=")[0].lower())]
    return "?" + "&".join(kept) if kept else ""


def _is_tracking(name: str) -> bool:
    return name in TRACKING or name.startswith(TRACKING_PREFIXES)


def _quote(text: str) -> str:
    return TO_QUOTE.sub(_quote_one, text)


def _quote_one(match: re.Match[str]) -> str:
    found = match.group()
    if len(found) == 3:
        code = int(found[1:], 16)
        return chr(code) if code in UNRESERVED else found.upper()
    return "".join(f"%{byte:02X}" for byte in found.encode("utf-8", "surrogatepass"))


def _original_of_archived(normalized: str) -> str | None:
    """The address inside the normalised address of an archived copy, or None."""
    host, slash, rest = normalized.partition("/")
    if host not in ARCHIVES:
        return None
    found = ARCHIVED.search(slash + rest)
    if found is None:
        return None
    original = found.group(1) or found.group(2)
    return unquote(original) if re.match("(?:https?|ftp)%3A", original, re.IGNORECASE) else original
