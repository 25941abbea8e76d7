"""The event stream: what happens on the cameras and to the people, over one open HTTP response."""
