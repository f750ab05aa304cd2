"""How much of evaluation sets stands in training data: found in any form, traced to its document, taken out.

1. ``samples``: evaluation samples are read, from JSON lines, Parquet, or task files of lm-evaluation-harness.
2. ``words``: runs of normalised words of the samples are looked for in the texts of a corpus (the 13-gram rule).
3. ``tokens``: runs of ids of the samples are looked for in its token files (Llama 2, appendix A.6).
4. ``scan``: both, for one file of the corpus; what is found is kept beside the report.
5. ``summary``, ``report``: what it says of each sample, each set, each document.
"""
