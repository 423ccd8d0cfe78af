"""What Schemathesis needs to know about the service beyond its description."""

import itertools
import os
import re

import schemathesis

calls = itertools.count()


@schemathesis.hook
def before_call(context, case, kwargs):
    number = next(calls)
    # Each request comes from an address of its own, as far as a proxy nearby tells: the tests without
    # a good key would otherwise be stopped for guessing after thirty.
    address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    case.headers["X-Forwarded-For"] = address
    # A name that is used twice is answered with what was made then, and may have been deleted since.
    name = case.headers.get("Idempotency-Key")
    if name and re.fullmatch("[!-~]{1,200}", name):
        case.headers["Idempotency-Key"] = f"{name}-{number}"
    # No address that was made up is knocked at: credentials are tried at the simulator.
    if isinstance(case.body, dict):
        for field in ("url", "login_url"):
            if str(case.body.get(field)).lower().startswith("http"):
                case.body[field] = os.environ["SIM_SALESFORCE_URL"]
