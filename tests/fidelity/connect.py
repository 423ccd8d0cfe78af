"""Connects to both running simulators with Authlib, an OAuth client that is nobody's of ours, and
fills in the consent forms as a browser would. Where the client stumbles, the simulator is wrong.

Environment: SIM_HUBSPOT_URL, SIM_HUBSPOT_CLIENT_ID, SIM_HUBSPOT_CLIENT_SECRET, and the same three
of SIM_SALESFORCE.
"""

import os
import secrets
import sys
import traceback
from html.parser import HTMLParser
from urllib.parse import parse_qs, urljoin, urlsplit

import requests
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session

CALLBACK = "https://app.example.test/callback?from=fidelity"
counts = {"passed": 0, "failed": 0}


def need(name):
    value = os.environ.get(name)
    if not value:
        sys.exit(f"{name} is not set")
    return value


def check(name):
    """Runs the function at once and counts how it ended."""

    def run(act):
        try:
            act()
            counts["passed"] += 1
            print(f"ok    {name}")
        except Exception:
            counts["failed"] += 1
            print(f"FAIL  {name}: {traceback.format_exc()}")

    return run


class Form(HTMLParser):
    """The one form of a page: where it goes, what it holds, and its buttons by their words."""

    def __init__(self, text):
        super().__init__()
        self.action, self.method, self.fields, self.buttons = None, None, {}, {}
        self._button = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "form":
            self.action, self.method = attrs["action"], attrs["method"]
        elif tag == "input":
            self.fields[attrs["name"]] = attrs["value"]
        elif tag == "button":
            self._button = (attrs["name"], attrs["value"])

    def handle_data(self, data):
        if self._button:
            self.buttons[data.strip()] = self._button

    def handle_endtag(self, tag):
        if tag == "button":
            self._button = None


def press(url, words):
    """Opens a consent page, presses a button, and gives the address the browser is sent to."""
    page = requests.get(url, timeout=10)
    assert page.status_code == 200, page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    form = Form(page.text)
    assert form.method == "post"
    name, value = form.buttons[words]
    answer = requests.post(
        urljoin(url, form.action),
        data={**form.fields, name: value},
        allow_redirects=False,
        timeout=10,
    )
    assert answer.status_code == 302, answer.text
    return answer.headers["location"]


class Side:
    """One simulator as the client needs to know it."""

    def __init__(self, name, authorize, token, revoke, scope, words, read):
        self.url = need(f"SIM_{name}_URL")
        self.id = need(f"SIM_{name}_CLIENT_ID")
        self.secret = need(f"SIM_{name}_CLIENT_SECRET")
        self.authorize, self.token = self.url + authorize, self.url + token
        self.revoke, self.read = self.url + revoke, self.url + read
        self.scope, (self.yes, self.no) = scope, words

    def session(self):
        return OAuth2Session(
            self.id,
            self.secret,
            scope=self.scope,
            redirect_uri=CALLBACK,
            code_challenge_method="S256",
            token_endpoint_auth_method="client_secret_post",
            revocation_endpoint_auth_method="client_secret_post",
        )

    def consent(self, session, words):
        verifier = secrets.token_urlsafe(48)
        url, state = session.create_authorization_url(self.authorize, code_verifier=verifier)
        return press(url, words), state, verifier

    def exchange(self, session, location, state, verifier):
        return session.fetch_token(
            self.token, authorization_response=location, state=state, code_verifier=verifier
        )

    def connected(self):
        session = self.session()
        self.exchange(session, *self.consent(session, self.yes))
        return session

    def control(self, path, body):
        answer = requests.post(f"{self.url}/_sim/{path}", json=body, timeout=10)
        assert answer.status_code == 200, answer.text


def fails(error, act):
    try:
        act()
    except OAuthError as refused:
        assert refused.error == error, refused
        return
    raise AssertionError(f"{error} was expected, and it went well")


hubspot = Side(
    "HUBSPOT",
    "/oauth/authorize",
    "/oauth/2026-09/token",
    "/oauth/2026-09/token/revoke",
    "oauth crm.objects.contacts.read",
    ("Connect app", "Cancel"),
    "/crm/objects/2026-09/contacts?limit=1",
)
salesforce = Side(
    "SALESFORCE",
    "/services/oauth2/authorize",
    "/services/oauth2/token",
    "/services/oauth2/revoke",
    "api refresh_token",
    ("Allow", "Deny"),
    "/services/data/v67.0/limits",
)

for name, side in (("HubSpot", hubspot), ("Salesforce", salesforce)):

    @check(f"{name}: consent, code with PKCE, a call with the token")
    def _(side=side):
        session = side.connected()
        assert session.get(side.read).status_code == 200
        assert session.token["refresh_token"]

    @check(f"{name}: a refusal comes back with the state")
    def _(side=side):
        session = side.session()
        location, state, _verifier = side.consent(session, side.no)
        query = parse_qs(urlsplit(location).query)
        assert query["error"] == ["access_denied"] and query["state"] == [state], query
        assert query["from"] == ["fidelity"], query

    @check(f"{name}: a code works once, and only with its verifier")
    def _(side=side):
        session = side.session()
        location, state, verifier = side.consent(session, side.yes)
        side.exchange(session, location, state, verifier)
        fails("invalid_grant", lambda: side.exchange(session, location, state, verifier))
        location, state, _verifier = side.consent(session, side.yes)
        other = secrets.token_urlsafe(48)
        fails("invalid_grant", lambda: side.exchange(session, location, state, other))

    @check(f"{name}: a refresh, then a rotation that ends the old token")
    def _(side=side):
        session = side.connected()
        first = session.token["refresh_token"]
        session.refresh_token(side.token, refresh_token=first)
        assert session.get(side.read).status_code == 200
        side.control("options", {"rotate_refresh_tokens": True})
        try:
            second = session.refresh_token(side.token, refresh_token=first)["refresh_token"]
            assert second != first
            fails("invalid_grant", lambda: session.refresh_token(side.token, refresh_token=first))
        finally:
            side.control("options", {"rotate_refresh_tokens": False})

    @check(f"{name}: a revoked token refreshes nothing")
    def _(side=side):
        session = side.connected()
        refresh = session.token["refresh_token"]
        answer = session.revoke_token(side.revoke, token=refresh)
        assert answer.status_code in (200, 204), answer.text
        fails("invalid_grant", lambda: session.refresh_token(side.token, refresh_token=refresh))


@check("HubSpot: an access token ends after half an hour")
def _():
    session = hubspot.connected()
    hubspot.control("time", {"advance_ms": 1_801_000})
    token = session.token["access_token"]
    answer = requests.get(hubspot.read, headers={"authorization": f"Bearer {token}"}, timeout=10)
    assert answer.status_code == 401, answer.text
    assert answer.json()["category"] == "EXPIRED_AUTHENTICATION"


@check("Salesforce: discovery names the endpoints")
def _():
    told = requests.get(f"{salesforce.url}/.well-known/openid-configuration", timeout=10).json()
    assert told["authorization_endpoint"] == salesforce.authorize
    assert told["token_endpoint"] == salesforce.token


print(f"{counts['passed']} passed, {counts['failed']} failed")
sys.exit(0 if counts["failed"] == 0 else 1)
