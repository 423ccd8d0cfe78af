"""What Schemathesis needs to know about the service beyond its description."""

import itertools
import os

import schemathesis

hosts = itertools.count()


@schemathesis.hook
def before_call(context, case, kwargs):
    """Each request comes from an address of its own, as far as a proxy nearby tells: the tests
    without a good key would otherwise be stopped for guessing after thirty. And no address that was
    made up is knocked at: credentials for Salesforce are tried at the simulator."""
    number = next(hosts)
    address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    case.headers["X-Forwarded-For"] = address
    if isinstance(case.body, dict):
        for name in ("url", "login_url"):
            if str(case.body.get(name)).lower().startswith("http"):
                case.body[name] = os.environ["SIM_SALESFORCE_URL"]
