"""Notices at the top of source files: what goes, and what stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.code.header import strip_notices
from filters.code.header.kinds import Kind
from filters.code.header.notice import classify
from filters.code.header.syntax import syntax_of

MIT = """\
Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY.
"""
APACHE = """\
Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
"""
GPL = """\
This file is part of Gauge.

Gauge is free software: you can redistribute it and/or modify
it under the terms of the GNU General Public License as published by
the Free Software Foundation, either version 3 of the License, or
(at your option) any later version.

You should have received a copy of the GNU General Public License
along with Gauge.  If not, see <http://www.gnu.org/licenses/>.
"""
BSD = """\
Redistribution and use in source and binary forms, with or without
modification, are permitted provided that the following conditions are met:

1. Redistributions of source code must retain the above copyright notice.
2. Neither the names of Gauge Works, the Tide Office, nor the names of
   their contributors may be used to endorse or promote products derived from
   this software without specific prior written permission.
"""


def marked(text: str, mark: str) -> str:
    """The text as line comments, or the inside of a block comment."""
    return "".join(f"{mark}{line}".rstrip() + "\n" for line in text.split("\n")[:-1])


def block(text: str) -> str:
    return "/*\n" + marked(text, " * ") + " */\n"


CODE = "#include <stdio.h>\n#define TIDES 2\nint main(void) { return 0; }\n"

# name, extension, before, after
TABLE = [
    ("C with includes", "c", block("Copyright (c) 2026 A\n\n" + MIT) + "\n" + CODE, CODE),
    ("C without a notice", "c", CODE, CODE),
    ("C, one line", "h", "/* Copyright 2026 A. All rights reserved. */\n#ifndef A_H\n", "#ifndef A_H\n"),
    ("C, documentation first", "c", "/* Tides, by twelfths. */\n\n" + CODE, "/* Tides, by twelfths. */\n\n" + CODE),
    (
        "C, notice and documentation in one block",
        "c",
        "/*\n * tide.c - tides, by twelfths.\n *\n * Copyright (c) 2026 A\n *\n"
        + marked(GPL, " * ")
        + " *\n * Heights are centimetres.\n */\n"
        + CODE,
        "/*\n * tide.c - tides, by twelfths.\n *\n * Heights are centimetres.\n */\n" + CODE,
    ),
    (
        "C, author beside a notice",
        "c",
        "/*\n * File: tide.c\n * Author: A. Gauge <a@example.org>\n * Copyright (C) 2026 A. Gauge\n */\n" + CODE,
        CODE,
    ),
    ("C, author alone", "c", "/*\n * Author: A. Gauge\n */\n" + CODE, "/*\n * Author: A. Gauge\n */\n" + CODE),
    ("C, a box", "c", "/****************\n * Copyright 2026 A *\n ****************/\n" + CODE, CODE),
    ("C, two notices", "cpp", "// Copyright 2026 A\n\n" + block(BSD) + "\n" + CODE, CODE),
    (
        "Java with a notice",
        "java",
        block("Copyright 2026 A\n\n" + APACHE) + "package a;\n\n/** Tides. */\nclass A {}\n",
        "package a;\n\n/** Tides. */\nclass A {}\n",
    ),
    (
        "Java without a notice",
        "java",
        "/**\n * Tides, by twelfths.\n *\n * @author A\n */\npackage a;\n",
        "/**\n * Tides, by twelfths.\n *\n * @author A\n */\npackage a;\n",
    ),
    (
        "Go, a build tag",
        "go",
        "// Copyright 2026 The Tide Authors. All rights reserved.\n"
        "// Use of this source code is governed by a BSD-style\n"
        "// license that can be found in the LICENSE file.\n\n//go:build linux\n\n"
        "// Package tide has tides.\npackage tide\n",
        "//go:build linux\n\n// Package tide has tides.\npackage tide\n",
    ),
    (
        "JavaScript, a title",
        "js",
        "/*!\n * tide.js v1.2\n * (c) 2026 A\n * Released under the MIT License.\n */\n'use strict';\n",
        "/*!\n * tide.js v1.2\n */\n'use strict';\n",
    ),
    ("JavaScript, kept pragmas", "js", "// @flow\n// Copyright 2026 A\n\nlet a;\n", "// @flow\n\nlet a;\n"),
    (
        "Python with shebang and coding line",
        "py",
        "#!/usr/bin/env python\n# -*- coding: utf-8 -*-\n#\n"
        + marked("Copyright 2026 A\n\n" + APACHE, "# ")
        + '"""Tides."""\nimport os\n',
        '#!/usr/bin/env python\n# -*- coding: utf-8 -*-\n"""Tides."""\nimport os\n',
    ),
    (
        "Python, a docstring with a notice",
        "py",
        '"""\nTides, by twelfths.\n\n:copyright: (c) 2026 by A.\n'
        ':license: BSD, see LICENSE for more details.\n"""\n\nX = 1\n',
        '"""\nTides, by twelfths.\n"""\n\nX = 1\n',
    ),
    (
        "Python, a docstring that is documentation",
        "py",
        '"""Tells which licence a chart has, and whether its copyright has ended."""\nX = 1\n',
        '"""Tells which licence a chart has, and whether its copyright has ended."""\nX = 1\n',
    ),
    ("Python, SPDX", "py", "# SPDX-FileCopyrightText: 2026 A\n# SPDX-License-Identifier: MIT\nX = 1\n", "X = 1\n"),
    (
        "Markdown",
        "md",
        "# Copyright of tide tables\n\nCopyright 2026 A. All rights reserved.\n",
        "# Copyright of tide tables\n\nCopyright 2026 A. All rights reserved.\n",
    ),
    ("Markdown, a comment", "md", "<!-- Copyright 2026 A -->\n# Tides\n", "# Tides\n"),
    (
        "SQL",
        "sql",
        "-- Copyright (C) 2026 A\n-- All rights reserved.\n\n-- Gauges.\nSELECT 1;\n",
        "-- Gauges.\nSELECT 1;\n",
    ),
    (
        "SQL, a rule of dashes",
        "sql",
        "--------\n-- Gauges\n--------\nSELECT 1;\n",
        "--------\n-- Gauges\n--------\nSELECT 1;\n",
    ),
    (
        "Haskell",
        "hs",
        "{-# LANGUAGE GADTs #-}\n-- Copyright (c) 2026, A\n-- License: BSD3\n\n-- | Tides.\nmodule Tide where\n",
        "{-# LANGUAGE GADTs #-}\n-- | Tides.\nmodule Tide where\n",
    ),
    (
        "Haskell, a header of fields",
        "hs",
        "{- |\nModule    : Tide\nCopyright : (c) 2026 A\nLicense   : BSD3\n\nTides.\n-}\nmodule Tide where\n",
        "{- |\nModule    : Tide\n\nTides.\n-}\nmodule Tide where\n",
    ),
    ("Lua, a block", "lua", "--[[\nCopyright 2026 A\n" + MIT + "]]\nlocal a = 1\n", "local a = 1\n"),
    ("Lua, a long block", "lua", "--[==[ Copyright 2026 A ]] ]==]\nlocal a = 1\n", "local a = 1\n"),
    (
        "HTML",
        "html",
        "<!DOCTYPE html>\n<!--\n  Copyright 2026 A\n"
        "  Licensed under MIT (https://opensource.org/licenses/MIT)\n-->\n<p>a</p>\n",
        "<!DOCTYPE html>\n<p>a</p>\n",
    ),
    (
        "HTML, conditional",
        "html",
        "<!--[if IE]><p>old</p><![endif]-->\n<p>a</p>\n",
        "<!--[if IE]><p>old</p><![endif]-->\n<p>a</p>\n",
    ),
    ("XML", "xml", '<?xml version="1.0"?>\n<!-- Copyright 2026 A -->\n<a/>\n', '<?xml version="1.0"?>\n<a/>\n'),
    ("PHP", "php", "<?php\n/**\n * Copyright 2026 A\n * @license MIT\n */\n\nnamespace A;\n", "<?php\nnamespace A;\n"),
    ("Shell", "sh", "#!/bin/sh\n# Copyright 2026 A\nset -e\n", "#!/bin/sh\nset -e\n"),
    ("Batch", "bat", "@echo off\nREM Copyright 2026 A\nREM All rights reserved.\necho a\n", "@echo off\necho a\n"),
    (
        "TeX",
        "tex",
        "% Copyright 2026 A\n% This work may be distributed under the LaTeX license.\n\\section{A}\n",
        "\\section{A}\n",
    ),
    ("Fortran", "f90", "! Copyright 2026 A\nprogram tide\n", "program tide\n"),
    (
        "Fortran, fixed form",
        "f",
        "C     Copyright 2026 A\nC     All rights reserved.\n      PROGRAM TIDE\n",
        "      PROGRAM TIDE\n",
    ),
    ("Assembler", "asm", "; Copyright 2026 A\n#include <a.h>\nmov eax, 1\n", "#include <a.h>\nmov eax, 1\n"),
    ("Assembler, directives", "asm", "#include <a.h>\n# Copyright 2026 A\n", "#include <a.h>\n# Copyright 2026 A\n"),
    ("Visual Basic", "vb", "' Copyright 2026 A\nModule Tide\n", "Module Tide\n"),
    (
        "Ruby",
        "rb",
        "# frozen_string_literal: true\n\n# Copyright 2026 A\n\nx = 1\n",
        "# frozen_string_literal: true\n\nx = 1\n",
    ),
    ("Ruby, a block", "rb", "=begin\nCopyright 2026 A\n=end\nx = 1\n", "x = 1\n"),
    ("CMake", "cmake", "#[[\nCopyright 2026 A\n]]\nproject(a)\n", "project(a)\n"),
    ("PowerShell", "ps1", "<#\nCopyright 2026 A\n#>\n$a = 1\n", "$a = 1\n"),
    ("Julia", "jl", "#=\nCopyright 2026 A\n=#\na = 1\n", "a = 1\n"),
    ("CSS", "css", "/* Copyright 2026 A */\np { color: red }\n", "p { color: red }\n"),
    ("MATLAB", "m", "% Copyright 2026 A\nx = 1;\n", "x = 1;\n"),
    ("reStructuredText", "rst", ".. Copyright 2026 A\n   All rights reserved.\n\nTides\n=====\n", "Tides\n=====\n"),
    ("reStructuredText, a directive", "rst", ".. include:: LICENSE\n\nTides\n", ".. include:: LICENSE\n\nTides\n"),
    ("Makefile", "Makefile", "# Copyright 2026 A\nall:\n\techo a\n", "all:\n\techo a\n"),
    ("unknown", "xyz", "# Copyright 2026 A\n", "# Copyright 2026 A\n"),
    ("a notice behind code", "py", "x = 1\n# Copyright 2026 A\n", "x = 1\n# Copyright 2026 A\n"),
    ("behind imports", "py", '"""Tides."""\nimport os\n# Copyright 2026 A\n', '"""Tides."""\nimport os\n'),
    (
        "behind an import of many",
        "py",
        "from a import (\n  b,\n)\n# (c) 2026 A\nx = 1\n",
        "from a import (\n  b,\n)\nx = 1\n",
    ),
    ("behind a package", "java", "package a;\n\n/* Copyright 2026 A */\nclass A {}\n", "package a;\n\nclass A {}\n"),
    (
        "behind imports of Go",
        "go",
        'package a\n\nimport (\n"b"\n)\n\n// (c) 2026 A\nvar a int\n',
        'package a\n\nimport (\n"b"\n)\n\nvar a int\n',
    ),
    (
        "behind a guard",
        "h",
        "#ifndef A_H\n#define A_H\n/* Copyright 2026 A\n * SPDX-License-Identifier: MIT */\n\nint a;\n",
        "#ifndef A_H\n#define A_H\nint a;\n",
    ),
    ("behind strictness", "js", "'use strict';\n/* Copyright 2026 A */\nlet a;\n", "'use strict';\nlet a;\n"),
    (
        "behind a namespace",
        "php",
        "<?php\nnamespace A;\n\n// Copyright 2026 A\n$a = 1;\n",
        "<?php\nnamespace A;\n\n$a = 1;\n",
    ),
    (
        "a comment of minifiers",
        "css",
        "/*! Tide v1.2 | (c) 2026 A | MIT License */\n\n/* Lamps */\np {}\n",
        "/* Lamps */\np {}\n",
    ),
    (
        "words of licences in documentation",
        "cmake",
        "#[[\nFinds tides.\n\nMore details can be found in the documentation of the respective functions.\n]]\n"
        "# License: see above\n",
        "#[[\nFinds tides.\n\nMore details can be found in the documentation of the respective functions.\n]]\n",
    ),
    (
        "a sentence that ends in a notice",
        "py",
        "# Copyright (C) 2026 the tide authors\n# <see AUTHORS file>\n#\n# This module is part of tide and is released "
        "under\n# the BSD License: https://example.org/BSD\n\nx = 1\n",
        "x = 1\n",
    ),
    (
        "a sentence that begins within a line",
        "py",
        '"""Tides are fast on large charts and have optimizations for arrays. It is\nBSD-licensed.\n"""\nx = 1\n',
        '"""Tides are fast on large charts and have optimizations for arrays. It is\nBSD-licensed.\n"""\nx = 1\n',
    ),
    (
        "a sentence in which a licence is named",
        "py",
        "# This is the plain chart from the tide office modified for\n# use in the license of the lamp, "
        "a copyright 2 table\nx = 1\n",
        "# This is the plain chart from the tide office modified for\n# use in the license of the lamp, "
        "a copyright 2 table\nx = 1\n",
    ),
    (
        "an announcement",
        "c",
        "/*\n * Counts tides.\n *\n * The table is from A, under the following license:\n *\n"
        + marked("Copyright 2026 A\n\n" + MIT, " * ")
        + " */\nint a;\n",
        "/*\n * Counts tides.\n */\nint a;\n",
    ),
    ("code in the comment's line", "c", "/* Copyright 2026 A */ int a;\n", " int a;\n"),
    ("a comment that never ends", "c", "/* Copyright 2026 A\nint a;\n", "/* Copyright 2026 A\nint a;\n"),
    ("nothing but a notice", "py", "# Copyright 2026 A\n", ""),
    ("empty", "py", "", ""),
]


