"""Macros: literal TeX in, literal text out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.latex.assemble import Files
from filters.latex.commands import PRIMITIVES
from filters.latex.expand import Expander
from filters.latex.limits import Limits
from filters.latex.tokens import COMMENT_END, KERNEL
from tests.tables import results


def run(tex: str, limits: Limits | None = None, **files: str) -> tuple[str, Expander]:
    everything = {"main.tex": tex.encode()} | {name.replace("__", "."): text.encode() for name, text in files.items()}
    expander = Expander(Files(everything, "main.tex"), limits or Limits(), PRIMITIVES)
    return expander.run("main.tex").replace(KERNEL, ""), expander


def expanded(tex: str) -> str:
    return run(tex)[0]


test_definitions_are_carried_out_and_uses_expanded = results(
    expanded,
    {
        # \newcommand and its kin
        r"\newcommand{\R}{\mathbb{R}}$x\in\R$": r"$x\in\mathbb{R}$",
        r"\newcommand\R{\mathbb{R}}$\R$": r"$\mathbb{R}$",
        r"\newcommand  {\A}  {\boldsymbol{A}}$\A$": r"$\boldsymbol{A}$",
        r"\newcommand*{\R}{Q}\renewcommand{\R}{\mathbb{R}}$\R$": r"$\mathbb{R}$",
        r"\newcommand{\a}{1}\providecommand{\a}{2}\providecommand{\bb}{3}\providecommand{\alpha}{4}\a\bb\alpha": (
            r"13\alpha"
        ),
        r"\DeclareRobustCommand{\a}[1]{<#1>}\a{x}": "<x>",
        r"\newcommand{\pair}[2]{(#1, #2)}\pair{a}{b}": "(a, b)",
        r"\newcommand{\pair}[2]{(#2, #1)}\pair ab": "(b, a)",
        r"\newcommand{\n}[9]{#9#8#7#6#5#4#3#2#1}\n123456789": "987654321",
        r"\newcommand{\v}[1]{\mathbf{#1}}$\v\alpha$": r"$\mathbf{\alpha}$",
        r"\newcommand\bl\relax\newcommand{\x}1\x": "1",
        # optional arguments
        r"\newcommand{\n}[2][p]{\|#2\|_{#1}}$\n{x}, \n[2]{x}$": r"$\|x\|_{p}, \|x\|_{2}$",
        r"\newcommand{\n}[1][p]{<#1>}\n \n[q] \n[{]}]": "<p> <q> <]>",
        r"\newcommand{\n}[2][]{<#1|#2>}\n[a[b]{c}": r"<a[b|c>",
        # \def: delimited parameters, ## in definitions within definitions
        r"\def\swap#1,#2;{#2,#1;}\swap a,b;": "b,a;",
        r"\def\sec #1.{[#1]}\sec Introduction.": "[Introduction]",
        r"\def\f#1\to#2 {#1>#2.}\f{a}\to b \f a\to{bc} x": "a>b.a>bc.x",
        r"\def\CEE/{C}\CEE/ and \CEE/.": "C and C.",
        r"\def\o#1{\def\i##1{##1-#1}}\o{b}\i{a}": "a-b",
        r"\def\a{\b}\def\b{x}\a\def\b{y}\a": "xy",
        r"\def\b{x}\edef\a{\b}\def\b{y}\a\b": "xy",
        r"\def\.#1{<#1>}\.a\.{bc}": "<a><bc>",
        r"\long\def\a#1{<#1>}\a{x}": "<x>",
        r"\define\a{x}\redefine\a{y}\a": "y",
        r"\newcommand{\define}[1]{\emph{#1}}\define{x}": r"\emph{x}",
        r"\lref\one{A. Author, {\it J.} 1}see \one, \lref{x}": r"see \one, \lref{x}",
        # \let
        r"\let\e\epsilon\let\f=\varphi\let\g = \gamma$\e\f\g$": r"$\epsilon\varphi\gamma$",
        r"\def\a{1}\let\b\a\def\a{2}\b\a": "12",
        r"\let\nc\newcommand\nc{\x}{X}\x": "X",
        r"\let\old\emph\renewcommand{\emph}[1]{\textbf{\old{#1}}}\emph{x}": r"\textbf{\emph{x}}",
        r"\def\nc{\newcommand}\nc{\x}[1]{<#1>}\x y": "<y>",
        r"\let\lb={\let\star=*\star": "*",
        # operators and delimiters
        r"\DeclareMathOperator{\tr}{Tr}$\tr A$": r"$\operatorname{Tr} A$",
        r"\DeclareMathOperator*{\am}{arg\,min}$\am_x$": r"$\operatorname*{arg\,min}_x$",
        r"\DeclareMathOperator{\Fix0}{Fix_0}$\Fix0 x$": r"$\operatorname{Fix_0} x$",
        r"\DeclarePairedDelimiter{\abs}{\lvert}{\rvert}$\abs{x}\abs*{x}\abs[\big]{x}$": (
            r"$\lvert x\rvert\left\lvert x\right\rvert\big\lvert x\big\rvert$"
        ),
        (
            r"\DeclarePairedDelimiterX{\inn}[2]{\langle}{\rangle}{#1\delimsize|#2}"
            r"$\inn{x}{y}\inn*{x}{y}\inn[\big]{x}{y}$"
        ): (r"$\langle x|y\rangle\left\langle x\middle|y\right\rangle\big\langle x\big|y\big\rangle$"),
        r"\DeclarePairedDelimiterXPP\nrm[1]{\lim}{\|}{\|}{_2}{#1}$\nrm{x}\nrm*{x}$": (
            r"$\lim\|x\|_2\lim\left\|x\right\|_2$"
        ),
        # arguments with defaults in other places, and texts with fonts
        r"\newcommandx{\f}[3][1=a, 3={b,c}]{<#1|#2|#3>}\f{x}\f[d]{x}[e]": "<a|x|b,c><d|x|e>",
        r"\newcommandx\f[2][2]{<#1|#2>}\f{x}\f{x}[y]": "<x|><x|y>",
        r"\newcommandx*{\f}[2][usedefault, addprefix=\global, 1=a=b]{<#1|#2>}\f{x}\f[c]{x}": "<a=b|x><c|x>",
        r"\newcommandtwoopt{\f}[3][a][b]{<#1|#2|#3>}\f{x}\f[c]{x}\f[c][d]{x}": "<a|b|x><c|b|x><c|d|x>",
        r"\DeclareTextFontCommand{\strong}{\bfseries}\strong{x}": r"{\bfseries x}",
        r"\LetLtxMacro\a\alpha\NewCommandCopy{\b}{\a}$\a\b$": r"$\alpha\alpha$",
        # a parameter that ends before a brace
        r"\def\a#1#{<#1>\emph}\a x{y}\a{z}": r"<x>\emph{y}<>\emph{z}",
        r"\def\a#{\emph}\a{z} \a z": r"\emph{z} \a z",
        # a delimiter that is a command takes the braces that end its name
        r"\def\a#1\end{<#1>}\a x\end{}y": "<x>y",
        # xparse
        r"\NewDocumentCommand{\x}{m o m}{#1\IfNoValueTF{#2}{-}{(#2)}#3}\x{a}{b}\x{a}[c]{b}": "a-ba(c)b",
        r"\NewDocumentCommand\x{s O{d} m}{\IfBooleanTF{#1}{*}{.}#2#3}\x{a}\x*[e]{b}": ".da*eb",
        r"\NewDocumentCommand\x{r() d<> t+}{#1|\IfValueT{#2}{#2}|\IfBooleanT#3{plus}}\x(a)\x(b)<c>+": "a||b|c|plus",
        # a macro whose replacement asks for arguments that stand behind it
        r"\newcommand{\b}[2]{<#1|#2>}\newcommand{\a}{\b}\a{x}{y}": "<x|y>",
        r"\newcommand{\b}[2]{<#1|#2>}\newcommand{\a}{\b{x}}\a y": "<x|y>",
        # uses in the arguments of others, and of themselves
        r"\newcommand{\v}[1]{\mathbf{#1}}\newcommand{\w}{w}$\v{\v{\w}}$": r"$\mathbf{\mathbf{w}}$",
        # unknown commands stay, and so do uses whose arguments are missing
        r"\foo{a} \newcommand{\x}[1]{<#1>}{\x}": r"\foo{a} {\x}",
        r"\expandafter\def\csname a:1\endcsname{x}": r"\expandafter\def\csname a:1\endcsname{x}",
    },
)


test_expansions_read_well = results(
    expanded,
    {
        # blanks after a use stay; an empty group that ends a name goes
        r"\def\foo{text}\foo bar \foo{}bar \foo, \foo\ bar": r"text bar textbar text, text\ bar",
        "\\def\\foo{text}\\foo\nbar": "text\nbar",
        r"\def\R{\mathbb R}$\R{}^n$": r"$\mathbb R{}^n$",
        # control words and letters do not fuse
        r"\newcommand{\p}[1]{#1\quad}\p{\alpha}The \p{x}end": r"\alpha\quad The x\quad end",
        r"\newcommand{\p}[1]{\textbf{#1}\to}\newcommand{\q}{\p{\R}}\newcommand{\R}{R}\q S\q{}S": (
            r"\textbf{R}\to S\textbf{R}\to S"
        ),
        r"\def\a{\alpha}$\a b\a{}b$": r"$\alpha b\alpha{}b$",
        r"\def\a#1{\alpha#1}\def\b#1{#1b}$\a{b}\b{\beta}$": r"$\alpha b\beta b$",
        r"\def\x{x}$\cdot\x$": r"$\cdot x$",
        r"\def\m#1{\mathbf#1}$\m x\m{x}$": r"$\mathbf x\mathbf x$",
        r"\def\a{\b}\def\b{\beta}\def\c{c}$\a\c$": r"$\beta c$",
        # braces where a replacement is an unbraced argument
        r"\def\h{1+1}\def\q{\mathbb{Q}}$\frac\h\q$": r"$\frac{1+1}{\mathbb{Q}}$",
        r"\def\h{1+1}$\frac12\h \frac{a}\h \sqrt[3]\h$": r"$\frac12 1+1 \frac{a}{1+1} \sqrt[3]{1+1}$".replace(
            "2 1", "21"
        ),
        r"\def\R{\mathbb{R}}$x^\R, x_\R$": r"$x^{\mathbb{R}}, x_{\mathbb{R}}$",
        r"\def\a{\alpha}$x^\a \hat\a$": r"$x^\alpha \hat\alpha$",
        r"\newcommand{\v}[1]{\mathbf{#1}}$\hat\v{x}$": r"$\hat{\mathbf{x}}$",
        # xspace
        r"\newcommand{\eg}{e.g.\xspace}\eg foo, \eg, (\eg) \eg1 \eg{}x": "e.g. foo, e.g., (e.g.) e.g. 1 e.g.x",
        r"\newcommand{\eg}{\emph{e.g.}\xspace}\eg\eg": r"\emph{e.g.} \emph{e.g.}",
        # lines: a definition alone on its line takes the line along, comments in bodies join lines
        "a\n\\newcommand{\\x}{y}\nb \\x\n": "a\nb y\n",
        "a\n  \\def\\x{y}  % why\nb\n": "a\nb\n",
        "\\newcommand{\\x}[1]{%\n  \\textbf{#1}%\n  !}\na \\x{%\n b} c": "a \\textbf{b}! c",
        "\\newcommand{\\x}{\n  y\n}\na \\x\nb": "a  y \nb",
        "\\newcommand{\\todo}[1]{}\na\n\\todo{b}\nc": "a\nc",
    },
)


test_environments = results(
    expanded,
    {
        r"\def\be{\begin{equation}}\def\ee{\end{equation}}\be x\ee": r"\begin{equation} x\end{equation}",
        r"\newcommand{\beq}[1]{\begin{equation}\label{#1}}\beq{a}": r"\begin{equation}\label{a}",
        r"\newenvironment{eq}{\begin{equation}}{\end{equation}}\begin{eq}x\end{eq}": r"\begin{equation}x\end{equation}",
        r"\newenvironment{thm}[2][T]{\textbf{#1 #2.}}{\qed}\begin{thm}{1}x\end{thm}\begin{thm}[L]{2}y\end{thm}": (
            r"\textbf{T 1.}x\qed\textbf{L 2.}y\qed"
        ),
        r"\newenvironment{a}{<}{>}\newenvironment{b}{\begin{a}}{\end{a}}\begin{b}x\end{b}": "<x>",
        r"\NewDocumentEnvironment{e}{O{d}}{<#1:}{>}\begin{e}x\end{e}\begin{e}[f]y\end{e}": "<d:x><f:y>",
        r"\newenvironment{e}[1]{\def\n{#1}}{(\n)}\begin{e}{z}x\end{e}": "x(z)",
        "\\includecomment{long}\n\\begin{long}\nx\n\\end{long}\ny": "x\ny",
        "\\newenvironment{hide}{}{}\n\\begin{hide}\nx\n\\end{hide}\ny": "x\ny",
        # names that every reader knows stay, whatever they are made to look like
        r"\renewenvironment{proof}{\emph{Proof}}{\qed}\begin{proof}x\end{proof}": r"\begin{proof}x\end{proof}",
        r"\renewcommand{\section}[1]{\textbf{#1}}\section{A}": r"\section{A}",
    },
)


test_definitions_end_with_their_group = results(
    expanded,
    {
        r"\def\a{1}{\def\a{2}\a}\a": "{2}1",
        r"\def\a{1}{\gdef\a{2}\a}\a": "{2}2",
        r"\def\a{1}{{\global\def\a{2}}\a}\a": "{{}2}2",
        r"\def\a{1}\begin{center}\def\a{2}\a\end{center}\a": r"\begin{center}2\end{center}1",
        r"\def\a{1}\begingroup\def\a{2}\a\endgroup\a": r"\begingroup2\endgroup1",
        r"{\newcommand{\a}{2}\a}\a": r"{2}\a",
        # unbalanced sources
        r"\def\a{1}}\a{\a": "}1{1",
        r"\def\a{1}\begin{x}\def\a{2}\begin{y}\a\end{x}\a": r"\begin{x}\begin{y}2\end{x}1",
    },
)


def test_definitions_in_the_arguments_of_a_preambles_commands() -> None:
    """A choice defines for the document; any other command's argument is a group, and a hook is code for elsewhere."""
    tex = (
        r"\documentclass{a}\IfFileExists{x.sty}{}{\newcommand{\a}{1}}{\newcommand{\b}{2}}\def\c{3}"
        r"\somestyle{key/.code={\def\c{4}}}\makeatletter\@ifpackagewith{x}{y}{\newcommand{\z}{5}}{}\makeatother"
        r"\begin{document}\a\b\c\z\end{document}\a"
    )
    assert run(tex)[0] == r"1\b35"


