//! From method and path to the call that is meant, for both families of paths (`hubspot.md 2`).
//!
//! The dated and the numbered family end in the same [`Route`]; nothing after this file asks which
//! one was used, but for the one answer that differs.

use axum::http::Method;

use super::super::failure::Failure;
use super::super::kind::ObjectKind;
use super::super::limits::Meter;
use super::super::state::State;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum BatchCall {
    Read,
    Create,
    Update,
    Upsert,
    Archive,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum LinkBatchCall {
    Read,
    Create,
    Default,
    Archive,
    ArchiveLabels,
}

/// One record to another, as a path names them.
#[derive(Clone, Debug)]
pub(in super::super) struct Pair {
    pub from: ObjectKind,
    pub from_id: String,
    pub to: ObjectKind,
    pub to_id: String,
}

#[derive(Clone, Debug)]
pub(in super::super) enum Route {
    List(ObjectKind),
    Create(ObjectKind),
    Read(ObjectKind, String),
    Update(ObjectKind, String),
    Archive(ObjectKind, String),
    Batch(ObjectKind, BatchCall),
    Search(ObjectKind),
    Merge(ObjectKind),
    Links(ObjectKind, String, ObjectKind),
    Link(Pair),
    LinkDefault(Pair),
    Unlink(Pair),
    LinkBatch(ObjectKind, ObjectKind, LinkBatchCall),
    Labels(ObjectKind, ObjectKind),
    AddLabel(ObjectKind, ObjectKind),
    Properties(ObjectKind),
    AddProperty(ObjectKind),
    Property(ObjectKind, String),
    Groups(ObjectKind),
    AddGroup(ObjectKind),
    Pipelines(ObjectKind),
    Pipeline(ObjectKind, String),
    Stages(ObjectKind, String),
    Owners,
    Owner(String),
    Schemas,
    Schema(String),
    Account,
    Token,
    Introspect,
    Revoke,
    /// The consent page, and the account its path names.
    Consent(Option<String>),
    Uninstall,
    PrivateApp,
}

/// The part of the API a path leads into.
#[derive(Clone, Copy)]
enum Area {
    Objects,
    Associations,
    Properties,
    Pipelines,
    Owners,
    Schemas,
    Account,
    OAuth,
}

fn is_dated(version: &str) -> bool {
    matches!(version, "2026-03" | "2026-09")
}

/// Splits a path into its area, what follows, and whether its version is a date.
fn area<'a>(segments: &'a [&'a str]) -> Option<(Area, &'a [&'a str], bool)> {
    let numbered = |area, rest| Some((area, rest, false));
    match segments {
        ["crm", "v3" | "v4", "objects", rest @ ..] => numbered(Area::Objects, rest),
        ["crm", "v3", "properties", rest @ ..] => numbered(Area::Properties, rest),
        ["crm", "v3", "pipelines", rest @ ..] => numbered(Area::Pipelines, rest),
        ["crm", "v3", "owners", rest @ ..] => numbered(Area::Owners, rest),
        ["crm", "v3", "schemas", rest @ ..] => numbered(Area::Schemas, rest),
        ["crm", "v4", "associations", rest @ ..] => numbered(Area::Associations, rest),
        ["crm", "associations", "v4", rest @ ..] => numbered(Area::Associations, rest),
        ["crm-object-schemas", "v3", "schemas", rest @ ..] => numbered(Area::Schemas, rest),
        ["account-info", "v3", "details"] => numbered(Area::Account, &[]),
        ["oauth", "v2", "private-apps", rest @ ..] => numbered(Area::OAuth, rest),
        ["oauth", "v1" | "v3", rest @ ..] => numbered(Area::OAuth, rest),
        ["crm", area, version, rest @ ..] if is_dated(version) => {
            let area = match *area {
                "objects" => Area::Objects,
                "properties" => Area::Properties,
                "pipelines" => Area::Pipelines,
                "owners" => Area::Owners,
                "associations" => Area::Associations,
                _ => return None,
            };
            Some((area, rest, true))
        }
        ["crm-object-schemas", version, "schemas", rest @ ..] if is_dated(version) => {
            Some((Area::Schemas, rest, true))
        }
        ["account-info", version, "details"] if is_dated(version) => {
            Some((Area::Account, &[], true))
        }
        ["oauth", version, rest @ ..] if is_dated(version) => Some((Area::OAuth, rest, true)),
        _ => None,
    }
}

/// The call, and whether a dated path was used.
pub(in super::super) fn route(
    state: &State,
    method: &Method,
    path: &str,
) -> Result<(Route, bool), Failure> {
    let decoded: Vec<String> = path.trim_matches('/').split('/').map(decode).collect();
    let segments: Vec<&str> = decoded.iter().map(String::as_str).collect();
    if let Some(route) = connecting(method, &segments) {
        return route.map(|route| (route, false));
    }
    let (area, rest, dated) = area(&segments).ok_or_else(Failure::no_route)?;
    let kind = |name: &str| state.kind(name);
    let route = match area {
        Area::Objects => objects(state, method, rest)?,
        Area::Associations => associations(state, method, rest)?,
        Area::Properties => match (method.as_str(), rest) {
            ("GET", [t]) => Route::Properties(kind(t)?),
            ("POST", [t]) => Route::AddProperty(kind(t)?),
            ("GET", [t, "groups"]) => Route::Groups(kind(t)?),
            ("POST", [t, "groups"]) => Route::AddGroup(kind(t)?),
            ("GET", [t, name]) => Route::Property(kind(t)?, (*name).to_owned()),
            (_, [_] | [_, _]) => return Err(Failure::wrong_method()),
            _ => return Err(Failure::no_route()),
        },
        Area::Pipelines => match (method.as_str(), rest) {
            ("GET", [t]) => Route::Pipelines(kind(t)?),
            ("GET", [t, id]) => Route::Pipeline(kind(t)?, (*id).to_owned()),
            ("GET", [t, id, "stages"]) => Route::Stages(kind(t)?, (*id).to_owned()),
            (_, [_] | [_, _] | [_, _, "stages"]) => return Err(Failure::wrong_method()),
            _ => return Err(Failure::no_route()),
        },
        Area::Owners | Area::Schemas | Area::Account => fixed(area, method, rest)?,
        Area::OAuth => match (method.as_str(), rest) {
            ("POST", ["token"]) => Route::Token,
            ("POST", ["token", "introspect"]) => Route::Introspect,
            ("POST", ["token", "revoke"]) => Route::Revoke,
            ("POST", ["get", "access-token-info"]) => Route::PrivateApp,
            (_, ["token"] | ["token", "introspect" | "revoke"]) => {
                return Err(Failure::wrong_method());
            }
            _ => return Err(Failure::no_route()),
        },
    };
    Ok((route, dated))
}

/// How an account is connected to the app in the browser, and how the app leaves it.
fn connecting(method: &Method, segments: &[&str]) -> Option<Result<Route, Failure>> {
    let route = match segments {
        ["oauth", "authorize"] => Route::Consent(None),
        ["oauth", hub, "authorize"] => Route::Consent(Some((*hub).to_owned())),
        ["appinstalls", version, "external-install"] if *version == "v3" || is_dated(version) => {
            Route::Uninstall
        }
        _ => return None,
    };
    let fits = match &route {
        Route::Uninstall => method == Method::DELETE,
        _ => method == Method::GET || method == Method::POST,
    };
    Some(if fits {
        Ok(route)
    } else {
        Err(Failure::wrong_method())
    })
}

fn fixed(area: Area, method: &Method, rest: &[&str]) -> Result<Route, Failure> {
    if method != Method::GET {
        return Err(Failure::wrong_method());
    }
    match (area, rest) {
        (Area::Owners, []) => Ok(Route::Owners),
        (Area::Owners, [id]) => Ok(Route::Owner((*id).to_owned())),
        (Area::Schemas, []) => Ok(Route::Schemas),
        (Area::Schemas, [name]) => Ok(Route::Schema((*name).to_owned())),
        (Area::Account, []) => Ok(Route::Account),
        _ => Err(Failure::no_route()),
    }
}

fn objects(state: &State, method: &Method, rest: &[&str]) -> Result<Route, Failure> {
    let kind = |name: &str| state.kind(name);
    let pair = |from: &str, from_id: &str, to: &str, to_id: &str| {
        Ok::<Pair, Failure>(Pair {
            from: kind(from)?,
            from_id: from_id.to_owned(),
            to: kind(to)?,
            to_id: to_id.to_owned(),
        })
    };
    Ok(match (method.as_str(), rest) {
        ("GET", [t]) => Route::List(kind(t)?),
        ("POST", [t]) => Route::Create(kind(t)?),
        ("POST", [t, "search"]) => Route::Search(kind(t)?),
        ("POST", [t, "merge"]) => Route::Merge(kind(t)?),
        ("POST", [t, "batch", call]) => {
            let call = match *call {
                "read" => BatchCall::Read,
                "create" => BatchCall::Create,
                "update" => BatchCall::Update,
                "upsert" => BatchCall::Upsert,
                "archive" => BatchCall::Archive,
                _ => return Err(Failure::no_route()),
            };
            Route::Batch(kind(t)?, call)
        }
        ("GET", [t, id]) => Route::Read(kind(t)?, (*id).to_owned()),
        ("PATCH", [t, id]) => Route::Update(kind(t)?, (*id).to_owned()),
        ("DELETE", [t, id]) => Route::Archive(kind(t)?, (*id).to_owned()),
        ("GET", [t, id, "associations", to]) => Route::Links(kind(t)?, (*id).to_owned(), kind(to)?),
        ("PUT", [t, id, "associations", "default", to, to_id]) => {
            Route::LinkDefault(pair(t, id, to, to_id)?)
        }
        ("PUT", [t, id, "associations", to, to_id]) => Route::Link(pair(t, id, to, to_id)?),
        ("DELETE", [t, id, "associations", to, to_id]) => Route::Unlink(pair(t, id, to, to_id)?),
        (_, [_] | [_, _] | [_, _, "associations", ..] | [_, "batch", _]) => {
            return Err(Failure::wrong_method());
        }
        _ => return Err(Failure::no_route()),
    })
}

fn associations(state: &State, method: &Method, rest: &[&str]) -> Result<Route, Failure> {
    let [from, to, rest @ ..] = rest else {
        return Err(Failure::no_route());
    };
    let (from, to) = (state.kind(from)?, state.kind(to)?);
    let call = match (method.as_str(), rest) {
        ("GET", ["labels"]) => return Ok(Route::Labels(from, to)),
        ("POST", ["labels"]) => return Ok(Route::AddLabel(from, to)),
        ("POST", ["batch", "read"]) => LinkBatchCall::Read,
        ("POST", ["batch", "create"]) => LinkBatchCall::Create,
        ("POST", ["batch", "associate", "default"]) => LinkBatchCall::Default,
        ("POST", ["batch", "archive"]) => LinkBatchCall::Archive,
        ("POST", ["batch", "labels", "archive"]) => LinkBatchCall::ArchiveLabels,
        (_, ["labels"] | ["batch", ..]) => return Err(Failure::wrong_method()),
        _ => return Err(Failure::no_route()),
    };
    Ok(Route::LinkBatch(from, to, call))
}

/// Undoes percent escapes; a plus sign in a path is itself.
fn decode(segment: &str) -> String {
    let safe = segment
        .replace('+', "%2B")
        .replace('&', "%26")
        .replace('=', "%3D");
    let mut pairs = url::form_urlencoded::parse(safe.as_bytes());
    pairs
        .next()
        .map_or_else(String::new, |(key, _)| key.into_owned())
}

impl Route {
    /// The name this kind of call has in the counters.
    pub fn family(&self) -> &'static str {
        match self {
            Self::List(_) => "objects.list",
            Self::Create(_) => "objects.create",
            Self::Read(..) => "objects.read",
            Self::Update(..) => "objects.update",
            Self::Archive(..) => "objects.archive",
            Self::Batch(_, BatchCall::Read) => "objects.batch_read",
            Self::Batch(_, BatchCall::Create) => "objects.batch_create",
            Self::Batch(_, BatchCall::Update) => "objects.batch_update",
            Self::Batch(_, BatchCall::Upsert) => "objects.batch_upsert",
            Self::Batch(_, BatchCall::Archive) => "objects.batch_archive",
            Self::Search(_) => "objects.search",
            Self::Merge(_) => "objects.merge",
            Self::Links(..) => "associations.read",
            Self::Link(_) | Self::LinkDefault(_) => "associations.create",
            Self::Unlink(_) => "associations.archive",
            Self::LinkBatch(_, _, LinkBatchCall::Read) => "associations.batch_read",
            Self::LinkBatch(_, _, LinkBatchCall::Create | LinkBatchCall::Default) => {
                "associations.batch_create"
            }
            Self::LinkBatch(_, _, LinkBatchCall::Archive | LinkBatchCall::ArchiveLabels) => {
                "associations.batch_archive"
            }
            Self::Labels(..) | Self::AddLabel(..) => "associations.labels",
            Self::Properties(_) | Self::AddProperty(_) | Self::Property(..) => "properties",
            Self::Groups(_) | Self::AddGroup(_) => "properties.groups",
            Self::Pipelines(_) | Self::Pipeline(..) | Self::Stages(..) => "pipelines",
            Self::Owners | Self::Owner(_) => "owners",
            Self::Schemas | Self::Schema(_) => "schemas",
            Self::Account => "account",
            Self::Token | Self::Introspect | Self::Revoke | Self::PrivateApp => "oauth",
            Self::Consent(_) | Self::Uninstall => "oauth",
        }
    }

    pub fn meter(&self) -> Meter {
        if matches!(self, Self::Search(_)) {
            Meter::Search
        } else if self.family() == "oauth" && !matches!(self, Self::Uninstall) {
            Meter::Free
        } else if self.family().starts_with("associations.") {
            Meter::Associations
        } else {
            Meter::Standard
        }
    }

    /// The scopes the call needs, all of them.
    pub fn scopes(&self) -> Vec<String> {
        let read = |kind: &ObjectKind| vec![kind.scope(false)];
        let write = |kind: &ObjectKind| vec![kind.scope(true)];
        match self {
            Self::List(k) | Self::Read(k, _) | Self::Search(k) => read(k),
            Self::Batch(k, BatchCall::Read) => read(k),
            Self::Batch(k, _) | Self::Create(k) | Self::Update(k, _) => write(k),
            Self::Archive(k, _) | Self::Merge(k) => write(k),
            Self::Links(a, _, b)
            | Self::LinkBatch(a, b, LinkBatchCall::Read)
            | Self::Labels(a, b) => vec![a.scope(false), b.scope(false)],
            Self::LinkBatch(a, b, _) | Self::AddLabel(a, b) => {
                vec![a.scope(true), b.scope(true)]
            }
            Self::Link(p) | Self::LinkDefault(p) | Self::Unlink(p) => {
                vec![p.from.scope(true), p.to.scope(true)]
            }
            Self::Properties(k) | Self::Property(k, _) | Self::Groups(k) => {
                vec![k.schema_scope(false)]
            }
            Self::AddProperty(k) | Self::AddGroup(k) => vec![k.schema_scope(true)],
            Self::Pipelines(k) | Self::Pipeline(k, _) | Self::Stages(k, _) => read(k),
            Self::Owners | Self::Owner(_) => vec!["crm.objects.owners.read".to_owned()],
            Self::Schemas | Self::Schema(_) => vec!["crm.schemas.custom.read".to_owned()],
            Self::Account | Self::Token | Self::Introspect | Self::PrivateApp => Vec::new(),
            Self::Revoke | Self::Consent(_) | Self::Uninstall => Vec::new(),
        }
    }
}
