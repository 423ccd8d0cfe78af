//! What the faults of a call do: refusals of gateways and limits, answers that break or lie.
//!
//! Whether one strikes is decided in `sim::faults`; faults of rows and values are in `mishap`.

use std::io::ErrorKind;

use serde_json::{Value as Json, json};

use super::super::failure::Failure;
use super::super::mishap::Later;
use super::super::stamp;
use super::super::state::State;
use super::route::{self, Route};
use super::{Call, JSON_TYPE, Reply};
use crate::sim::faults::{At, Fault, Point, Strike};

const PAGE: &str = "<!DOCTYPE html><html><body><h1>We'll be right back</h1></body></html>";

impl State {
    /// Answers a call, or lets the fault that strikes it answer.
    pub(super) fn meet_faults(&mut self, call: &Call, too_large: bool, correlation: &str) -> Reply {
        let route = route::route(self, &call.method, &call.path).ok();
        let strike = route.map(|(route, _)| route).and_then(|route| {
            let at = At {
                method: call.method.as_str(),
                path: &call.path,
                family: route.family(),
                writes: route.writes(),
                object: route.object(),
                body: &call.body,
                ..At::default()
            };
            self.faults.strike(Point::Call, &at)
        });
        match strike {
            None => self.carry_out(call, too_large, correlation),
            Some(strike) => self.struck(call, &strike, correlation),
        }
    }

    fn struck(&mut self, call: &Call, strike: &Strike, correlation: &str) -> Reply {
        match strike.fault {
            Fault::Refused => Reply::broken(ErrorKind::ConnectionRefused),
            Fault::NeverApplied => Reply::broken(ErrorKind::ConnectionReset),
            Fault::AppliedLate => {
                self.later(strike.millis(), Later::Call(call.clone()));
                Reply::broken(ErrorKind::TimedOut)
            }
            Fault::LostReply => {
                self.carry_out(call, false, correlation);
                Reply::broken(ErrorKind::ConnectionReset)
            }
            Fault::TimeLimit => {
                self.carry_out(call, false, correlation);
                let late = Failure::plain(524, "A time-out occurred");
                Reply::failure(&late, correlation)
            }
            Fault::HtmlReply => {
                let mut reply = self.carry_out(call, false, correlation);
                reply.status = 200;
                reply.text = Some(("text/html", PAGE.to_owned()));
                reply
            }
            Fault::TruncatedReply => cut(self.carry_out(call, false, correlation)),
            Fault::ShortReply => {
                let mut reply = self.carry_out(call, false, correlation);
                if let Some(results) = reply
                    .body
                    .as_mut()
                    .and_then(|b| b["results"].as_array_mut())
                {
                    results.pop();
                }
                reply
            }
            Fault::OddError => {
                let mut reply = self.after(call, Err(Failure::plain(503, "")), correlation);
                reply.body = Some(json!({"weather": ["stormy", 7], "status": {"code": null}}));
                reply
            }
            fault => {
                let failure = self.refusal(call, fault);
                let mut reply = self.after(call, Err(failure), correlation);
                if fault == Fault::Moving {
                    let seconds = strike.seconds.to_string();
                    reply.headers.push(("retry-after", seconds));
                }
                reply
            }
        }
    }

    fn refusal(&self, call: &Call, fault: Fault) -> Failure {
        match fault {
            Fault::BadGateway => Failure::plain(502, "Bad Gateway"),
            Fault::Unavailable => Failure::plain(503, "Service temporarily unavailable"),
            Fault::GatewayTimeout => Failure::plain(504, "Gateway time-out"),
            Fault::OriginDown => Failure::plain(521, "Web server is down"),
            Fault::OriginUnreachable => Failure::plain(523, "Origin is unreachable"),
            Fault::Locked => Failure::plain(423, "This account is locked by another operation"),
            Fault::Moving => Failure::plain(477, "This account is being moved"),
            Fault::BurstLimit => {
                Failure::rate_limited("TEN_SECONDLY_ROLLING", "ten_secondly_rolling")
            }
            Fault::DailyLimit => Failure::rate_limited("DAILY", "daily"),
            Fault::SearchLimit => Failure::rate_limited("SECONDLY", "secondly"),
            Fault::TokenExpired => Failure::expired(1_000, stamp(self.now() - 1_000)),
            Fault::Revoked => Failure::unauthenticated(),
            Fault::ScopeRemoved => {
                let route = route::route(self, &call.method, &call.path).ok();
                let scopes = route.map(|(route, _)| route.scopes()).unwrap_or_default();
                Failure::missing_scope(scopes.first().map_or("", String::as_str))
            }
            _ => Failure::plain(500, "Internal error"),
        }
    }

    /// Carries a call out whose sender went away long ago.
    pub(in super::super) fn finish_late(&mut self, call: &Call) {
        let correlation = self.uuid();
        self.carry_out(call, false, &correlation);
    }
}

/// A success whose JSON ends in the middle.
fn cut(mut reply: Reply) -> Reply {
    if reply.status < 300 {
        let text = reply.body.take().unwrap_or(Json::Null).to_string();
        let half: String = text.chars().take(text.chars().count() / 2).collect();
        reply.text = Some((JSON_TYPE, half));
    }
    reply
}

impl Route {
    /// Whether the call may change a record or an association.
    fn writes(&self) -> bool {
        let family = self.family();
        let objects = family.starts_with("objects.") || family.starts_with("associations.");
        objects
            && !["read", "list", "search", "labels"]
                .iter()
                .any(|one| family.ends_with(one))
    }

    /// The object a call is about; of an association, where it begins.
    fn object(&self) -> &'static str {
        match self {
            Self::List(kind)
            | Self::Create(kind)
            | Self::Read(kind, _)
            | Self::Update(kind, _)
            | Self::Archive(kind, _)
            | Self::Batch(kind, _)
            | Self::Search(kind)
            | Self::Merge(kind)
            | Self::Links(kind, _, _)
            | Self::LinkBatch(kind, _, _)
            | Self::Labels(kind, _)
            | Self::AddLabel(kind, _)
            | Self::Properties(kind)
            | Self::AddProperty(kind)
            | Self::Property(kind, _)
            | Self::Groups(kind)
            | Self::AddGroup(kind)
            | Self::Pipelines(kind)
            | Self::Pipeline(kind, _)
            | Self::Stages(kind, _) => kind.plural(),
            Self::Link(pair) | Self::LinkDefault(pair) | Self::Unlink(pair) => pair.from.plural(),
            Self::Owners
            | Self::Owner(_)
            | Self::Schemas
            | Self::Schema(_)
            | Self::Account
            | Self::Token
            | Self::Introspect
            | Self::Revoke
            | Self::Consent(_)
            | Self::Uninstall
            | Self::PrivateApp => "",
        }
    }
}