def test_at_is_a_letter_between_makeatletter_and_makeatother() -> None:
    tex = r"\makeatletter\def\my@x{1}\def\x{\my@x}\makeatother\x, \my@x"
    assert run(tex)[0] == r"1, \my@x"
    tex = r"\catcode`\@=11 \def\my@x{1}\def\my{2}\def\x{\my@x}\catcode`@=12\x\my@x\catcode`\%=12"
    assert run(tex)[0] == r"12@x\catcode`\%=12"


@pytest.mark.parametrize(
    ("tex", "text"),
    [
        (r"\def\a{\a}\a b", r"\a b"),
        (r"\def\a{x\a y}\a b", r"\a b"),
        (r"\def\a{x\a y}\newcommand{\b}[1]{<#1>}\b{\a}\b{1}", r"<\a><1>"),
        (r"\def\a{<\b>}\def\b{(\a)}\a\b", r"\a(\a)"),
        (r"\def\a#1{\a{#1}}\a{x} \newcommand{\b}{ok}\b", r"\a{x} ok"),
        (r"\newenvironment{e}{\begin{e}}{\end{e}}\begin{e}x\end{e}", r"\begin{e}x\end{e}"),
    ],
)
def test_endless_macros_stay(tex: str, text: str) -> None:
    result, expander = run(tex)
    assert result == text
    assert expander.counters["recursion"] >= 1


