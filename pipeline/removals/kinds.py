"""The kinds of lines of a list of removals: what each one means, and the normal form of its value."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.removals.addresses import is_host, normal_address, normal_host, split_address, whole_address

_REPOSITORY = re.compile(r"[\w.-]+(/[\w.-]+)?")
_OWNER = re.compile(r"[\w.-]+")
_GITHUB = re.compile(r"(?:https?://)?(?:www\.)?github\.com/", re.I)
_PAGE = re.compile(r"(?P<language>[a-z][a-z0-9-]*):(?P<title>.*\S)", re.S)
_NEW_PAPER = re.compile(r"(?P<paper>\d{4}\.\d{4,5})(v\d+)?")
_OLD_PAPER = re.compile(r"(?P<archive>[a-z]+(?:-[a-z]+)?)(?:\.[A-Z]{2})?/(?P<number>\d{7})(v\d+)?")
_NUMBER = re.compile(r"[1-9]\d{0,17}")
_AUTHOR = re.compile(r"\S.*", re.S)
_SHA256 = re.compile(r"[0-9a-f]{64}")
OF_NO_TEXT = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@dataclass(frozen=True)
class Kind:
    """A kind of line.

    Attributes:
        name: What it is called in a list.
        example: A value of it.
        meaning: Which documents it takes out, for ``--help`` and the page.
        normal: Gives the normal form of a value; raises ValueError, with what is wrong, for what is none.
    """

    name: str
    example: str
    meaning: str
    normal: Callable[[str], str]


def _url(value: str) -> str:
    _check_address(value)
    return normal_address(value)


def _prefix(value: str) -> str:
    _check_address(value)
    if "#" in value:
        raise ValueError("a prefix has no fragment: leave out what begins with #")
    return "".join(whole_address(value))


def _check_address(value: str) -> None:
    if not is_host(split_address(value)[0]):
        raise ValueError("it must be an address with the whole name of a host, such as https://example.org/page")


def _domain(value: str) -> str:
    host = normal_host(value.removeprefix("*."))
    if not is_host(host) or host.startswith("[") or "." not in host:
        raise ValueError("it must be the name of a domain, such as example.org, without scheme and path")
    return host


def repository_name(value: str) -> str:
    """The normal form of a repository's name."""
    return value.lower()


def _repository(value: str) -> str:
    name = _GITHUB.sub("", value).rstrip("/").removesuffix(".git")
    if not _REPOSITORY.fullmatch(name):
        raise ValueError("it must be a repository, such as owner/name")
    return repository_name(name)


def _owner(value: str) -> str:
    name = _GITHUB.sub("", value).rstrip("/")
    if not _OWNER.fullmatch(name):
        raise ValueError("it must be the owner of repositories, such as owner")
    return repository_name(name)


def page_name(language: str, title: str) -> str:
    """The normal form of a Wikipedia page: its first letter is a capital one, underlines are spaces."""
    title = " ".join(title.replace("_", " ").split())
    return f"{language}:{title[:1].upper()}{title[1:]}"


def _page(value: str) -> str:
    found = _PAGE.fullmatch(value)
    if "://" in value:
        raise ValueError("it must be a language and a title, such as en:Ada Lovelace; an address is of the kind url")
    if not found:
        raise ValueError("it must be a language and a title, such as en:Ada Lovelace")
    return page_name(found["language"], found["title"])


def _paper(value: str) -> str:
    text = re.sub(r"\Aarxiv:", "", value, flags=re.I)
    if found := _NEW_PAPER.fullmatch(text):
        return found["paper"]
    if found := _OLD_PAPER.fullmatch(text):
        return f"{found['archive']}/{found['number']}"
    raise ValueError("it must be an arXiv id, such as 2005.12345 or hep-th/9901001; all versions are meant")


def _number(value: str) -> str:
    if not _NUMBER.fullmatch(value):
        raise ValueError("it must be a number, such as 1342")
    return value


def _site(value: str) -> str:
    host = normal_host(value)
    if not is_host(host) or "." not in host:
        raise ValueError("it must be the host name of a site, such as cardano.stackexchange.com")
    return host


def _of_site(value: str, pattern: re.Pattern[str], example: str) -> str:
    site, slash, rest = value.partition("/")
    if not slash or not pattern.fullmatch(rest):
        raise ValueError(f"it must be {example}")
    return f"{_site(site)}/{rest}"


def _post(value: str) -> str:
    return _of_site(value, _NUMBER, "a site and the number of a question or an answer: cardano.stackexchange.com/123")


def _user(value: str) -> str:
    example = "a site and a user's number, or the name shown where there is none: cardano.stackexchange.com/45"
    return _of_site(value, _AUTHOR, example)


def _sha256(value: str) -> str:
    digest = value.lower()
    if not _SHA256.fullmatch(digest):
        raise ValueError("it must be 64 hexadecimal digits: the SHA-256 of a document's text in UTF-8")
    if digest == OF_NO_TEXT:
        raise ValueError("it is the SHA-256 of no text at all")
    return digest


KINDS = {
    kind.name: kind
    for kind in (
        Kind("url", "https://example.org/page", "the document of this address", _url),
        Kind("url-prefix", "https://example.org/blog/", "of all addresses that begin so", _prefix),
        Kind("domain", "example.org", "of the domain and its subdomains", _domain),
        Kind("repository", "owner/name", "of a repository on GitHub", _repository),
        Kind("owner", "owner", "of all repositories of an owner", _owner),
        Kind("wikipedia", "en:Ada Lovelace", "a page: language and title", _page),
        Kind("arxiv", "2005.12345", "a paper, in any version", _paper),
        Kind("ebook", "1342", "an ebook of Project Gutenberg", _number),
        Kind("stackexchange-site", "cardano.stackexchange.com", "of a site", _site),
        Kind("stackexchange-post", "cardano.stackexchange.com/123", "that holds this question or answer", _post),
        Kind("stackexchange-user", "cardano.stackexchange.com/45", "that holds a post of this user", _user),
        Kind("id", "enwiki-1060-11660", "the document with this id, to the letter", str),
        Kind("sha256", "9f86d08188...", "whose text has this SHA-256", _sha256),
    )
}
