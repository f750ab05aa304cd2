"""Licence files: texts, what stands beside them, encodings."""

import pytest

from filters.code.licenses import LicenseGate, LicenseText
from samples.make_github import OUTPUT

GATE = LicenseGate()
REPOSITORIES = OUTPUT / "repositories"
MIT = (REPOSITORIES / "lantern-clock" / "LICENSE").read_text()
APACHE = (REPOSITORIES / "field-notes" / "LICENSE").read_text()
BODY = MIT[MIT.index("Permission") :]


def read(text: str, encoding: str = "utf-8") -> LicenseText:
    return GATE.read(text.encode(encoding))


def test_texts_are_recognised():
    names = ("lantern-clock/LICENSE", "tide-tables/COPYING", "field-notes/LICENSE", "odd-terms/LICENSE")
    found = [GATE.read((REPOSITORIES / name).read_bytes()).found for name in names]
    assert found == [{"MIT"}, {"BSD-3-Clause"}, {"Apache-2.0"}, set()]
    assert GATE.read(b"SPDX-License-Identifier: MIT OR Apache-2.0\n").found == {"MIT OR Apache-2.0"}
    assert GATE.read(b"").found == set()
    assert GATE.read(b"\xff\0" * 1000).found == set()
    assert GATE.read(MIT.encode() + b"\n" * 200_000).found == set()


@pytest.mark.parametrize(
    "text",
    [
        "The MIT License (MIT)\n\n" + MIT,
        "# The MIT License\n\nCopyright 2026 A\nAll rights reserved.\n\n" + BODY,
        "Tide License\n\n(c) 2026 A. All Rights Reserved.\n\n" + BODY,
        "Tide is released under the terms of the MIT license, reproduced below.\n\n=====\n\n" + MIT,
        "This project is licensed under the MIT License.\n\n" + MIT,
        MIT + "\n\nContributors:\n- A\n- B <b@example.org>\n",
        "<html><body><pre>" + MIT + "</pre></body></html>",
        "# License\n\nReleased under the [MIT license](https://opensource.org/licenses/MIT).\n\nCopyright (c) 2026 A\n",
        "The MIT License\n\nCopyright 2026 A\n\nSee https://opensource.org/licenses/MIT for more details.\n",
        "License: MIT",
        "MIT",
    ],
)
def test_what_adds_nothing(text):
    assert read(text) == LicenseText(frozenset(["MIT"]))


@pytest.mark.parametrize(
    "text",
    [
        MIT + "\n\nAdditional restriction: this software may be used for non-commercial purposes only.\n",
        '"Commons Clause" License Condition v1.0\n\nThe grant does not include the right to Sell.\n\n' + MIT,
        "The server is licensed under the GNU AGPL v3. The client library is licensed as follows.\n\n" + MIT,
        "Everything is covered by the Elastic License 2.0, except the folder x, which is MIT.\n\n" + MIT,
        "Files in ee/ are under another licence.\n\n" + MIT,
        "The client library is licensed under the MIT License.\n\n" + MIT,
        MIT + "\n\nThis does not apply to the folder ee/.\n",
        MIT + "\n\nLogos are CC BY-NC 4.0.\n",
        MIT + "\n\nFor commercial licenses, contact us.\n",
        MIT + "\n\nNur für nicht kommerzielle Zwecke.\n",
        MIT + "\n\nPlease don't train models on it.\n",
        MIT + "\n\nThis applies to everything but the enterprise directory.\n",
        MIT + "\n\nUsers in the EU need to purchase a key.\n",
        MIT + "\n\nVisible credit to A has to be shown on every page.\n",
        "Der Ordner pro ist nicht frei und darf nicht verwendet werden.\n\n" + MIT,
        MIT + "\n\nLe dossier pro est interdit de copie.\n",
        MIT + "\n\n禁止用于军事目的。\n",
        "Copyright 2026 A (for academic use only)\n\n" + BODY,
        MIT.replace("free of charge, to", "free of charge, for non-commercial purposes, to"),
        MIT.replace("\n\nThe above", "\n\nYou shall not use it for war.\n\nThe above"),
        "Apache License 2.0\n\n" + MIT,
        "Licensed under the Tide License 1.0, see below.\n\n" + MIT,
    ],
)
def test_whatever_adds_terms_makes_it_unknown(text):
    found = read(text)
    assert found.found == set()
    assert found.terms


def test_several_texts():
    both = read(MIT + "\n\nThe table in tides.c is licensed as follows:\n\n" + APACHE)
    assert both == LicenseText(frozenset(["MIT", "Apache-2.0"]))
    assert read(
        "This is available under either of the licenses found in LICENSE.MIT or LICENSE.APACHE."
    ) == LicenseText(frozenset(), points=True)
    assert read("See COPYING for details.").points


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "cp1252"])
def test_encodings(encoding):
    assert read(MIT.replace("(c)", "©"), encoding).found == {"MIT"}
