//! The pages of a connect link. Plain HTML without script; everything that comes from outside is
//! escaped.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use crate::api::Api;
use crate::api::page::{escape, frame};
use crate::model::{ConnectionState, Side, WorkspaceId};
use crate::store::SealedConnection;

/// Whether a link can still be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    Open,
    Used,
    Expired,
}

/// What the page of a link shows.
pub struct View<'a> {
    pub ws: &'a WorkspaceId,
    pub side: Side,
    pub token: &'a str,
    pub link: LinkState,
    pub connection: Option<&'a SealedConnection>,
    /// Scopes that the workspace cannot do without.
    pub wanted: &'a [String],
}

/// A page that only says something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    title: &'static str,
    text: String,
    /// The CRM's own words.
    said: Option<String>,
    again: Option<String>,
}

impl Answer {
    fn new(title: &'static str, text: impl Into<String>) -> Self {
        Self {
            title,
            text: text.into(),
            said: None,
            again: None,
        }
    }

    pub fn unknown_link() -> Self {
        let text = "The address is incomplete or was changed. Open the link as it was sent to you.";
        Self::new("This is no connect link", text)
    }

    pub fn link_used() -> Self {
        let text = "Somebody else has connected with this link meanwhile. Nothing was changed by \
                    you. Ask for a new link if another connection is needed.";
        Self::new("This link was used already", text)
    }

    pub fn not_begun_here() -> Self {
        let text = "This answer does not belong to a connection that this browser has begun, or \
                    it took longer than half an hour. Open your link again and start from there, \
                    in one browser.";
        Self::new("Please start again", text)
    }

    pub fn not_ready(link: &str) -> Self {
        let text = "It is not known yet what to ask your account for: the mappings of this \
                    workspace have faults. Tell whoever sent you the link, and try again later.";
        Self::new("Not ready yet", text).again(link)
    }

    pub fn wrong_domain(link: &str) -> Self {
        let text = "A My Domain address looks like acme.my.salesforce.com, or \
                    acme--test.sandbox.my.salesforce.com.";
        Self::new("This is no Salesforce address", text).again(link)
    }

    pub fn wrong_account(side: Side, bound: &str, given: &str) -> Self {
        let text = format!(
            "You logged in to the {} account {given}, but {bound} is the one that is connected \
             here. Log in to {bound}. A sandbox that was refreshed is another account: ask for a \
             new workspace then. Nothing was changed.",
            side.title()
        );
        Self::new("Wrong account", text)
    }

    /// The CRM refused; its own words come last.
    pub fn refused(side: Side, error: &str, description: &str) -> Self {
        let said = format!("{error} {description}").to_ascii_lowercase();
        let not_installed = side == Side::Salesforce
            && [
                "not installed",
                "not_installed",
                "app_not_found",
                "not admin approved",
                "approval",
            ]
            .iter()
            .any(|word| said.contains(word));
        let (title, text) = if not_installed {
            (
                "Your Salesforce administrator must install the app first",
                "Your organisation does not allow apps that an administrator has not installed. \
                 Ask your Salesforce administrator to install or approve the app, then open this \
                 link again.",
            )
        } else if said.contains("denied") {
            (
                "You declined",
                "Nothing was connected. You can start again whenever you like.",
            )
        } else if said.contains("scope") {
            (
                "A permission is missing",
                "The account cannot grant everything that is needed. Ask for help, with the \
                 words below.",
            )
        } else {
            (
                "It could not be connected",
                "Nothing was changed. Try again; if it stays, ask for help.",
            )
        };
        let words = [error, description].join(": ");
        let words: String = words.trim_matches([':', ' ']).chars().take(300).collect();
        Self {
            said: Some(format!("{} said: {words}", side.title())),
            ..Self::new(title, text)
        }
    }

    pub fn again(mut self, link: &str) -> Self {
        self.again = Some(link.to_owned());
        self
    }
}

/// A page that says something.
pub fn answer(api: &Api, status: StatusCode, answer: &Answer) -> Response {
    let again = answer.again.as_ref().map_or(String::new(), |link| {
        format!(
            "<p><a class=\"button\" href=\"{}\">Back to the link</a></p>",
            escape(link)
        )
    });
    let said = answer.said.as_ref().map_or(String::new(), |said| {
        format!("<p class=\"fine\">{}</p>", escape(said))
    });
    let body = format!(
        "<h1>{}</h1><p>{}</p>{again}{said}",
        escape(answer.title),
        escape(&answer.text)
    );
    shown(api, status, answer.title, &body)
}

