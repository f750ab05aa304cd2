"""StackExchange: the dumps' questions with their answers, sorted by score, HTML turned into text.

``python -m sources.stackexchange`` makes the source.
"""
