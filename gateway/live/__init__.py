"""Live cameras: from the frames of a stream to sightings of people."""
