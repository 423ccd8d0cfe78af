//! The authorisation-code grant of both platforms: the `oauth2` crate over our own transport.
//!
//! Builds addresses, exchanges codes, refreshes and revokes. Stores nothing. What the two platforms
//! answer differs in a few fields, which [`Tokens`] holds for both (hubspot.md 1, salesforce.md 1).

use std::pin::Pin;

use http::Method;
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
    BasicTokenType,
};
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken,
    EndpointNotSet, EndpointSet, ExtraTokenFields, HttpRequest, HttpResponse, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError, Scope, StandardRevocableToken,
    StandardTokenResponse, TokenResponse, TokenUrl,
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::http::{self as wire_http, Request, Transport};
use super::{CrmError, ErrorKind, Sent, hubspot, salesforce};
use crate::clock::Clock;
use crate::model::{Side, Timestamp};

/// An app of ours as one platform knows it.
#[derive(Clone, Debug)]
pub struct App {
    pub side: Side,
    pub client_id: String,
    pub client_secret: SecretString,
    /// Where people are sent to consent: `https://app.hubspot.com`, or the org's login host.
    pub authorize_host: Url,
    /// Where tokens are asked for: `https://api.hubapi.com`, or the same login host.
    pub token_host: Url,
    /// Our own callback, exactly as registered.
    pub redirect: Url,
    /// Asked for; the platform insists on those that the app requires. Empty where the mappings
    /// say what an account is asked for.
    pub scopes: Vec<String>,
    /// HubSpot drops those that an account cannot have.
    pub optional_scopes: Vec<String>,
}

/// Where to send the browser, and what has to be kept until it comes back.
#[derive(Clone, Debug)]
pub struct Begun {
    pub url: Url,
    pub verifier: SecretString,
}

/// What a code or a refresh token was exchanged for.
#[derive(Clone, Debug)]
pub struct Tokens {
    pub access: SecretString,
    /// Absent when a refresh leaves the old one valid.
    pub refresh: Option<SecretString>,
    pub expires_at: Option<Timestamp>,
    /// The portal or organisation; HubSpot may leave it out.
    pub account_id: Option<String>,
    /// Salesforce: where calls go.
    pub instance_url: String,
    /// Salesforce: whom calls are made as.
    pub user_id: Option<String>,
    pub scopes: Vec<String>,
}

/// Everything that either platform adds to the fields of RFC 6749.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
struct Extra {
    instance_url: Option<String>,
    id: Option<String>,
    hub_id: Option<Value>,
    scopes: Option<Vec<String>>,
}

impl ExtraTokenFields for Extra {}

type Sending = Pin<Box<dyn Future<Output = Result<HttpResponse, CrmError>> + Send>>;
type Answer = StandardTokenResponse<Extra, BasicTokenType>;
type Ready = Client<
    BasicErrorResponse,
    Answer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

impl App {
    /// Where an administrator consents; `state` comes back with the code.
    pub fn begin(&self, state: &str) -> Begun {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let client = self.client();
        let scopes = self.scopes.iter().cloned().map(Scope::new);
        let mut asked = client
            .authorize_url(|| CsrfToken::new(state.to_owned()))
            .add_scopes(scopes)
            .set_pkce_challenge(challenge);
        if !self.optional_scopes.is_empty() {
            asked = asked.add_extra_param("optional_scope", self.optional_scopes.join(" "));
        }
        let (url, _) = asked.url();
        Begun {
            url,
            verifier: SecretString::from(verifier.into_secret()),
        }
    }

    pub async fn exchange(
        &self,
        transport: &Transport,
        clock: &Clock,
        code: &str,
        verifier: &SecretString,
    ) -> Result<Tokens, CrmError> {
        let client = self.client();
        let verifier = PkceCodeVerifier::new(verifier.expose_secret().to_owned());
        let send = self.sender(transport, clock);
        let answer = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .set_pkce_verifier(verifier)
            .request_async(&send)
            .await;
        self.tokens(clock, answer)
    }

    pub async fn refresh(
        &self,
        transport: &Transport,
        clock: &Clock,
        token: &SecretString,
    ) -> Result<Tokens, CrmError> {
        let client = self.client();
        let token = RefreshToken::new(token.expose_secret().to_owned());
        let send = self.sender(transport, clock);
        let answer = client
            .exchange_refresh_token(&token)
            .request_async(&send)
            .await;
        self.tokens(clock, answer)
    }

    /// Ends a grant at the platform. A grant that is gone already is no error.
    pub async fn revoke(
        &self,
        transport: &Transport,
        clock: &Clock,
        token: &SecretString,
    ) -> Result<(), CrmError> {
        let path: &[&str] = match self.side {
            Side::HubSpot => &["oauth", hubspot::VERSION, "token", "revoke"],
            Side::Salesforce => &["services", "oauth2", "revoke"],
        };
        let url = wire_http::join(&self.token_host, path);
        let form = [
            ("token", token.expose_secret()),
            ("token_type_hint", "refresh_token"),
            ("client_id", &self.client_id),
            ("client_secret", self.client_secret.expose_secret()),
        ];
        let request = Request::new(Method::POST, url, false).form(&form);
        let reply = transport.send(request).await?;
        match reply.status {
            200..300 | 400 => Ok(()),
            _ => Err(self.refusal(&reply, clock.now())),
        }
    }