def test_exponential_macros_stay_and_the_paper_is_kept() -> None:
    chain = "".join(rf"\def\{chr(98 + i)}{{\{chr(97 + i)}\{chr(97 + i)}}}" for i in range(25))
    tex = rf"\def\a{{xxxxxxxxxx}}{chain}\def\A{{ok}}before \z after \A \b"
    result, expander = run(tex, Limits(use=10_000))
    assert result == r"before \z after ok xxxxxxxxxxxxxxxxxxxx"
    assert expander.counters["growth"] == 1


def test_growth_of_a_whole_paper_is_capped() -> None:
    limits = Limits(growth=2, slack=1000)
    tex = r"\def\a{" + "x" * 100 + "}" + r"\a" * 1000
    result, expander = run(tex, limits)
    assert expander.grown <= limits.growth * len(tex) + limits.slack + 120
    assert expander.counters["expanded"] + expander.counters["budget"] == 1000
    assert result == "x" * 100 * expander.counters["expanded"] + r"\a" * expander.counters["budget"]


def test_programs_stay() -> None:
    tex = r"\def\a#1{\expandafter\b\csname#1\endcsname}\def\v{\catcode`\%=12 }\a{x}\v y"
    assert run(tex)[0] == r"\a{x}\v y"


def test_macros_made_of_the_kernels_internals_stay() -> None:
    tex = r"\makeatletter\def\my@x{1}\def\x{\my@x}\def\y#1{\@bsphack#1\@esphack}\makeatother\x\y{a}"
    assert run(tex)[0] == r"1\y{a}"


