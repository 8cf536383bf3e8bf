"""The HTTP API: the service as an ASGI app, its routes, limits and refusals. Only this and the console know the ASGI framework."""
