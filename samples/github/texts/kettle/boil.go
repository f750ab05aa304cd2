// Package kettle tells how long water takes to boil.
package kettle

import "math"

// Boil gives the seconds until litres of water at a temperature boil on a hob of some watts.
// A third of the heat goes past the kettle.
func Boil(litres, celsius, watts float64) float64 {
	const joules = 4186.0
	if celsius >= 100 {
		return 0
	}
	return math.Ceil(litres * joules * (100 - celsius) / (watts * 2 / 3))
}
