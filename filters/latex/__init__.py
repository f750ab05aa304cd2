"""A paper's LaTeX files in, its text out: decoded, assembled, without comments, with the authors' own macros
expanded in place, from the first section on and without the bibliography. The door is `paper.clean_paper`."""

from filters.latex.paper import CleanPaper, LatexOptions, Reject, clean_paper

__all__ = ["CleanPaper", "LatexOptions", "Reject", "clean_paper"]