    fn client(&self) -> Ready {
        let (authorize, token): (&[&str], &[&str]) = match self.side {
            Side::HubSpot => (
                &["oauth", "authorize"],
                &["oauth", hubspot::VERSION, "token"],
            ),
            Side::Salesforce => (
                &["services", "oauth2", "authorize"],
                &["services", "oauth2", "token"],
            ),
        };
        let authorize = wire_http::join(&self.authorize_host, authorize);
        let token = wire_http::join(&self.token_host, token);
        // HubSpot takes credentials in the body only (hubspot.md 1.2); Salesforce takes both.
        Client::new(ClientId::new(self.client_id.clone()))
            .set_client_secret(ClientSecret::new(
                self.client_secret.expose_secret().to_owned(),
            ))
            .set_auth_type(AuthType::RequestBody)
            .set_auth_uri(AuthUrl::from_url(authorize))
            .set_token_uri(TokenUrl::from_url(token))
            .set_redirect_uri(RedirectUrl::from_url(self.redirect.clone()))
    }

    /// The crate's way to our transport. It owns what it uses, so that its futures can go anywhere.
    fn sender(
        &self,
        transport: &Transport,
        clock: &Clock,
    ) -> impl Fn(HttpRequest) -> Sending + Send + Sync + use<> {
        let parts = (self.clone(), transport.clone(), clock.clone());
        move |request| {
            let (app, transport, clock) = parts.clone();
            Box::pin(async move { app.send(&transport, &clock, request).await })
        }
    }

    /// One request of the crate over our transport; a refusal is classed here, by the platform.
    async fn send(
        &self,
        transport: &Transport,
        clock: &Clock,
        request: HttpRequest,
    ) -> Result<HttpResponse, CrmError> {
        let (head, body) = request.into_parts();
        let unbuilt = |_| CrmError::bad_request("the address of the token endpoint is not one");
        let url = Url::parse(&head.uri.to_string()).map_err(unbuilt)?;
        let mut ours = Request::new(head.method, url, false);
        ours.headers = head.headers;
        ours.body = Some(body.into());
        let reply = transport.send(ours).await?;
        if reply.status != 200 {
            return Err(self.refusal(&reply, clock.now()));
        }
        let mut response = HttpResponse::new(reply.body.to_vec());
        *response.headers_mut() = reply.headers;
        Ok(response)
    }

    fn refusal(&self, reply: &wire_http::Reply, now: Timestamp) -> CrmError {
        match self.side {
            Side::HubSpot => hubspot::login_refusal(reply, now),
            Side::Salesforce => salesforce::login_refusal(reply, now),
        }
    }

    fn tokens(
        &self,
        clock: &Clock,
        answer: Result<Answer, RequestTokenError<CrmError, BasicErrorResponse>>,
    ) -> Result<Tokens, CrmError> {
        let answer = answer.map_err(|error| match error {
            RequestTokenError::Request(error) => error,
            RequestTokenError::ServerResponse(_)
            | RequestTokenError::Parse(..)
            | RequestTokenError::Other(_) => unreadable(),
        })?;
        let extra = answer.extra_fields();
        let account_id = match self.side {
            Side::HubSpot => extra.hub_id.as_ref().and_then(digits),
            Side::Salesforce => extra.id.as_deref().and_then(organization_of),
        };
        let user_id = match self.side {
            Side::HubSpot => None,
            Side::Salesforce => extra.id.as_deref().and_then(user_of),
        };
        let instance_url = extra.instance_url.clone().unwrap_or_default();
        if self.side == Side::Salesforce {
            check_instance(&instance_url, &self.token_host)?;
        }
        let millis = answer
            .expires_in()
            .and_then(|left| i64::try_from(left.as_millis()).ok());
        let scopes = match (&extra.scopes, answer.scopes()) {
            (Some(scopes), _) => scopes.clone(),
            (None, Some(scopes)) => scopes.iter().map(|scope| scope.to_string()).collect(),
            (None, None) => Vec::new(),
        };
        Ok(Tokens {
            access: SecretString::from(answer.access_token().secret().clone()),
            refresh: answer
                .refresh_token()
                .map(|token| SecretString::from(token.secret().clone())),
            expires_at: millis.map(|millis| clock.now().plus_millis(millis)),
            account_id,
            instance_url,
            user_id,
            scopes,
        })
    }
}

fn unreadable() -> CrmError {
    let message = "the token endpoint answered something that is no token";
    CrmError::new(ErrorKind::BrokenReply, "broken-reply", message, Sent::Yes)
}

fn digits(value: &Value) -> Option<String> {
    let text = value.as_u64().map(|id| id.to_string());
    text.or_else(|| value.as_str().map(str::to_owned))
        .filter(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()))
}

/// The last path segments but one of the identity address (salesforce.md 1.3).
fn organization_of(identity: &str) -> Option<String> {
    salesforce::full_id(identity.rsplit('/').nth(1)?)
}

/// The last path segment of it.
fn user_of(identity: &str) -> Option<String> {
    salesforce::full_id(identity.rsplit('/').next()?)
}

/// The token goes wherever the reply says, so that has to be a sound address, and not an open line
/// where the login was not one.
fn check_instance(instance: &str, asked: &Url) -> Result<(), CrmError> {
    let url = wire_http::base(instance).map_err(|_| unreadable())?;
    if asked.scheme() == "https" && url.scheme() != "https" {
        return Err(unreadable());
    }
    Ok(())
}
