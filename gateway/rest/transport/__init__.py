"""The HTTP server's side of REST: connections, bodies, and the way from uvicorn to Flask and back."""
