"""What source files declare for themselves."""

import pytest

from filters.code.header.syntax import syntax_of
from filters.code.licenses.notices import OwnLicense
from tests.tables import results_of

OWN = OwnLicense()


def read(text: str, extension: str = "c"):
    return OWN.read(text, syntax_of(extension))


def told_by(place: str, text: str, extension: str) -> str | None:
    """The licence that a file names at a place; None where it names none."""
    found = read(text, extension)
    assert found is None or found[1] == place
    return found[0] if found else None


def declared(*lines: str) -> str | None:
    found = read("/*\n" + "".join(f" * {line}\n" for line in lines) + " */\nint a;\n")
    return found[0] if found else None


test_spdx_lines = results_of(
    lambda extension, text: told_by("SPDX line", text, extension),
    {
        "c": {
            "// SPDX-License-Identifier: GPL-2.0-only\nint a;\n": "GPL-2.0-only",
            "/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */\nint a;\n": "GPL-2.0-only OR MIT",
        },
        "py": {
            "# SPDX-License-Identifier: MIT\nx = 1\n# SPDX-License-Identifier: GPL-3.0-only\n": "GPL-3.0-only AND MIT",
            "# SPDX-License-Identifier: LicenseRef-Secret\n": "LicenseRef-Secret",
            'x = "SPDX-License-Identifier: GPL-2.0-only"\n': None,
            "print('# SPDX-License-Identifier: GPL-2.0-only')\n": None,
        },
        "md": {"<!-- SPDX-License-Identifier: CC-BY-NC-4.0 -->\n# A\n": "CC-BY-NC-4.0"},
        "unknown": {"SPDX-License-Identifier: MIT\n": "MIT"},
    },
)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            [
                "This program is free software: you can redistribute it under the terms of the",
                "GNU General Public License.",
            ],
            "GPL",
        ),
        (["Licensed under the GNU Lesser General Public", "License v3."], "LGPL"),
        (["Released under GPLv2"], "GPL"),
        (["This Source Code Form is subject to the terms of the Mozilla Public License, v. 2.0."], "MPL"),
        (["Available under a Creative Commons Attribution-NonCommercial license"], "CC AND non-commercial"),
        (["Copyright 2026 A. All rights reserved.", "PROPRIETARY AND CONFIDENTIAL."], "proprietary"),
        (["Copyright 2026 A. Unauthorized copying of this file is strictly prohibited."], "proprietary"),
        (["(c) 2026 A. For academic use only."], "non-commercial"),
        (["Permission to use, copy, modify, and distribute this software is granted."], "ISC"),
        (["This code is in the public domain."], "public-domain"),
        (["All advertising materials mentioning features of this software must, copyright 2026 A"], "BSD-4-Clause"),
        (["Licensed under the Apache License, Version 2.0"], "Apache-2.0"),
        (["Permission is hereby granted, free of charge, to any person"], "MIT"),
        (["Dual licensed under the MIT and GPL licenses."], "MIT"),
        (["Licensed under the Apache License 2.0 or the MIT license, at your option."], "MIT OR Apache-2.0"),
        (["Licensed under the GPL; alternatively, under the terms of the MIT license."], "MIT"),
        (["Licensed under the GPL, see COPYING. It wraps a library under the MIT license."], "GPL"),
        (["Use of this source code is governed by a BSD-style license, see LICENSE."], None),
        (["Copyright 2026 A. All rights reserved."], None),
        (["May not be copied, modified, or distributed except according to those terms. (c) 2026 A"], None),
        (["Neither the name of A may be used to endorse products", "copyright 2026 A"], "BSD-3-Clause"),
        (["This file is for non-commercial use only."], "non-commercial"),
        (["CONFIDENTIAL: this file holds trade secrets of A."], "proprietary"),
        (["This file is made by a program and must not be modified."], None),
        (["Counts the confidential machines of a cloud."], None),
        (["Reads a proprietary format."], None),
        (["Licensed under the Tide Community License 1.0."], "tide community license"),
        (["Copyright 2026 A. No part of this file may be reproduced."], "proprietary"),
        (["Licensed to A under one or more contributor license agreements."], None),
        (["This file is distributed under the same license as the package."], None),
        (["Reads graphs of a library, which is in the public domain, copyright or not."], None),
    ],
)
def test_notices(lines, expected):
    assert declared(*lines) == expected


test_what_programs_say_of_themselves = results_of(
    lambda extension, text: told_by("notice", text, extension),
    {
        "py": {
            'x = 1\n__license__ = "GPLv3"\n': "GPL",
            "__license__: str = 'MIT'\n": "MIT",
            '__license__ = "see LICENSE"\n': None,
            'print("__license__ = GPL")\n': None,
        },
        "c": {
            'int a;\nMODULE_LICENSE("GPL v2");\n': "GPL",
            'int a;\nMODULE_LICENSE("Dual MIT/GPL");\n': "MIT",
        },
    },
)


def test_an_spdx_line_decides_over_a_notice_but_not_over_a_ban():
    both = "// SPDX-License-Identifier: MIT\n// {}\nint a;\n"
    assert read(both.format("Licensed under the GPL.")) == ("MIT", "SPDX line")
    assert read(both.format("Copyright A, proprietary and confidential.")) == ("proprietary", "notice")


def test_a_notice_behind_imports_counts():
    assert read('package a\n\nimport "b"\n\n// Licensed under the GPL.\n\nvar c int\n', "go") == ("GPL", "notice")
    assert read("int a;\n// Licensed under the GPL.\n") is None
