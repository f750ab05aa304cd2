{-# LANGUAGE TupleSections #-}
-- Copyright (c) 2026, The Makers of This Sample
-- All rights reserved.
--
-- Redistribution and use in source and binary forms, with or without
-- modification, are permitted under the terms of the BSD license, see COPYING.

-- | High and low water of a day, by the rule of twelfths.
module Tide (heights) where

-- In the six hours of a tide the water rises by 1, 2, 3, 3, 2 and 1 twelfths of its range.
twelfths :: [Double]
twelfths = [0, 1, 3, 6, 9, 11, 12]

heights :: Double -> Double -> [(Int, Double)]
heights low high = zip [0 ..] (map (\t -> low + (high - low) * t / 12) twelfths)
