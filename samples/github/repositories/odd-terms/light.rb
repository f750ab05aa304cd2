# The character of a light: its flashes, and the seconds between them.
Light = Struct.new(:flashes, :period)
