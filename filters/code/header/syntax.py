"""How languages write comments, by the extension of the file.

Only what can stand before a file's first code matters here: line comments, block comments, and the constructs before or
between them that are no comments and stay: ``#!``, ``<?php``, ``<!DOCTYPE``, ``@echo off``, Haskell's pragmas.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Syntax:
    """The comments of a language, as patterns that match at the place where they are tried.

    Attributes:
        line: A line comment's marker; None where the language has none.
        blocks: The begin and the end of each kind of block comment. An end may hold the begin's ``{level}``; an empty
            one is the next line that is not indented.
        passed: What is passed over, and stays.
    """

    line: re.Pattern[str] | None
    blocks: tuple[tuple[re.Pattern[str], str], ...] = ()
    passed: re.Pattern[str] | None = None


def _syntax(line: str | None, *blocks: tuple[str, str], passed: str | None = None) -> Syntax:
    return Syntax(
        re.compile(line, re.I) if line else None,
        tuple((re.compile(begin, re.I), end) for begin, end in blocks),
        re.compile(passed, re.I) if passed else None,
    )


_C_BLOCK = (r"/\*+!?(?!/)", "*/")
# The lines behind a "#" that are no comments: of the C preprocessor (in assembler), and Ruby's and Python's magic ones
# are told by the ``KEPT`` of ``notice``.
_DIRECTIVE = r"#(?!\s*(?:include|define|undef|if|ifdef|ifndef|elif|else|endif|pragma|error|line)\b)"

# What stands before a file's first code in every file of some languages: a notice may stand behind it. A statement that
# runs over lines has brackets around them.
_STRICT = r"[\"']use strict[\"'];?"
_IMPORT = (
    r"(?:package|import|using|module|export\s+\*\s+from)\s[^;(){}\n]{0,300}"
    r"(?:\([^()]{0,2000}\)|\{[^{}]{0,2000}\}[^;\n]{0,200})?;?"
)
_REQUIRE = r"(?:const|var|let)\s+[\w{}, \t]{1,200}=\s*require\([^()\n]{0,200}\);?"
_GUARD = r"ifndef\s+\w+\s+#[ \t]*define\s+\w+[ \t]*(?=\n)"
_PREPROCESSOR = rf"#[ \t]*(?:pragma\s+once|{_GUARD}|(?:include|import)\s[^\n]*)"

_C = _syntax("//", _C_BLOCK, passed=f"{_STRICT}|{_IMPORT}|{_REQUIRE}|{_PREPROCESSOR}")
_CSS = _syntax(None, _C_BLOCK, passed=r"@charset[^;\n]*;")
_PHP = _syntax(
    r"//|#(?!\[)", _C_BLOCK, passed=r"<\?(?:php\b|=)?|declare\([^()\n]{0,100}\);|(?:namespace|use)\s[^;{}\n]{0,300};"
)
_HASH = _syntax("#")
_PYTHON = _syntax(
    "#",
    (r'[ru]?"""', '"""'),
    (r"[ru]?'''", "'''"),
    passed=r"(?:from\s+[\w.]{1,200}\s+)?import\s+(?:\([^()]{0,2000}\)|[^\n]*)",
)
_RUBY = _syntax("#", (r"=begin\b", "\n=end"), passed=r"require(?:_relative)?[ (][^\n]*")
_PERL = _syntax("#", passed=r"(?:package|use|no)\s[^;\n]{0,300};")
_POWERSHELL = _syntax(r"#(?!>)", (r"<#+", "#>"))
_JULIA = _syntax(r"#(?!=)", (r"#=", "=#"))
_CMAKE = _syntax(r"#(?!\[=*\[)", (r"#\[(?P<level>=*)\[", "]{level}]"))
_SQL = _syntax(r"--|#", _C_BLOCK)
_HASKELL = _syntax(
    r"--+(?![!#$%&*+./<=>?@\\^|~:])",
    (r"\{-(?!#)", "-}"),
    passed=r"\{-#.*?#-\}|module\s[\w.]+\s+where|import\s[^\n]*",
)
_LUA = _syntax(r"--(?!\[=*\[)", (r"--\[(?P<level>=*)\[", "]{level}]"))
_BASIC = _syntax(r"'|rem\b")
_BATCH = _syntax(r"@?rem\b|::", passed=r"@echo\s+off\b[^\n]*")
_TEX = _syntax("%")
_MATLAB = _syntax(r"%(?!\{)|//", (r"%\{", "%}"), _C_BLOCK)  # .m is Objective-C, too
_FORTRAN = _syntax("!")
_FORTRAN_FIXED = _syntax(r"(?:^|(?<=\n))[c*d](?=[\s*=!-]|$)|!")
_ASSEMBLER = _syntax(rf";|//|@(?=\s|@)|!|\||{_DIRECTIVE}", _C_BLOCK)
_MARKUP = _syntax(None, (r"<!--", "-->"), passed=r"<\?xml[^>]*\?>|<!doctype[^\[>]*>|<html[^>]*>|<head>|<%@[^>]*%>")
_REST = _syntax(None, (r"(?:^|(?<=\n))\.\.(?=[ \t\n])(?![ \t]*(?:_|\[|\||[\w:.+-]+::))", ""))
_LISP = _syntax(";", (r"#\|", "|#"))
_ML = _syntax(None, (r"\(\*+(?!\))", "*)"))
_PASCAL = _syntax("//", (r"\(\*", "*)"), (r"\{(?!\$)", "}"))
_ADA = _syntax("--")
_PERCENT = _syntax("%")
_FSHARP = _syntax("//", (r"\(\*+(?!\))", "*)"))
_VIM = _syntax('"')

_GROUPS: tuple[tuple[Syntax, str], ...] = (
    (
        _C,
        "c h cs cpp hpp c++ h++ cc hh C H cxx hxx inl ino cu cuh go java js mjs cjs jsx rs scala sc ts tsx mts cts kt "
        "kts swift dart groovy gradle proto thrift sol v sv d zig mm less scss sass styl glsl vert frag hlsl metal",
    ),
    (_CSS, "css"),
    (_PHP, "php php3 php4 php5 phps phpt phtml"),
    (_PYTHON, "py pyi pyx pxd pyw"),
    (_HASH, "sh bash command zsh ksh fish smali dockerfile Dockerfile Makefile mk mak yaml yml toml tcl r R ex exs cr "
            "nim awk sed conf properties tf pp GNUmakefile Rakefile Gemfile"),
    (_RUBY, "rb rake gemspec"),
    (_PERL, "pl pm perl pod t"),
    (_POWERSHELL, "ps1 psd1 psm1"),
    (_JULIA, "jl"),
    (_CMAKE, "cmake"),
    (_SQL, "sql"),
    (_HASKELL, "hs lhs elm purs"),
    (_LUA, "lua"),
    (_BASIC, "vb vbs bas"),
    (_BATCH, "bat cmd"),
    (_TEX, "tex sty cls bib ltx"),
    (_MATLAB, "m"),
    (_FORTRAN, "f90 f95 f03 f08"),
    (_FORTRAN_FIXED, "f for f77 fpp F ftn"),
    (_ASSEMBLER, "asm s S"),
    (_MARKUP, "html htm xhtml xml md markdown xsl xslt xsd svg vue svelte"),
    (_REST, "rst"),
    (_LISP, "lisp lsp cl el clj cljs cljc scm ss rkt ini"),
    (_ML, "ml mli sml"),
    (_PASCAL, "pas pp dpr"),
    (_ADA, "adb ads vhd vhdl"),
    (_PERCENT, "erl hrl pro"),
    (_FSHARP, "fs fsi fsx"),
    (_VIM, "vim"),
)  # fmt: skip
_BY_EXTENSION: Mapping[str, Syntax] = MappingProxyType(
    {name: syntax for syntax, names in _GROUPS for name in names.split()}
)


def syntax_of(extension: str) -> Syntax | None:
    """The comments of the files with an extension; None where nothing is known of them.

    Args:
        extension: Without its dot, case as written; or the name of a file that has none, such as ``Makefile``.
    """
    return _BY_EXTENSION.get(extension) or _BY_EXTENSION.get(extension.lower())
