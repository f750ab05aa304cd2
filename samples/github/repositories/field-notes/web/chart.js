/*!
 * Field notes: a chart of sightings by month.
 * Copyright 2026 The Makers of This Sample
 * Licensed under the Apache License, Version 2.0
 */
"use strict";

// Months without a sighting are drawn as gaps, not as zeros: nobody may have looked.
export function bars(counts, height) {
  const largest = Math.max(1, ...counts.filter((count) => count !== null));
  return counts.map((count) => (count === null ? null : Math.round((count / largest) * height)));
}
