//! Which scopes of a HubSpot app the mappings need, each with what it is for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::mapping::{Access, Mapping, needs};
use crate::model::Side;

/// Plural, singular and type id of the objects that every portal has (hubspot.md 8.4).
const STANDARD: [(&str, &str, &str); 8] = [
    ("contacts", "contact", "0-1"),
    ("companies", "company", "0-2"),
    ("deals", "deal", "0-3"),
    ("tickets", "ticket", "0-5"),
    ("products", "product", "0-7"),
    ("line_items", "line_item", "0-8"),
    ("quotes", "quote", "0-14"),
    ("leads", "lead", "0-136"),
];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    pub name: String,
    /// What it is for, in words.
    pub what: String,
    /// A run cannot do without it.
    pub required: bool,
    /// Of a custom object, which accounts below Enterprise do not have.
    pub custom: bool,
    /// Without it the schemas of the account cannot be read.
    pub looks: bool,
}

/// Singular and plural of a standard object; `None` for a custom one.
pub(super) fn standard(object: &str) -> Option<(&'static str, &'static str)> {
    STANDARD
        .iter()
        .find(|(plural, _, id)| object == *plural || object == *id)
        .map(|(plural, singular, _)| (*singular, *plural))
}

/// How mappings name the standard object that events call by its singular or its type id.
pub fn plural(name: &str) -> Option<&'static str> {
    let mut all = STANDARD.iter();
    let found = all.find(|(_, singular, id)| name == *singular || name == *id);
    found.map(|(plural, _, _)| *plural)
}

/// The scope for records or for definitions of an object.
pub(super) fn name(object: &str, area: &str, action: &str) -> String {
    match standard(object) {
        Some((_, "tickets")) => "tickets".to_owned(),
        Some((_, plural)) => format!("crm.{area}.{plural}.{action}"),
        None => format!("crm.{area}.custom.{action}"),
    }
}

/// The scopes of an app, as HubSpot keeps them for it and a consent names them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AppScopes {
    /// Whoever connects grants all of them, or nothing.
    pub required: Vec<String>,
    /// Granted where the account has them.
    pub optional: Vec<String>,
}

impl AppScopes {
    /// Those of an app that is made for mappings that all its accounts share. An account without
    /// custom objects could not install an app that requires their scopes.
    pub fn of(shared: &[Mapping]) -> Self {
        let (required, optional): (Vec<Scope>, Vec<Scope>) =
            nameable(shared).partition(|scope| scope.required && !scope.custom);
        let base = std::iter::once("oauth".to_owned());
        Self {
            required: base
                .chain(required.into_iter().map(|scope| scope.name))
                .collect(),
            optional: optional.into_iter().map(|scope| scope.name).collect(),
        }
    }

    /// What mappings need besides that only some accounts have. It is optional: of the others
    /// nobody asks it, and what they grant does not change with those mappings.
    #[must_use]
    pub fn with(self, own: &[Mapping]) -> Self {
        self.and(nameable(own).map(|scope| scope.name))
    }

    /// With these as optional ones.
    #[must_use]
    pub fn and(mut self, more: impl IntoIterator<Item = String>) -> Self {
        let new: Vec<String> = more.into_iter().filter(|name| !self.has(name)).collect();
        self.optional.extend(new);
        self.optional.sort();
        self.optional.dedup();
        self
    }

    pub fn has(&self, name: &str) -> bool {
        self.all().any(|own| own == name)
    }

    pub fn all(&self) -> impl Iterator<Item = &String> {
        self.required.iter().chain(&self.optional)
    }

    /// What an account is asked for that works with these mappings: all that the app requires,
    /// because HubSpot insists on it (hubspot.md 1.1), and of the others what they can use.
    #[must_use]
    pub fn asked_for(self, mappings: &[Mapping]) -> Self {
        let used = scopes(mappings);
        let is_used = |name: &String| used.iter().any(|scope| scope.name == *name);
        Self {
            optional: self.optional.into_iter().filter(is_used).collect(),
            ..self
        }
    }

    /// What these mappings can use and the app does not have.
    pub fn lacking(&self, mappings: &[Mapping]) -> Vec<String> {
        let names = nameable(mappings).map(|scope| scope.name);
        names.filter(|name| !self.has(name)).collect()
    }
}

/// The scopes that an app has for these mappings; there is none to make definitions of custom
/// objects with.
fn nameable(mappings: &[Mapping]) -> impl Iterator<Item = Scope> {
    let all = scopes(mappings).into_iter();
    all.filter(|scope| scope.name != "crm.schemas.custom.write")
}

/// Without these a run of the mappings fails.
pub fn needed(mappings: &[Mapping]) -> Vec<String> {
    let all = scopes(mappings).into_iter();
    all.filter(|scope| scope.required)
        .map(|scope| scope.name)
        .collect()
}

/// Every scope once, in the order of their names.
pub fn scopes(mappings: &[Mapping]) -> Vec<Scope> {
    let mut all = BTreeMap::new();
    let owners = "crm.objects.owners.read".to_owned();
    add(
        &mut all,
        owners,
        "see who owns a record",
        (true, false, true),
    );
    for mapping in mappings {
        let needs = needs(mapping);
        let object = mapping.objects.hubspot.as_str();
        let mut of = |object: &str, area: &str, action: &str, what: &str, required: bool| {
            let custom = standard(object).is_none();
            let looks = area == "schemas" && action == "read";
            let name = name(object, area, action);
            let what = format!("{what} {object}");
            add(&mut all, name, &what, (required, custom, looks));
        };
        of(object, "objects", "read", "read", true);
        of(object, "schemas", "read", "know the properties of", true);
        if *needs.updates.get(Side::HubSpot) {
            of(object, "objects", "write", "create and change", true);
        }
        if needs.key.hubspot.is_some() {
            let what = "let `tandem prepare` make the key property of";
            of(object, "schemas", "write", what, false);
        }
        for (far, access) in &needs.ties {
            of(far, "objects", "read", "read associations to", true);
            if *access == Access::Write {
                of(far, "objects", "write", "write associations to", true);
            }
        }
    }
    all.into_values().collect()
}

type Flags = (bool, bool, bool);

fn add(all: &mut BTreeMap<String, Scope>, name: String, what: &str, flags: Flags) {
    let (required, custom, looks) = flags;
    let scope = all.entry(name.clone()).or_insert_with(|| Scope {
        name,
        what: String::new(),
        required: false,
        custom,
        looks: false,
    });
    scope.required |= required;
    scope.looks |= looks;
    if scope.what.is_empty() {
        what.clone_into(&mut scope.what);
    } else if !scope.what.split(", ").any(|part| part == what) {
        scope.what = format!("{}, {what}", scope.what);
    }
}
