# The equation of time: how many minutes a dial is ahead of the clock, on a day of the year.
function equation(day)
    b = 2pi * (day - 81) / 365
    9.87 * sin(2b) - 7.53 * cos(b) - 1.5 * sin(b)
end
