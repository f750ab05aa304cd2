// Copyright 2026 Harbour Bell authors.
//
// Licensed under the Apache License, Version 2.0 or the MIT license, at your option. This file may not be copied,
// modified, or distributed except according to those terms.

//! Strokes of a ship's bell: one for each half hour of a watch of four hours.

/// The number of strokes at a minute of the day; none between the half hours.
pub fn strokes(minute: u32) -> Option<u32> {
    if minute % 30 != 0 {
        return None;
    }
    let half_hours = (minute / 30) % 8;
    Some(if half_hours == 0 { 8 } else { half_hours })
}
