"""The report's colours: each has a light and a dark form; the page swaps them with the reader's theme."""

from __future__ import annotations

INK = "#1d2330"
MUTED = "#5d6677"
GRID = "#e3e6ec"
PAPER = "#ffffff"
KEPT = "#2b6cb0"
DROPPED = "#dd6b20"
ELSEWHERE = "#b8bfcc"
FAILED = "#b83280"
FLOW = "#c3d5ea"
LOSS = "#f4d3bb"
HARM = "#eec6dd"
SERIES = ("#2b6cb0", "#dd6b20", "#2f855a", "#805ad5", "#b7791f", "#b83280", "#319795", "#718096")

# What each becomes on a dark page.
DARK = {
    INK: "#e6e9f0",
    MUTED: "#9aa4b6",
    GRID: "#2f3644",
    PAPER: "#1b202b",
    KEPT: "#63a4e4",
    DROPPED: "#f0894a",
    ELSEWHERE: "#586274",
    FAILED: "#e779b4",
    FLOW: "#2c476a",
    LOSS: "#5d3a24",
    HARM: "#562a45",
    "#2f855a": "#58b583",
    "#805ad5": "#a78bea",
    "#b7791f": "#d9a13f",
    "#319795": "#4cb8b5",
    "#718096": "#8c99ad",
}
