"""What a user of the tokenizer can do wrong, told in one message."""


class TokenizerError(ValueError):
    """A model, a corpus or a setting cannot be used: what happened, where, and what to do next."""
