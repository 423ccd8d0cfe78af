//! Settings from environment variables, checked before anything else happens.
//!
//! The only reader of the environment. A fault names the variable and says what to do; all faults
//! are reported at once. Secrets are wrapped as soon as they are read, so no log can show them.

mod service;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

pub use service::{
    AppKeys, KEYS, Key, KeySource, LogFormat, Service, SettingFault, SettingFaults, Settings,
    sample, variable,
};

const HUBSPOT_URL: &str = "https://api.hubapi.com";
const SALESFORCE_LOGIN_URL: &str = "https://login.salesforce.com";

/// Every variable that is read, and what it is for. The README's table repeats this one.
pub const VARIABLES: [(&str, &str); 14] = [
    (
        "TANDEM_HUBSPOT_TOKEN",
        "access token of a HubSpot private app",
    ),
    (
        "TANDEM_HUBSPOT_URL",
        "HubSpot's address; default https://api.hubapi.com",
    ),
    (
        "TANDEM_SALESFORCE_URL",
        "the org's My Domain address; needed with a plain token",
    ),
    (
        "TANDEM_SALESFORCE_TOKEN",
        "a Salesforce access token that somebody else renews",
    ),
    (
        "TANDEM_SALESFORCE_LOGIN_URL",
        "where Salesforce tokens are asked for; default https://login.salesforce.com",
    ),
    (
        "TANDEM_SALESFORCE_CLIENT_ID",
        "consumer key of the connected app",
    ),
    (
        "TANDEM_SALESFORCE_CLIENT_SECRET",
        "its secret: log in by client credentials",
    ),
    (
        "TANDEM_SALESFORCE_USERNAME",
        "user to act as: log in by JWT bearer",
    ),
    (
        "TANDEM_SALESFORCE_PRIVATE_KEY",
        "path of the PEM key that signs the JWT",
    ),
    (
        "TANDEM_LOG",
        "log filter for stderr, e.g. `info` or `tandem=debug`; default `warn`",
    ),
    (
        "TANDEM_KEY",
        "key to the API of a service that runs elsewhere, for commands with --server",
    ),
    (
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "collector that traces are sent to, in a build with the feature `otlp`",
    ),
    (
        "OTEL_SERVICE_NAME",
        "name of the service in traces; default tandem",
    ),
    ("NO_COLOR", "when set, output is never coloured"),
];

/// The environment as it was at one moment.
#[derive(Clone)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// Values that are not valid Unicode count as absent.
    pub fn of_process() -> Self {
        let named = VARIABLES.iter().map(|(name, _)| (*name).to_owned());
        let known = named.chain(KEYS.iter().map(|key| variable(key.name)));
        Self(
            known
                .filter_map(|name| std::env::var(&name).ok().map(|value| (name, value)))
                .collect(),
        )
    }

    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self(pairs.into_iter().map(owned).collect())
    }

    /// The value without white space around it; an empty one counts as absent.
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.get(name)?.trim();
        (!value.is_empty()).then_some(value)
    }

    fn secret(&self, name: &str) -> Option<SecretString> {
        self.get(name).map(SecretString::from)
    }

    fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }
}

/// What is needed to talk to both CRMs.
#[derive(Clone, Debug)]
pub struct Credentials {
    pub hubspot: HubSpotAccess,
    pub salesforce: SalesforceAccess,
}

#[derive(Clone, Debug)]
pub struct HubSpotAccess {
    pub url: Url,
    pub token: SecretString,
}

/// How to get into Salesforce (salesforce.md 1.5, 1.6).
#[derive(Clone, Debug)]
pub enum SalesforceAccess {
    ClientCredentials {
        login_url: Url,
        client_id: String,
        client_secret: SecretString,
    },
    Jwt {
        login_url: Url,
        client_id: String,
        username: String,
        /// The PEM text of the key, already read from its file.
        private_key: SecretString,
    },
    Token {
        url: Url,
        token: SecretString,
    },
}

/// One variable that is missing or wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub variable: &'static str,
    pub what: String,
    pub todo: String,
}

/// All faults of the environment at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self
            .0
            .iter()
            .map(|fault| format!("{}: {}", fault.what, fault.todo));
        f.write_str(&lines.collect::<Vec<_>>().join("; "))
    }
}

impl std::error::Error for Faults {}

impl Credentials {
    /// # Errors
    /// Every variable that is missing or cannot be used, with what to do about it.
    pub fn read(environment: &Environment) -> Result<Self, Faults> {
        let hubspot = hubspot(environment);
        let salesforce = salesforce(environment);
        match (hubspot, salesforce) {
            (Ok(hubspot), Ok(salesforce)) => Ok(Self {
                hubspot,
                salesforce,
            }),
            (hubspot, salesforce) => {
                let mut faults = hubspot.err().unwrap_or_default();
                faults.extend(salesforce.err().unwrap_or_default());
                Err(Faults(faults))
            }
        }
    }
}

