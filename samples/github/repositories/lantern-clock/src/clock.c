/*
 * Copyright (c) 2026 The Makers of This Sample
 *
 * Permission is hereby granted, free of charge, to any person obtaining a copy
 * of this software and associated documentation files (the "Software"), to deal
 * in the Software without restriction, including without limitation the rights
 * to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
 * copies of the Software, and to permit persons to whom the Software is
 * furnished to do so, subject to the following conditions:
 *
 * The above copyright notice and this permission notice shall be included in
 * all copies or substantial portions of the Software.
 */

#include <stdio.h>
#include "clock.h"

#define MINUTES_IN_A_DAY 1440

/* Lamps are lit from dusk to dawn; the night may run over midnight. */
int lamp_is_lit(int minute, int dusk, int dawn)
{
    minute = ((minute % MINUTES_IN_A_DAY) + MINUTES_IN_A_DAY) % MINUTES_IN_A_DAY;
    if (dusk <= dawn)
        return minute >= dusk && minute < dawn;
    return minute >= dusk || minute < dawn;
}

void print_night(int dusk, int dawn)
{
    int minute;
    for (minute = 0; minute < MINUTES_IN_A_DAY; minute += 30)
        printf("%02d:%02d %s\n", minute / 60, minute % 60, lamp_is_lit(minute, dusk, dawn) ? "lit" : "-");
}
