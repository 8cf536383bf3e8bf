"""The HTTP service over the one search path: routes, limits, signed tokens, API tokens. The only place that knows the ASGI framework, with the console."""