fn hubspot(environment: &Environment) -> Result<HubSpotAccess, Vec<Fault>> {
    let url = address(environment, "TANDEM_HUBSPOT_URL", HUBSPOT_URL);
    let token = environment.secret("TANDEM_HUBSPOT_TOKEN").ok_or_else(|| {
        missing(
            "TANDEM_HUBSPOT_TOKEN",
            "set it to the access token of a HubSpot private app",
        )
    });
    both(url, token).map(|(url, token)| HubSpotAccess { url, token })
}

/// The ways to log in, best first: one that can renew its token beats one that cannot.
fn salesforce(environment: &Environment) -> Result<SalesforceAccess, Vec<Fault>> {
    if environment.has("TANDEM_SALESFORCE_CLIENT_SECRET") {
        client_credentials(environment)
    } else if environment.has("TANDEM_SALESFORCE_PRIVATE_KEY") {
        jwt(environment)
    } else if let Some(token) = environment.secret("TANDEM_SALESFORCE_TOKEN") {
        let url = required_address(
            environment,
            "TANDEM_SALESFORCE_URL",
            "set it to the org's address, e.g. https://acme.my.salesforce.com",
        );
        url.map(|url| SalesforceAccess::Token { url, token })
            .map_err(|fault| vec![fault])
    } else {
        let todo = "set TANDEM_SALESFORCE_CLIENT_ID and TANDEM_SALESFORCE_CLIENT_SECRET, or \
                    TANDEM_SALESFORCE_CLIENT_ID, TANDEM_SALESFORCE_USERNAME and \
                    TANDEM_SALESFORCE_PRIVATE_KEY, or TANDEM_SALESFORCE_TOKEN and \
                    TANDEM_SALESFORCE_URL";
        Err(vec![Fault {
            variable: "TANDEM_SALESFORCE_TOKEN",
            what: "no Salesforce credentials in the environment".to_owned(),
            todo: todo.to_owned(),
        }])
    }
}

fn client_credentials(environment: &Environment) -> Result<SalesforceAccess, Vec<Fault>> {
    // Only a My Domain host answers this flow, so the shared login address is no default here.
    let variable = if environment.has("TANDEM_SALESFORCE_LOGIN_URL") {
        "TANDEM_SALESFORCE_LOGIN_URL"
    } else {
        "TANDEM_SALESFORCE_URL"
    };
    let todo = "client credentials are accepted at the org's own address only: set it to e.g. \
                https://acme.my.salesforce.com";
    let login_url = required_address(environment, variable, todo);
    let client_id = required(environment, "TANDEM_SALESFORCE_CLIENT_ID");
    let secret = required(environment, "TANDEM_SALESFORCE_CLIENT_SECRET");
    let (login_url, (client_id, secret)) = flatten(login_url, both(client_id, secret))?;
    Ok(SalesforceAccess::ClientCredentials {
        login_url,
        client_id,
        client_secret: SecretString::from(secret),
    })
}

fn jwt(environment: &Environment) -> Result<SalesforceAccess, Vec<Fault>> {
    let login_url = address(
        environment,
        "TANDEM_SALESFORCE_LOGIN_URL",
        SALESFORCE_LOGIN_URL,
    );
    let client_id = required(environment, "TANDEM_SALESFORCE_CLIENT_ID");
    let username = required(environment, "TANDEM_SALESFORCE_USERNAME");
    let who = both(client_id, username);
    let key = private_key(environment);
    let (login_url, (private_key, (client_id, username))) = flatten(login_url, flatten(key, who))?;
    Ok(SalesforceAccess::Jwt {
        login_url,
        client_id,
        username,
        private_key,
    })
}

fn private_key(environment: &Environment) -> Result<SecretString, Fault> {
    let variable = "TANDEM_SALESFORCE_PRIVATE_KEY";
    let path = required(environment, variable)?;
    let fault = |what: String| Fault {
        variable,
        what,
        todo: format!("set {variable} to the path of an unencrypted PEM private key"),
    };
    let text = fs::read_to_string(&path)
        .map_err(|error| fault(format!("cannot read the key {path} of {variable}: {error}")))?;
    let key = SecretString::from(text);
    let is_key = key.expose_secret().contains("PRIVATE KEY-----")
        && !key.expose_secret().contains("ENCRYPTED");
    is_key
        .then_some(key)
        .ok_or_else(|| fault(format!("{path} of {variable} is not a PEM private key")))
}

fn missing(variable: &'static str, todo: &str) -> Fault {
    Fault {
        variable,
        what: format!("{variable} is not set"),
        todo: todo.to_owned(),
    }
}

fn required(environment: &Environment, variable: &'static str) -> Result<String, Fault> {
    let value = environment.get(variable).map(str::to_owned);
    value.ok_or_else(|| missing(variable, &format!("set {variable}, see the README")))
}

fn required_address(
    environment: &Environment,
    variable: &'static str,
    todo: &str,
) -> Result<Url, Fault> {
    match environment.get(variable) {
        Some(text) => parse_address(variable, text),
        None => Err(missing(variable, todo)),
    }
}

