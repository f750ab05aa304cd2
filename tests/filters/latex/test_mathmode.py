r"""\ensuremath and \ifmmode, decided by what stands around them."""

from filters.latex.mathmode import resolve_math_mode
from tests.tables import results

test_resolve_math_mode = results(
    resolve_math_mode,
    {
        r"a \ensuremath{x} b": "a $x$ b",
        r"$a \ensuremath{x} b$": "$a x b$",
        r"\[a\ensuremath{x}\] \ensuremath{y}": r"\[ax\] $y$",
        r"\(\ensuremath{x}\)\ensuremath{y}": r"\(x\)$y$",
        r"$$\ensuremath{x}$$ \ensuremath{y}": "$$x$$ $y$",
        r"\begin{align*}\ensuremath{x}\end{align*}\ensuremath{y}": r"\begin{align*}x\end{align*}$y$",
        r"\begin{theorem}\ensuremath{x}\end{theorem}": r"\begin{theorem}$x$\end{theorem}",
        r"$x^\ensuremath{ab}_\ensuremath{c}\hat\ensuremath{de}$": r"$x^{ab}_{c}\hat{de}$",
        r"$\ensuremath{\alpha}b\cdot\ensuremath{a}$": r"$\alpha b\cdot a$",
        r"\ensuremath{x}\ensuremath{y}": "$x y$",
        r"\ensuremath{\mathcal{\ensuremath{x}}}": r"$\mathcal{x}$",
        r"$\text{if \ensuremath{x}} \ensuremath{y}$": r"$\text{if $x$} y$",
        r"\$5 \ensuremath{x}": r"\$5 $x$",
        "$broken\n\n\\ensuremath{x}": "$broken\n\n$x$",
        r"\ensuremath{x": r"\ensuremath{x",
        r"a \ifmmode x\else $x$\fi b": "a $x$ b",
        r"$a \ifmmode x\else $x$\fi b$": "$a x b$",
        r"\ifmmode x\fi y": "y",
        r"$\ifmmode x\ifnum 1 a\else b\fi\else y\fi$": r"$x\ifnum 1 a\else b\fi$",
        r"\ifmmode x": r"\ifmmode x",
        "a \\ensuremath{\n  x \\to y\n} b": "a $x \\to y$ b",
        "$a \\ensuremath{\n  x \\to y\n}$ and $\\alpha\\ensuremath{\n x \\to \n}y$": (
            "$a x \\to y$ and $\\alpha x \\to y$"
        ),
        "a \\ensuremath{ x\\\n} b": "a $ x\\\n$ b",
    },
)
