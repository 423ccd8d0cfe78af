//! What both simulators show and say when a browser connects an app: the page, the way back, PKCE.
//!
//! Pure: text in, text out. Who may connect, and with which scopes, is each simulator's own.

use std::fmt::Write as _;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use url::Url;

/// The content type of every page.
pub(super) const HTML: &str = "text/html;charset=utf-8";

const STYLE: &str = ":root{color-scheme:light dark}\
    body{font:16px/1.5 system-ui,sans-serif;max-width:34em;margin:3em auto;padding:0 1em}\
    h1{font-size:1.5em;line-height:1.25}\
    dl{display:grid;grid-template-columns:auto 1fr;gap:.2em 1em}\
    dt{opacity:.75}dd{margin:0;overflow-wrap:anywhere}li,code{overflow-wrap:anywhere}\
    button{font:inherit;padding:.5em 1.2em;margin:0 .6em .6em 0}";

/// What the page asks: who wants what from which account.
pub(super) struct Question<'a> {
    pub platform: &'a str,
    pub account: &'a str,
    /// Label and text of the lines below the account.
    pub lines: &'a [(&'a str, &'a str)],
    pub scopes: &'a [String],
    /// Where the form goes: a path of the simulator.
    pub action: &'a str,
    /// What the form sends back, beside the decision.
    pub fields: &'a [(String, String)],
    /// The words on the buttons for `decision=allow` and `decision=deny`.
    pub buttons: [&'a str; 2],
}

pub(super) fn page(question: &Question<'_>) -> String {
    let mut body = format!(
        "<h1>Connect an app to {}</h1>\n<p>A simulated account: <strong>{}</strong></p>\n<dl>\n",
        escape(question.platform),
        escape(question.account)
    );
    // Writing to a string cannot fail.
    for (label, text) in question.lines {
        writeln!(body, "<dt>{}</dt><dd>{}</dd>", escape(label), escape(text)).ok();
    }
    body.push_str("</dl>\n<p>The app will be allowed to use:</p>\n<ul>\n");
    for scope in question.scopes {
        writeln!(body, "<li>{}</li>", escape(scope)).ok();
    }
    let action = escape(question.action);
    writeln!(body, "</ul>\n<form method=\"post\" action=\"{action}\">").ok();
    for (name, value) in question.fields {
        let (name, value) = (escape(name), escape(value));
        let field = format!("<input type=\"hidden\" name=\"{name}\" value=\"{value}\">");
        writeln!(body, "{field}").ok();
    }
    for (decision, words) in ["allow", "deny"].into_iter().zip(question.buttons) {
        let words = escape(words);
        let button = format!("<button name=\"decision\" value=\"{decision}\">{words}</button>");
        writeln!(body, "{button}").ok();
    }
    body.push_str("</form>\n");
    frame(&format!("Connect to {}", question.platform), &body)
}

/// A page that ends the attempt: nobody is sent anywhere.
pub(super) fn error_page(platform: &str, error: &str, text: &str) -> String {
    let body = format!(
        "<h1>{} cannot connect the app</h1>\n<p>{}</p>\n<p><code>{}</code></p>\n",
        escape(platform),
        escape(text),
        escape(error)
    );
    frame("The app cannot be connected", &body)
}

fn frame(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{}</title>\n<style>{STYLE}</style></head>\n<body>\n{body}</body></html>\n",
        escape(title)
    )
}

/// Headers of every page. Browsers hold the redirect after a form to `form-action` too, so that
/// the app's own origin must be in it.
pub(super) fn headers(redirect: Option<&Url>) -> Vec<(&'static str, String)> {
    let style = STANDARD.encode(digest::digest(&digest::SHA256, STYLE.as_bytes()));
    let back = redirect.map(|url| format!(" {}", url.origin().ascii_serialization()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action 'self'{}; base-uri 'none'; \
         frame-ancestors 'none'",
        back.unwrap_or_default()
    );
    let own = |name, value: &str| (name, value.to_owned());
    vec![
        own("content-security-policy", &policy),
        own("x-frame-options", "DENY"),
        own("x-content-type-options", "nosniff"),
        own("referrer-policy", "no-referrer"),
        own("cache-control", "no-store"),
    ]
}

pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

/// A callback of an app: https, or http on this machine, and no fragment.
pub(super) fn callback(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let host = url.host_str()?;
    let here = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
    let secure = url.scheme() == "https" || (url.scheme() == "http" && here);
    (secure && url.fragment().is_none()).then_some(url)
}

/// The address a browser is sent to, with `pairs` added to the query.
pub(super) fn way_back(redirect: &Url, pairs: &[(&str, &str)], state: Option<&str>) -> String {
    let mut url = redirect.clone();
    {
        let mut query = url.query_pairs_mut();
        query.extend_pairs(pairs);
        if let Some(state) = state {
            query.append_pair("state", state);
        }
    }
    url.into()
}

/// The S256 challenge of a request for consent.
///
/// # Errors
/// What is wrong with the challenge, for `error_description`.
pub(super) fn challenge<'a>(
    challenge: Option<&'a str>,
    method: Option<&str>,
) -> Result<Option<&'a str>, &'static str> {
    let Some(text) = challenge else {
        return Ok(None);
    };
    if method.is_some_and(|method| method != "S256") {
        return Err("code_challenge_method must be S256");
    }
    match URL_SAFE_NO_PAD.decode(text) {
        Ok(bytes) if bytes.len() == 32 => Ok(Some(text)),
        Ok(_) | Err(_) => Err("code_challenge is not a SHA-256 in base64url"),
    }
}

/// Whether a verifier is the one the challenge was made of (RFC 7636).
pub(super) fn verifies(challenge: &str, verifier: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    let well_formed = (43..=128).contains(&verifier.len()) && verifier.bytes().all(plain);
    let digest = digest::digest(&digest::SHA256, verifier.as_bytes());
    well_formed && URL_SAFE_NO_PAD.encode(digest) == challenge
}
