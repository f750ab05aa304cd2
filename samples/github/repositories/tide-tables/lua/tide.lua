--[[
  Copyright (c) 2026, The Makers of This Sample
  All rights reserved. See the file COPYING for the license.
]]

local tide = {}

-- The moon crosses the meridian about fifty minutes later each day.
function tide.next_high(minute)
  return (minute + 12 * 60 + 25) % (24 * 60)
end

return tide
