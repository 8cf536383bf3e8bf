"""The HTTP service over the one search path: routes, limits, signed tokens, API tokens.

Only this and the console know the ASGI framework."""