def test_a_macro_that_is_endless_stays_so_when_it_is_defined_anew() -> None:
    result, expander = run(r"\def\b{\def\a{<\a>}\a}\b\b\b")
    assert result == r"\a\a\a"
    assert expander.counters["recursion"] == 1


test_code_that_is_not_text = results(
    expanded,
    {
        # code for another time: nothing of it is the text's
        r"\pdfstringdefDisableCommands{\def\mu{m}\def\sqrt#1{s}\def\\{}}$\mu\sqrt{2}\\$": r"$\mu\sqrt{2}\\$",
        r"\def\x{1}\AtBeginEnvironment{quote}{\def\x{2}}\x\begin{quote}\x\end{quote}": r"1\begin{quote}1\end{quote}",
        r"\def\x{1}\AtEndDocument{\gdef\x{2}}\everymath={\gdef\x{3}}\AddToHook{env/a/before}{\gdef\x{4}}\x": "1",
        r"\makeatletter\def\x{1}\g@addto@macro\y{\gdef\x{2}}\addto\captionsenglish{\gdef\x{3}}\x": "1",
        r"\patchcmd{\x}{a}{b}{}{}\pretocmd\x{\gdef\y{1}}{}{}\y": r"\y",
        r"\def\x{b}\appto\x{c}{\gpreto\x{a}}\x": "{}abc",
        # what is written elsewhere is not written here
        "a\n\\typeout{x}\n\\wlog{y}\nb": "a\nb",
        r"\immediate\write16{x}\write\out{y}\message{z}\immediate\openout\out=f.aux \closeout\out.": ".",
        r"\def\eq#1{\immediate\write16{#1}(#1)}\eq{a}": "(a)",
        # unless the author means something else by the name
        r"\renewcommand{\message}[1]{m_{#1}}\message{x}\def\show{s}\show": "m_{x}s",
        r"\renewcommand{\or}{\vee}$a\or b$": r"$a\vee b$",
        # the kernel's own choices
        r"\makeatletter\let\todo\@gobble\let\draft\@secondoftwo\makeatother a\todo{hidden}b\draft{c}{d}": " abd",
        r"\makeatletter\def\f{\@dblarg\g}\def\g[#1]#2{#1/#2;}\makeatother\f[a]{b}\f{c}": "a/b;c/c;",
        r"\makeatletter\def\f{\@testopt\g{z}}\def\g[#1]#2{#1/#2;}\makeatother\f[a]{b}\f{c}": "a/b;z/c;",
        r"\makeatletter\newcommand\f{\@dblarg\f@}\def\f@[#1]#2{#1/#2;}\makeatother\f[a]{b}\f{c}": "a/b;c/c;",
        r"\makeatletter\newcommand\f{\@ifstar\f@s\f@n}\def\f@s{s}\def\f@n{n}\makeatother\f*\f.": "sn.",
        # boxes hold what only TeX knows
        r"\newbox\b\setbox\b\hbox{x}\def\chi{\copy\b}\def\y{\chi}$\chi\y$": r"\newbox\b\setbox\b\hbox{x}$\chi\y$",
        r"\newcommand{\pic}{\usebox{\b}}\pic": r"\pic",
        # names of commands that are carried out, and of LaTeX's own
        r"\let\Be\begin\let\En\end\Be{equation}x\En{equation}\Be": r"\begin{equation}x\end{equation}\begin",
        r"\let\tt\iftrue\tt a\fi\let\inp\input\inp{no}": "a",
        r"\def\TeX{\let\B\begin T}\TeX\B{a}\def\heading#1{<#1>}\heading{x}": r"T\begin{a}<x>",
        r"\def\env{equation}\begin{\env}x\end{\env}": r"\begin{equation}x\end{equation}",
    },
)


