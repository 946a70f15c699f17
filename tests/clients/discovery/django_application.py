"""Django with django-elastipymemcache, which asks again at an interval."""

from django.conf import settings

import application
from application import ENDPOINT

settings.configure(
    CACHES={
        "default": {
            "BACKEND": "django_elastipymemcache.backend.ElastiPymemcache",
            "LOCATION": ENDPOINT,
            "OPTIONS": {"discovery_interval": 0.1},
        }
    }
)

from django.core.cache import cache  # noqa: E402 - it reads the settings


def nodes():
    """Django's own interface does not tell; a request makes it ask."""
    cache.get("anything")
    return list(cache._cache.clients)


application.run(nodes, cache.set, cache.get)
