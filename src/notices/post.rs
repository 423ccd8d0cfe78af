//! One try to tell one notice, over HTTP. Never logs an address: it is a credential.

use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};

use super::channel::{Channel, Kind};
use super::words;
use crate::model::Timestamp;
use crate::store::Notice;

const TIME_OUT: Duration = Duration::from_secs(10);
const CONNECT_TIME_OUT: Duration = Duration::from_secs(5);
/// A receiver that asks for more is tried again all the same.
const WAIT_MILLIS_MAX: i64 = 3_600_000;

pub(super) struct Poster(reqwest::Client);

/// Why a notice was not taken, and how long the receiver asks for.
#[derive(Debug)]
pub(super) struct Refused {
    pub why: String,
    pub wait_millis: i64,
}

impl Refused {
    pub fn new(why: &str) -> Self {
        Self {
            why: why.to_owned(),
            wait_millis: 0,
        }
    }
}

impl Poster {
    /// A client of its own: it follows no redirect, keeps nothing, and has patience for a receiver
    /// but not much.
    pub fn new() -> anyhow::Result<Self> {
        let client = reqwest::Client::builder()
            .timeout(TIME_OUT)
            .connect_timeout(CONNECT_TIME_OUT)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .user_agent(concat!("tandem/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self(client))
    }

    /// Any status of two hundred and some says that it was taken; the body is not read.
    pub async fn post(
        &self,
        channel: &Channel,
        notice: &Notice,
        now: Timestamp,
    ) -> Result<(), Refused> {
        let body = match channel.kind {
            Kind::Webhook => notice.body.clone(),
            Kind::Slack => words::for_slack(&notice.body),
        };
        let mut request = self
            .0
            .post(channel.url.clone())
            .header(CONTENT_TYPE, "application/json");
        if let Some(key) = channel.key() {
            let seconds = now.millis().div_euclid(1_000);
            request = request
                .header("webhook-id", &notice.id)
                .header("webhook-timestamp", seconds)
                .header("webhook-signature", sign(key, &notice.id, seconds, &body));
        }
        let answer = request.body(body).send().await;
        let answer = answer.map_err(|error| Refused::new(failed(&error)))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let asked = answer.headers().get(RETRY_AFTER);
        let seconds = asked.and_then(|value| value.to_str().ok()?.trim().parse::<u32>().ok());
        let millis = i64::from(seconds.unwrap_or(0)) * 1_000;
        Err(Refused {
            why: format!("the receiver answered with status {}", status.as_u16()),
            wait_millis: millis.min(WAIT_MILLIS_MAX),
        })
    }
}

/// The words of reqwest hold the address.
fn failed(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "the receiver does not answer"
    } else if error.is_connect() {
        "no connection to the receiver could be made"
    } else {
        "the connection to the receiver broke"
    }
}

/// As Standard Webhooks has it: HMAC-SHA256 over id, time and body.
fn sign(key: &[u8], id: &str, seconds: i64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let tag = hmac::sign(&key, format!("{id}.{seconds}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Standard Webhooks specification and its libraries.
    #[test]
    fn a_signature_is_that_of_standard_webhooks() {
        let key = STANDARD
            .decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
            .expect("base64");
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let signed = sign(&key, id, 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
