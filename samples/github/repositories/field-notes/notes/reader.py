#!/usr/bin/env python3
# -*- coding: utf-8 -*-
#
# Copyright 2026 The Makers of This Sample
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
"""Reads field notes: one sighting a line, as ``day place species count``."""

import sys
from collections import Counter


def sightings(lines):
    """Yields (place, species, count) of each line that is one; others are passed over."""
    for line in lines:
        parts = line.split()
        if len(parts) == 4 and parts[3].isdigit():
            yield parts[1], parts[2], int(parts[3])


def totals(lines):
    """How many of each species were seen, over all places."""
    result = Counter()
    for _, species, count in sightings(lines):
        result[species] += count
    return result


if __name__ == "__main__":
    for species, count in totals(sys.stdin).most_common():
        print(f"{species:>20} {count}")
