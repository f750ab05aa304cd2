! Modes of a round drum, by the zeros of Bessel's functions.
module stroke
  implicit none
  real, parameter :: zeros(4) = [2.405, 3.832, 5.136, 5.520]
contains
  pure function pitch(mode, radius, speed) result(hertz)
    integer, intent(in) :: mode
    real, intent(in) :: radius, speed
    real :: hertz
    hertz = zeros(mode) * speed / (6.2832 * radius)
  end function pitch
end module stroke
