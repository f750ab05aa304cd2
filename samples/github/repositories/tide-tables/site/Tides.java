/*
 * Copyright (c) 2026, The Makers of This Sample
 * SPDX-License-Identifier: BSD-3-Clause
 */
package org.example.tides;

/** The range of a tide: springs follow the full moon and the new moon, neaps the quarters. */
public final class Tides {
    private Tides() {}

    /** Tells whether a day of the moon's age has a spring tide. */
    public static boolean isSpring(double moonAge) {
        double phase = (moonAge % 14.77) / 14.77;
        return phase < 0.2 || phase > 0.8;
    }
}
