#!/bin/sh
# Copyright (c) 2026, The Makers of This Sample
# SPDX-License-Identifier: BSD-2-Clause
#
# Prints how far each lug of a drum is from the mean, in cents.

awk '{ sum += $2; value[$1] = $2 } END { for (lug in value) printf "%s %.1f\n", lug, 1731 * log(value[lug] * NR / sum) }'
