-- Tables of the tide gauge.
--
-- A reading is the height of the water in centimetres above the chart's zero.

CREATE TABLE gauge (
  gauge_id INTEGER PRIMARY KEY,
  name     TEXT NOT NULL
);

CREATE TABLE reading (
  gauge_id INTEGER NOT NULL REFERENCES gauge (gauge_id),
  taken_at TIMESTAMP NOT NULL,
  height   INTEGER NOT NULL,
  PRIMARY KEY (gauge_id, taken_at)
);