fn address(environment: &Environment, variable: &'static str, default: &str) -> Result<Url, Fault> {
    parse_address(variable, environment.get(variable).unwrap_or(default))
}

fn parse_address(variable: &'static str, text: &str) -> Result<Url, Fault> {
    let url = Url::parse(text).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https") && url.has_host() && url.username().is_empty()
    });
    url.ok_or_else(|| Fault {
        variable,
        what: format!("{variable} is not an address: `{text}`"),
        todo: format!("set {variable} to something like https://example.com"),
    })
}

fn both<A, B>(a: Result<A, Fault>, b: Result<B, Fault>) -> Result<(A, B), Vec<Fault>> {
    flatten(a, b.map_err(|fault| vec![fault]))
}

fn flatten<A, B>(a: Result<A, Fault>, b: Result<B, Vec<Fault>>) -> Result<(A, B), Vec<Fault>> {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (Err(fault), Ok(_)) => Err(vec![fault]),
        (Ok(_), Err(faults)) => Err(faults),
        (Err(fault), Err(more)) => Err(std::iter::once(fault).chain(more).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Credentials, Vec<&'static str>> {
        Credentials::read(&Environment::from_pairs(pairs.iter().copied()))
            .map_err(|faults| faults.0.iter().map(|fault| fault.variable).collect())
    }

    const HUBSPOT: (&str, &str) = ("TANDEM_HUBSPOT_TOKEN", "pat-1");

    #[test]
    fn an_empty_environment_names_both_sides_at_once() {
        let faults = read(&[]).unwrap_err();
        assert_eq!(faults, ["TANDEM_HUBSPOT_TOKEN", "TANDEM_SALESFORCE_TOKEN"]);
        assert_eq!(
            read(&[("TANDEM_HUBSPOT_TOKEN", "  ")]).unwrap_err().len(),
            2
        );
    }

    #[test]
    fn a_plain_token_needs_the_address_of_the_org() {
        let token = ("TANDEM_SALESFORCE_TOKEN", "00D!x");
        assert_eq!(
            read(&[HUBSPOT, token]).unwrap_err(),
            ["TANDEM_SALESFORCE_URL"]
        );
        let url = ("TANDEM_SALESFORCE_URL", "http://127.0.0.1:4000");
        let found = read(&[HUBSPOT, token, url]).unwrap();
        assert!(matches!(found.salesforce, SalesforceAccess::Token { .. }));
        assert_eq!(found.hubspot.url.as_str(), "https://api.hubapi.com/");
    }

    #[test]
    fn credentials_that_can_renew_a_token_are_preferred() {
        let found = read(&[
            HUBSPOT,
            ("TANDEM_SALESFORCE_TOKEN", "00D!x"),
            ("TANDEM_SALESFORCE_URL", "http://127.0.0.1:4000"),
            ("TANDEM_SALESFORCE_CLIENT_ID", "3MVG"),
            ("TANDEM_SALESFORCE_CLIENT_SECRET", "s"),
        ]);
        let salesforce = found.unwrap().salesforce;
        assert!(matches!(
            salesforce,
            SalesforceAccess::ClientCredentials { .. }
        ));
    }

    #[test]
    fn client_credentials_are_not_sent_to_the_shared_login_address() {
        let faults = read(&[HUBSPOT, ("TANDEM_SALESFORCE_CLIENT_SECRET", "s")]).unwrap_err();
        assert_eq!(
            faults,
            ["TANDEM_SALESFORCE_URL", "TANDEM_SALESFORCE_CLIENT_ID"]
        );
    }

    #[test]
    fn a_key_that_cannot_be_read_is_a_fault_of_its_variable() {
        let key = ("TANDEM_SALESFORCE_PRIVATE_KEY", "/nowhere/key.pem");
        let faults = read(&[HUBSPOT, key]).unwrap_err();
        assert_eq!(
            faults,
            [
                "TANDEM_SALESFORCE_PRIVATE_KEY",
                "TANDEM_SALESFORCE_CLIENT_ID",
                "TANDEM_SALESFORCE_USERNAME"
            ]
        );
    }

    #[test]
    fn an_address_that_is_none_is_refused_and_no_secret_is_shown() {
        let url = ("TANDEM_HUBSPOT_URL", "api.hubapi.com");
        assert_eq!(read(&[HUBSPOT, url]).unwrap_err()[0], "TANDEM_HUBSPOT_URL");
        let found = read(&[
            ("TANDEM_HUBSPOT_TOKEN", "pat-secret"),
            ("TANDEM_SALESFORCE_TOKEN", "00D!secret"),
            ("TANDEM_SALESFORCE_URL", "https://acme.my.salesforce.com"),
        ]);
        assert!(!format!("{found:?}").contains("secret\""));
        assert!(!format!("{found:?}").contains("pat-secret"));
    }
}