def test_the_beginnings_hook_is_run_at_the_beginning() -> None:
    tex = (
        r"\documentclass{a}\makeatletter\AtBeginDocument{\renewcommand{\x}{2}\def\y@{3}\def\z{\y@}}\makeatother"
        r"\newcommand{\x}{1}\AddToHook{begindocument}{\def\w{4}}\begin{document}\x\z\w\AtBeginDocument{5}"
    )
    assert run(tex)[0] == "2345"


def test_groups_that_an_endless_macro_has_opened_are_closed() -> None:
    result, expander = run(r"\def\b{1}\def\a{{\def\b{2}\a}}\a{\def\b{3}}\b")
    assert result == r"\a{}1"
    assert expander.scopes.groups == []


def test_reports_what_was_defined_and_expanded() -> None:
    _, expander = run(r"\def\a{1}\newcommand{\b}{\a\a}\b\b\c")
    assert expander.defined == {"a", "b"}
    assert expander.counters["expanded"] == 6


LET = st.sampled_from(
    ["\\a", "\\b", "\\alpha", "\\csname", "=", " ", "\\ ", "\\=", "x", "{", "}", "\\relax", "\t", "1"]
)


@given(st.lists(LET, max_size=6).map("".join))
def test_let_on_one_line_is_let_on_two(rest):
    before, after = "\\def\\b{B}\\makeatletter ", "|\\a \\b x"
    one, _ = run(f"{before}\\let{rest}{after}")
    two, _ = run(f"{before}\\let%\n{rest}{after}")  # which is read step by step
    assert one == two.replace(f"{COMMENT_END}\n", "")
