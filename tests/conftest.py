"""Settings of all tests. Machines of a CI are slow at times: a property may take as long as the whole test may."""

from hypothesis import settings

settings.register_profile("forage", settings(), deadline=None)
settings.load_profile("forage")
