"""The licence gate: declarations, and what follows from licence files and metadata for a repository."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.code.licenses import UNRECOGNIZED, LicenseGate, LicenseText, Verdict
from samples.make_github import OUTPUT
from tests.tables import results

GATE = LicenseGate()
REPOSITORIES = OUTPUT / "repositories"


def read(name: str) -> LicenseText:
    return GATE.read((REPOSITORIES / name).read_bytes())


MIT, BSD3 = read("lantern-clock/LICENSE"), read("tide-tables/COPYING")
APACHE, ODD = read("field-notes/LICENSE"), read("odd-terms/LICENSE")


def of_one_licence(declared: str) -> str | None:
    """The licence of a declaration that is allowed, and names no other."""
    verdict = GATE.judge(declared)
    assert verdict == Verdict(verdict.expression, None, (verdict.expression,))
    return verdict.expression


test_declarations_of_one_licence = results(
    of_one_licence,
    {
        "mit": "MIT",
        "MIT License": "MIT",
        "The MIT License": "MIT",
        "apache-2.0": "Apache-2.0",
        "Apache License, Version 2.0": "Apache-2.0",
        "License :: OSI Approved :: Apache Software License": "Apache-2.0",
        "http://www.apache.org/licenses/LICENSE-2.0.txt": "Apache-2.0",
        "https://opensource.org/licenses/MIT": "MIT",
        "bsd-2-clause": "BSD-2-Clause",
        "Simplified BSD License": "BSD-2-Clause",
        "bsd-3-clause": "BSD-3-Clause",
        "New BSD License": "BSD-3-Clause",
        'BSD 3-Clause "New" or "Revised" License': "BSD-3-Clause",
    },
)


@pytest.mark.parametrize(
    ("declared", "expression", "chosen"),
    [
        ("MIT OR Apache-2.0", "MIT OR Apache-2.0", ["Apache-2.0", "MIT"]),
        ("MIT/Apache-2.0", "MIT OR Apache-2.0", ["Apache-2.0", "MIT"]),
        ("(MIT AND BSD-3-Clause)", "MIT AND BSD-3-Clause", ["BSD-3-Clause", "MIT"]),
        ("mit or gpl-2.0", "MIT OR GPL-2.0-only", ["MIT"]),
        ("MIT OR GPLv2", "MIT OR GPL-2.0-only", ["MIT"]),
        ("(MIT License) OR (Apache License, Version 2.0)", "MIT OR Apache-2.0", ["Apache-2.0", "MIT"]),
        ("MIT OR GNU General Public License v3 or later (GPLv3+)", "MIT OR GPL-3.0-or-later", ["MIT"]),
        ("Apache-2.0 WITH LLVM-exception", "Apache-2.0 WITH LLVM-exception", ["Apache-2.0"]),
    ],
)
def test_allowed_declarations(declared, expression, chosen):
    assert GATE.judge(declared) == Verdict(expression, None, tuple(chosen))


test_what_is_not_allowed_or_not_known_is_dropped = results(
    lambda declared: GATE.judge(declared).reason,
    {
        None: "no_license",
        "  ": "no_license",
        "BSD": "unknown_license",
        "UNLICENSED": "unknown_license",
        "SEE LICENSE IN TERMS": "unknown_license",
        "MIT AND": "unknown_license",
        "(": "unknown_license",
        "MIT " * 1000: "unknown_license",
        UNRECOGNIZED: "unknown_license",
        "gpl-3.0": "other_license",
        "MIT AND GPL-3.0-only": "other_license",
        "MIT-0": "other_license",
        "unlicense": "other_license",
        "GPL-2.0-only OR LGPL-2.1-only": "other_license",
    },
)


def test_another_list():
    gate = LicenseGate(["ISC"])
    assert gate.judge("isc").chosen == ("ISC",)
    assert gate.judge("MIT").reason == "other_license"
    with pytest.raises(ValueError, match="'mit' is no SPDX identifier"):
        LicenseGate(["mit"])


GPL = LicenseText(frozenset(["GPL-2.0-only"]))
MORE = LicenseText(frozenset(), "non-commercial use only")
POINTS = LicenseText(frozenset(), points=True)


@pytest.mark.parametrize(
    ("files", "declared", "expected"),
    [
        ({}, [], None),
        ({}, ["MIT"], "MIT"),
        ({}, ["custom"], "custom"),
        ({}, ["MIT", "BSD License"], "MIT"),
        ({}, ["MIT", "GPL-3.0-only"], "GPL-3.0-only AND MIT"),
        ({}, ["MIT", "License :: Other/Proprietary License"], "License :: Other/Proprietary License"),
        ({"LICENSE": MIT}, [], "MIT"),
        ({"LICENSE": MIT}, ["GPL-3.0-only"], "GPL-3.0-only AND MIT"),
        ({"LICENSE": MIT}, ["GPLv3 or commercial"], "GPLv3 or commercial"),
        ({"LICENSE": MIT}, ["UNLICENSED"], "UNLICENSED"),
        ({"LICENSE": BSD3}, ["BSD"], "BSD-3-Clause"),
        ({"LICENSE-MIT": MIT, "LICENSE-APACHE": APACHE}, [], "Apache-2.0 OR MIT"),
        ({"LICENSE-MIT": MIT, "LICENSE-APACHE": APACHE}, ["MIT OR Apache-2.0"], "MIT OR Apache-2.0"),
        ({"LICENSE": MIT, "COPYING": APACHE}, [], "Apache-2.0 AND MIT"),
        ({"LICENSE": MIT, "COPYING": APACHE}, ["MIT OR Apache-2.0"], "MIT OR Apache-2.0"),
        ({"LICENSE": MIT, "LICENSE.GPL": GPL}, ["(MIT OR GPL-2.0-only)"], "MIT OR GPL-2.0-only"),
        ({"LICENSE": MIT, "LICENSE.GPL": GPL}, ["MIT OR GPL-2.0-or-later"], "MIT OR GPL-2.0-or-later"),
        ({"LICENSE-MIT": MIT, "LICENSE-GPL": GPL}, [], "GPL-2.0-only AND MIT"),
        ({"LICENSE": POINTS, "LICENSE.MIT": MIT, "LICENSE.APACHE": APACHE}, ["MIT OR Apache-2.0"], "MIT OR Apache-2.0"),
        ({"LICENSE": POINTS}, ["MIT"], UNRECOGNIZED),
        ({"LICENSE": ODD}, [], UNRECOGNIZED),
        ({"LICENSE": ODD}, ["MIT"], UNRECOGNIZED),
        ({"LICENSE": MORE}, ["MIT"], UNRECOGNIZED),
        ({"LICENSE": MIT, "LICENSE.txt": MORE}, ["MIT"], UNRECOGNIZED),
    ],
)
def test_the_licence_of_a_repository(files, declared, expected):
    assert GATE.repository(files, declared) == expected


def test_a_bare_bsd_says_nothing_of_its_own():
    assert [GATE.is_unspecific(one) for one in ("BSD", "License :: OSI Approved :: BSD License", "BSD-3-Clause")] == [
        True,
        True,
        False,
    ]


def test_several_declarations_all_hold():
    assert GATE.all_of(["MIT"]) == "MIT"
    assert GATE.all_of(["MIT", "Apache License 2.0"]) == "Apache-2.0 AND MIT"
    assert GATE.judge(GATE.all_of(["MIT", "custom"])).reason == "unknown_license"
    assert GATE.all_of([]) is None


@settings(max_examples=200)
@given(st.text("MITANDORWH()+-. /:\"'2.0license\n", max_size=40) | st.text(max_size=30))
def test_any_declaration_is_judged(declared):
    verdict = GATE.judge(declared)
    assert (verdict.reason is None) == bool(verdict.chosen)
    if verdict.reason is None:
        assert GATE.judge(verdict.expression) == verdict
