//! Logging in: replies of a token endpoint, tokens, and the text of private keys.

use secrecy::{ExposeSecret, SecretString};
use tandem::crm::salesforce::{Login, log_in};

use crate::mutate::Shape;
use crate::replies::{Exchange, clock, tame, wait};
use crate::run::Target;

/// As long as the platform's own are.
pub const SECRET: &str = "0A1B2C3D4E5F0A1B2C3D4E5F0A1B2C3Dvery-secret0A1B2C3D4E5F0A1B2C3D4E5F";

#[test]
fn no_answer_to_a_login_breaks_it_or_moves_it_off_a_safe_line() {
    Target {
        name: "login",
        shape: Shape::Json,
        cases: 1_000,
        samples: Vec::new(),
        check,
    }
    .run();
}

/// The first line is the login: `secret`, `token TEXT` or `key PEM with | for line ends`.
fn check(input: &[u8]) -> Result<(), String> {
    let exchange = Exchange::read(input);
    let url = "https://login.test".to_owned();
    let (kind, text) = exchange
        .call
        .split_once(' ')
        .unwrap_or((&exchange.call, ""));
    let login = match kind {
        "token" => Login::Token {
            url,
            token: SecretString::from(text),
        },
        "key" => Login::Jwt {
            url,
            client_id: "key".to_owned(),
            username: "sync@example.com".to_owned(),
            private_key: SecretString::from(text.replace('|', "\n")),
            audience: "https://login.salesforce.com".to_owned(),
        },
        _ => Login::ClientCredentials {
            url,
            id: "key".to_owned(),
            secret: SecretString::from(SECRET),
        },
    };
    match wait(log_in(&exchange.transport(), &login, &clock())) {
        Err(error) => tame(&error),
        Ok(session) if session.token.expose_secret().is_empty() && kind != "token" => {
            Err("a session without a token".to_owned())
        }
        Ok(session) if !session.instance_url.starts_with("https://") => {
            let place = session.instance_url;
            Err(format!("a login over TLS hands its token to {place}"))
        }
        Ok(session) if session.organization_id.len() != 18 => Err(session.organization_id),
        Ok(_) => Ok(()),
    }
}