/// The page of a link.
pub fn connect(api: &Api, view: &View<'_>) -> Response {
    let side = view.side.title();
    let title = format!("Connect {side}");
    let (class, word, text) = standing(view);
    let form = match view.link {
        LinkState::Open => form(api, view),
        LinkState::Used => {
            "<p class=\"fine\">This link was used and connects nothing more. You can close this \
             page.</p>"
                .to_owned()
        }
        LinkState::Expired => {
            "<p>This link has expired. Ask whoever sent it for a new one.</p>".to_owned()
        }
    };
    let body = format!(
        "<h1>{}</h1><p>For <b>{}</b>. You need to be an administrator of the {side} account.</p>\
         <p class=\"state {class}\"><b>{word}</b> {}</p>{form}",
        escape(&title),
        escape(view.ws.as_str()),
        escape(&text)
    );
    shown(api, StatusCode::OK, &title, &body)
}

fn standing(view: &View<'_>) -> (&'static str, &'static str, String) {
    let Some(connection) = view.connection else {
        return ("off", "Not connected.", String::new());
    };
    let account = &connection.account_id;
    match connection.state {
        ConnectionState::Connected => {
            let granted: Vec<&str> = connection.scopes.split_whitespace().collect();
            let is_missing =
                |scope: &&String| !granted.is_empty() && !granted.contains(&scope.as_str());
            let missing: Vec<&str> = view
                .wanted
                .iter()
                .filter(is_missing)
                .map(String::as_str)
                .collect();
            if missing.is_empty() {
                ("on", "Connected", format!("as account {account}."))
            } else {
                let text = format!("of account {account}: {}.", missing.join(", "));
                ("warn", "Missing scopes", text)
            }
        }
        ConnectionState::Reconnect => {
            let text = format!("Account {account}: {}", connection.detail);
            ("warn", "Needs to be connected again.", text)
        }
        ConnectionState::WrongAccount => ("warn", "Wrong account.", connection.detail.clone()),
    }
}

fn form(api: &Api, view: &View<'_>) -> String {
    let action = format!("{}connect/{}/start", api.base(), view.token);
    let choice = match view.side {
        Side::HubSpot => "",
        Side::Salesforce => {
            "<fieldset><legend>Which organisation?</legend>\
             <label><input type=\"radio\" name=\"host\" value=\"production\" checked> \
             Production</label>\
             <label><input type=\"radio\" name=\"host\" value=\"sandbox\"> Sandbox</label>\
             <label><input type=\"radio\" name=\"host\" value=\"domain\"> My Domain: \
             <input type=\"text\" name=\"domain\" placeholder=\"acme.my.salesforce.com\" \
             aria-label=\"My Domain address\"></label></fieldset>"
        }
    };
    format!(
        "<form method=\"post\" action=\"{}\">{choice}<button>Connect {}</button></form>\
         <p class=\"fine\">You are taken to {}, where you log in and agree. Passwords are never \
         seen here.</p>",
        escape(&action),
        view.side.title(),
        view.side.title()
    )
}

fn shown(api: &Api, status: StatusCode, title: &str, body: &str) -> Response {
    let style = format!("{}connect/style.css", api.base());
    let mut response = (status, Html(frame(title, &style, body))).into_response();
    // Chrome holds a form's redirects to form-action as well.
    let mut targets = String::from("'self' https://*.salesforce.com https://*.sfcrmproducts.cn");
    for side in Side::BOTH {
        if let Some(app) = api.keeper.apps.get(side) {
            targets.push(' ');
            targets.push_str(&app.authorize_host.origin().ascii_serialization());
        }
    }
    let policy = format!(
        "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; \
         form-action {targets}"
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        response
            .headers_mut()
            .insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

pub async fn style() -> Response {
    (
        [(header::CONTENT_TYPE, "text/css; charset=utf-8")],
        crate::api::page::STYLE,
    )
        .into_response()
}
