"""What Schemathesis needs to know about the service beyond its description."""

import itertools

import schemathesis

hosts = itertools.count()


@schemathesis.hook
def before_call(context, case, kwargs):
    """Each request comes from an address of its own, as far as a proxy nearby tells: the tests
    without a good key would otherwise be stopped for guessing after thirty."""
    number = next(hosts)
    case.headers["X-Forwarded-For"] = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
