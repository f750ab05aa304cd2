"""arXiv: the LaTeX sources of papers, from the bulk tars or from a folder of e-prints, each paper once.

``python -m sources.arxiv`` makes the source.
"""
