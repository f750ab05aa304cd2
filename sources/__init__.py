"""One module per source: how its raw dump is read and which steps turn it into documents.
Each is a Beam pipeline and a command, python -m sources.<source>."""
