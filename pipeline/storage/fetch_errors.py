"""What can be wrong with a download, and how often it is tried again."""

from pipeline.storage.hosts import CONNECTIONS, VARIABLE

ATTEMPTS = 8  # tries without progress: with the delays below, the last one comes two minutes after the first
UNREACHABLE_ATTEMPTS = 4  # where the connection is refused: seven seconds, in each pass that reads the file
NAME_ATTEMPTS = 3  # where no server of the name is found: that passes soon, or not at all
THROTTLED_ATTEMPTS = 12  # where the server asks for patience: six minutes


class FetchError(Exception):
    """A file could not be fetched; the message says what happened and what to do.

    Attributes:
        url: What was to be fetched.
        status: The server's last answer, or None where there was none.
    """

    def __init__(self, message: str, url: str = "", status: int | None = None) -> None:
        super().__init__(message)
        self.url = url
        self.status = status


class TryAgainError(Exception):
    """A failure that may pass; ``after`` are the seconds that the server asks to wait."""

    attempts = ATTEMPTS
    advice = ""

    def __init__(self, what: str, status: int | None = None, after: float = 0.0) -> None:
        super().__init__(what)
        self.status = status
        self.after = after


class ThrottledError(TryAgainError):
    """The server asks for patience: of this process, and so of all that share its cache."""

    attempts = THROTTLED_ATTEMPTS
    advice = (
        f" It asks to slow down: give it an hour, and fewer connections ({VARIABLE}, which is {CONNECTIONS} where it "
        "is not set)."
    )


class UnreachableError(TryAgainError):
    """Nobody listens at the address: a server that starts anew does soon, others never."""

    attempts = UNREACHABLE_ATTEMPTS
    advice = " Check the address, its port, and whether a proxy is needed (https_proxy)."


class UnknownNameError(TryAgainError):
    """No server of the address's name is found; without a network that is so for every name."""

    attempts = NAME_ATTEMPTS
    advice = (
        " Check the address and this machine's network (https_proxy, where it needs one), or fetch the file "
        "elsewhere and give its path."
    )
