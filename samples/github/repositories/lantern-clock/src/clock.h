/*
 * clock.h - when the lanterns of the quay are lit.
 *
 * Copyright (c) 2026 The Makers of This Sample. All rights reserved.
 *
 * Times are minutes after midnight; a day has 1440 of them.
 */
#ifndef LANTERN_CLOCK_H
#define LANTERN_CLOCK_H

int lamp_is_lit(int minute, int dusk, int dawn);
void print_night(int dusk, int dawn);

#endif
