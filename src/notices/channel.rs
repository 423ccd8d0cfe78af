//! Where notices go: an address that is a credential, and for a webhook the secret that signs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::vault;

/// What seals it is tied to this place.
pub(super) const PLACE: &str = "notices";
/// Longer than any address of a webhook.
const ADDRESS_BYTES: usize = 2_048;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An incoming webhook of Slack: whoever knows its address may post.
    Slack,
    /// Any address; requests are signed.
    Webhook,
}

impl Kind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Slack => "slack",
            Self::Webhook => "webhook",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Slack, Self::Webhook]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// What somebody asks for.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub kind: Kind,
    pub url: SecretString,
    pub backlog_millis: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("url is an https address such as https://hooks.slack.com/services/…")]
pub struct BadAddress;

/// A channel, opened.
pub(super) struct Channel {
    pub kind: Kind,
    pub url: Url,
    /// Of webhooks only.
    key: Option<SecretString>,
}

#[derive(Serialize, Deserialize)]
struct Written {
    kind: String,
    url: String,
    key: Option<String>,
}

impl Channel {
    /// A webhook gets a fresh secret.
    pub fn new(wanted: &Wanted, local: bool) -> Result<Self, BadAddress> {
        let text = wanted.url.expose_secret();
        let url = Url::parse(text).map_err(|_| BadAddress)?;
        let here = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        let open = url.scheme() == "https" || (local && here && url.scheme() == "http");
        if !open || !url.has_host() || text.len() > ADDRESS_BYTES {
            return Err(BadAddress);
        }
        Ok(Self {
            kind: wanted.kind,
            url,
            key: (wanted.kind == Kind::Webhook).then(vault::random_text),
        })
    }

    pub fn host(&self) -> String {
        self.url.host_str().unwrap_or_default().to_owned()
    }

    /// The secret as Standard Webhooks writes it.
    pub fn secret(&self) -> Option<SecretString> {
        let key = self.key.as_ref()?.expose_secret();
        Some(SecretString::from(format!(
            "whsec_{}",
            STANDARD.encode(key)
        )))
    }

    /// What signs: the bytes behind the prefix of the secret.
    pub fn key(&self) -> Option<&[u8]> {
        self.key.as_ref().map(|key| key.expose_secret().as_bytes())
    }

    /// The JSON of it. Never logged, sealed before it is stored.
    pub fn write(&self) -> SecretString {
        let written = Written {
            kind: self.kind.as_str().to_owned(),
            url: self.url.as_str().to_owned(),
            key: self.key.as_ref().map(|key| key.expose_secret().to_owned()),
        };
        SecretString::from(serde_json::to_string(&written).unwrap_or_default())
    }

    /// `None` when this build cannot read what another one wrote.
    pub fn read(text: &SecretString) -> Option<Self> {
        let written: Written = serde_json::from_str(text.expose_secret()).ok()?;
        Some(Self {
            kind: Kind::parse(&written.kind)?,
            url: Url::parse(&written.url).ok()?,
            key: written.key.map(SecretString::from),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(kind: Kind, url: &str, local: bool) -> Result<Channel, BadAddress> {
        let wanted = Wanted {
            kind,
            url: SecretString::from(url),
            backlog_millis: 1,
        };
        Channel::new(&wanted, local)
    }

    #[test]
    fn an_open_line_is_refused_but_on_the_machine_of_a_service_that_is_not_public() {
        let fits = |url: &str, local: bool| channel(Kind::Slack, url, local).is_ok();
        assert!(fits("https://hooks.slack.com/services/T/B/x", false));
        assert!(fits("http://127.0.0.1:9/x", true));
        for wrong in [
            "http://127.0.0.1:9/x",
            "http://hooks.slack.com/x",
            "ftp://example.com/x",
            "file:///etc/passwd",
            "hooks.slack.com",
            "",
        ] {
            assert!(!fits(wrong, false), "{wrong}");
        }
        assert!(!fits("http://example.com/x", true));
        assert!(!fits(&format!("https://x/{}", "y".repeat(3_000)), false));
    }

    #[test]
    fn what_was_written_opens_the_same_channel() {
        let made = channel(Kind::Webhook, "https://example.com/in?k=1", false)
            .unwrap_or_else(|_| unreachable!("it is a sound address"));
        let read = Channel::read(&made.write()).expect("it reads its own writing");
        assert_eq!(
            (read.url.as_str(), read.kind),
            (made.url.as_str(), Kind::Webhook)
        );
        assert_eq!(read.key(), made.key());
        let secret = made.secret().expect("a webhook has one");
        let coded = secret
            .expose_secret()
            .strip_prefix("whsec_")
            .expect("so named");
        assert_eq!(
            STANDARD.decode(coded).expect("base64"),
            made.key().expect("a key")
        );
    }
}
