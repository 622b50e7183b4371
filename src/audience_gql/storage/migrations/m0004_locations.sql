ALTER TABLE subscribers
  ADD COLUMN latitude    double precision,                   -- degrees; both are set or neither
  ADD COLUMN longitude   double precision,
  ADD COLUMN location_x  double precision,                   -- the unit vector of the location, which the application computes when it
  ADD COLUMN location_y  double precision,                   -- writes the degrees, so that conditions need no sine
  ADD COLUMN location_z  double precision;
