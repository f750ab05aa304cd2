-- Copyright 2026 Harbour Bell authors.
-- Licensed under the MIT license.

local tide = {}

-- The moon crosses the meridian about fifty minutes later each day.
function tide.next_high(minute)
  return (minute + 12 * 60 + 25) % (24 * 60)
end

return tide