@pytest.mark.parametrize(("extension", "before", "after"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_notices_go_and_nothing_else(extension, before, after):
    stripped = strip_notices(before, syntax_of(extension))
    assert stripped.text == after
    assert stripped.removed == len(before) - len(after)


@pytest.mark.parametrize(("extension", "before", "after"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_a_second_time_changes_nothing(extension, before, after):
    assert strip_notices(after, syntax_of(extension)) == (after, 0)


# Lines of comments that speak of licences and the like, and are documentation.
DOCUMENTATION = [
    "Checks that the license key of a plugin is valid.",
    "Copies of the chart are kept for a year, see the license server's log.",
    "- (a) count the lamps, - (b) light them",
    "(c) count how many times a lamp was lit",
    "This library wraps a gauge, which is licensed under another license.",
    "Permission bits of the file, as chmod takes them.",
    "The warranty of a gauge ends after two years.",
    "Parses copyright statements.",
    "Redistributes the load over the lamps.",
    "Returns the confidential part of a message.",
    "@param license the name of a license",
]


@pytest.mark.parametrize("line", DOCUMENTATION)
def test_documentation_that_speaks_of_licences_stays(line):
    text = f"# (a) first\n# (b) second\n# {line}\nx = 1\n"
    assert strip_notices(text, syntax_of("py")) == (text, 0)


# References as projects write them.
NOTICES = [
    "Copyright (C) 2001-2026 A",
    "Copyright © 2026 A",
    "copyright 2026, A",
    "(C) Copyright 2026 A",
    "© 2026 and later: A, Inc. and others.",
    "Portions copyright (c) 2026 A.",
    "Copyright Contributors to the Tide project",
    "All Rights Reserved.",
    "@license MIT",
    "@copyright 2026 A",
    "License: BSD 3-clause",
    "SPDX-License-Identifier: Apache-2.0 OR MIT",
    "Licensed to the Apache Software Foundation (ASF) under one",
    "Distributed under the Boost Software License, Version 1.0.",
    "This file is part of GNU Tide.",
    "This software is released under the MIT license.",
    "This source code is licensed under the BSD-style license found in the",
    "See the LICENSE file for details.",
    "Dual licensed under the MIT and GPL licenses.",
    "This code is in the public domain.",
    "Use of this source code is governed by a BSD-style license that can be",
    "https://www.apache.org/licenses/LICENSE-2.0",
]


@pytest.mark.parametrize("line", NOTICES)
def test_each_form_of_notice_is_known(line):
    assert classify([line]) == [Kind.NOTICE]
    assert strip_notices(f"// {line}\nint a;\n", syntax_of("c")).text == "int a;\n"


def test_a_notice_that_is_known_already_goes_wherever_it_stands():
    notice = "# Copyright 2026 A. All rights reserved.\n"
    for before in ("", "#!/bin/sh\n", '"""Tides."""\n'):
        assert strip_notices(before + notice + CODE, syntax_of("py")).text == before + CODE
    assert strip_notices(notice + "// on\n", syntax_of("py")).text == "// on\n"


def test_a_sentence_that_runs_on_goes_whole():
    text = "# Copyright 2026 A, B and\n# C of the Tide Office\n#\n# Tides of the week.\nx = 1\n"
    assert strip_notices(text, syntax_of("py")).text == "# Tides of the week.\nx = 1\n"


def test_names_inside_a_licence_go_with_it():
    assert strip_notices(block(BSD) + CODE, syntax_of("c")).text == CODE


LINES = st.lists(
    st.one_of(
        st.sampled_from(
            ["# Copyright 2026 A", "# Tides.", "#", "", "x = 1", '"""', "#!/bin/sh", "# License: MIT", "/*", " */"]
        ),
        st.text("#/*-<>!\"' abC\t", max_size=12),
    ),
    max_size=14,
)


@given(LINES, st.sampled_from(["py", "c", "html", "sql", "lua", "hs", "rst", "bat", "f", "asm", "php"]))
def test_what_is_left_is_lines_of_the_text_and_does_not_change_again(lines, extension):
    text = "\n".join(lines)
    stripped = strip_notices(text, syntax_of(extension))
    assert len(stripped.text) + stripped.removed == len(text)
    rest = iter(text)
    assert all(character in rest for character in stripped.text)  # a subsequence
    assert strip_notices(stripped.text, syntax_of(extension)).text == stripped.text


@given(st.text("#/*-<>!\"' \n abcdefg=+;{}", max_size=200), st.sampled_from(["py", "c", "html", "sql", "lua", "hs"]))
def test_a_text_without_the_words_of_a_notice_stays(text, extension):
    assert strip_notices(text, syntax_of(extension)) == (text, 0)


@pytest.mark.parametrize(
    "text",
    [
        "/*" * 30_000,
        "// copyright " * 20_000,
        "".join(f"// this {'a ' * 190}copyright\n" for _ in range(160)),
        "# " + "license, " * 7_000 + "\n",
        "// license\n" * 6_000,
        "/* Copyright 2026 A */\n" * 3_000,
        "{-#" * 20_000,
        "<html" * 12_000,
    ],
)
def test_hostile_headers_cost_bounded_work(text):
    for extension in ("c", "py", "hs", "html"):
        stripped = strip_notices(text, syntax_of(extension))
        assert len(stripped.text) + stripped.removed == len(text)
