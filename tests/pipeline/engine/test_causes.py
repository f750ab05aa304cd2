import pytest

from pipeline.engine.causes import NO_BUFFERS, NO_PACKAGE, NO_SLOTS, VERSIONS, cure_of, kind_of, one_line

BUFFERS = "java.io.IOException: Insufficient number of network buffers: required 512, but only {} available."

# What Beam's runner for Flink 1.19 came to on Flink 2.0, which does not begin its functions as that one does.
NOT_BEGUN = (
    "java.lang.NullPointerException: null\n"
    "\tat org.apache.beam.runners.flink.translation.functions.FlinkExecutableStageFunction.mapPartition(X.java:262)"
)


@pytest.mark.parametrize(
    ("trace", "cure"),
    [
        ("java.lang.IllegalStateException: Process died with exit code 71", NO_PACKAGE),
        ("Caused by: org...NoResourceAvailableException: Could not acquire the minimum required resources.", NO_SLOTS),
        (BUFFERS.format(493), NO_BUFFERS),
        ("java.io.InvalidClassException: org.apache.flink.X; local class incompatible", VERSIONS),
        (NOT_BEGUN, VERSIONS),
        (f"java.lang.NullPointerException\n\tat java.util.X(X.java:1)\n{BUFFERS.format(1)}", NO_BUFFERS),
        ("java.lang.NullPointerException\n\tat java.util.X(X.java:1)", ""),
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
