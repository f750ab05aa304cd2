import pytest

from pipeline.engine.causes import NO_BUFFERS, NO_PACKAGE, NO_SLOTS, VERSIONS, cure_of, kind_of, one_line

BUFFERS = "java.io.IOException: Insufficient number of network buffers: required 512, but only {} available."


@pytest.mark.parametrize(
    ("trace", "cure"),
    [
        ("java.lang.IllegalStateException: Process died with exit code 71", NO_PACKAGE),
        ("Caused by: org...NoResourceAvailableException: Could not acquire the minimum required resources.", NO_SLOTS),
        (BUFFERS.format(493), NO_BUFFERS),
        ("java.io.InvalidClassException: org.apache.flink.X; local class incompatible", VERSIONS),
        ("java.lang.ArithmeticException: / by zero", ""),
    ],
)
def test_what_helps(trace, cure):
    assert cure_of(trace) == cure


def test_failures_that_differ_in_numbers_are_equal():
    lines = {
        kind_of(one_line(f"{BUFFERS.format(number)}\n\tat org.apache.flink.X(X.java:{number})")) for number in (1, 22)
    }
    assert lines == {kind_of(BUFFERS.format(333))}
