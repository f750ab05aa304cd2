package dial

import scala.math._

/** Hour lines of a horizontal dial, in degrees from noon, for a latitude. */
object Dial {
  def line(hour: Int, latitude: Double): Double =
    toDegrees(atan(sin(toRadians(latitude)) * tan(toRadians(15.0 * hour))))

  def lines(latitude: Double): Seq[(Int, Double)] = (-5 to 5).map(hour => hour -> line(hour, latitude))
}
