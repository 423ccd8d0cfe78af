//! Compares what mappings want with what was seen: one finding for each thing, in a fixed order.

use super::wanted::{Wanted, opened_by, wanted};
use super::{Finding, Grant, KEY_GROUP, KEY_LABEL, PERMISSION_SET, Seen, State, Step, scopes};
use crate::mapping::{Access, Mapping};
use crate::model::{FieldSchema, ObjectSchema, Side};

/// Of the day's calls; beyond it everything but a person's own work stops.
const FULL_PERCENT: u64 = 90;

pub fn findings(mappings: &[Mapping], seen: &Seen) -> Vec<Finding> {
    let mut all = scope_findings(mappings, seen);
    let Some(schemas) = &seen.schemas else {
        let why = "cannot be looked at before the app has the scopes above";
        let blind = |side: Side| finding(side, "all objects", "fields and keys", why);
        all.extend(Side::BOTH.map(blind));
        return all;
    };
    for side in Side::BOTH {
        for (name, wanted) in &wanted(mappings, side) {
            let Some(object) = schemas.objects.get(side).get(name) else {
                continue;
            };
            let place = Place {
                seen,
                side,
                name,
                object,
            };
            place.records(wanted, &mut all);
            place.keys(wanted, &mut all);
            place.fields(wanted, &mut all);
        }
    }
    all.extend(Side::BOTH.map(|side| allowance(side, seen)));
    all.sort_by_key(|finding| finding.side);
    all
}

/// Of which nothing is known, until somebody says otherwise.
fn finding(side: Side, place: &str, what: impl Into<String>, why: impl Into<String>) -> Finding {
    Finding {
        side,
        place: place.to_owned(),
        what: what.into(),
        state: State::Unknown,
        why: why.into(),
        todo: String::new(),
        step: None,
    }
}

impl Finding {
    fn state(mut self, state: State) -> Self {
        self.state = state;
        self
    }

    fn todo(mut self, todo: impl Into<String>) -> Self {
        self.todo = todo.into();
        self
    }
}

fn scope_findings(mappings: &[Mapping], seen: &Seen) -> Vec<Finding> {
    let needed = scopes::scopes(mappings);
    let needed = needed.into_iter().filter(|scope| scope.required);
    let Some(granted) = &seen.scopes else {
        let names: Vec<String> = needed.map(|scope| scope.name).collect();
        let why = format!(
            "HubSpot tells the scopes of private apps only; needed are {}",
            names.join(", ")
        );
        return vec![finding(Side::HubSpot, "app", "scopes", why)];
    };
    let (there, missing): (Vec<_>, Vec<_>) =
        needed.partition(|scope| granted.contains(&scope.name));
    let all = format!("{} needed scope(s)", there.len());
    let mut found = Vec::new();
    if !there.is_empty() {
        found.push(finding(Side::HubSpot, "app", all, "granted").state(State::Present));
    }
    found.extend(missing.into_iter().map(|scope| {
        let what = format!("scope {}", scope.name);
        let why = format!("the app lacks it; it is there to {}", scope.what);
        finding(Side::HubSpot, "app", what, why)
            .state(State::Admin)
            .todo("add it under Scopes in the settings of the app")
    }));
    found
}

/// One object of one side.
struct Place<'a> {
    seen: &'a Seen,
    side: Side,
    name: &'a str,
    object: &'a ObjectSchema,
}

impl Place<'_> {
    fn finding(&self, what: impl Into<String>, why: impl Into<String>) -> Finding {
        finding(self.side, self.name, what, why)
    }

    /// Rights to records; those of HubSpot are its scopes.
    fn records(&self, wanted: &Wanted, all: &mut Vec<Finding>) {
        if self.side == Side::HubSpot {
            return;
        }
        let barred = &self.object.barred;
        let updates = barred.updates.as_ref().filter(|_| wanted.updates);
        let creates = barred.creates.as_ref().filter(|_| wanted.creates);
        for (what, why) in [("create records", creates), ("edit records", updates)] {
            if let Some(why) = why {
                let todo = format!(
                    "Setup > Permission Sets > {PERMISSION_SET} > Object Settings > {}, or deploy \
                     the package of `--zip FILE`",
                    self.name
                );
                let finding = self.finding(what, why).state(State::Admin);
                all.push(finding.todo(todo));
            }
        }
    }

    fn keys(&self, wanted: &Wanted, all: &mut Vec<Finding>) {
        for key in &wanted.keys {
            all.push(match self.object.fields.get(key) {
                Some(field) if field.unique || field.external_id => self.key_there(field),
                Some(_) => {
                    let why = "it is there, but its values are not unique, and that stays so";
                    self.finding(key_named(key), why)
                        .state(State::Admin)
                        .todo("name another field with `key:` in the mapping")
                }
                None => self.key_missing(key),
            });
        }
    }

    fn key_there(&self, field: &FieldSchema) -> Finding {
        let what = key_named(&field.name);
        if field.createable && field.updateable {
            return self.finding(what, "unique").state(State::Present);
        }
        let step = match self.side {
            Side::HubSpot => None,
            Side::Salesforce => Some(Step::Grant(self.grant(&field.name, true))),
        };
        let mut finding = self.finding(what, "the connected user may not write it");
        finding.state = self.state_of(step.as_ref());
        finding.todo = self.clicks_to_open(&field.name);
        finding.step = step;
        finding
    }

    fn key_missing(&self, key: &str) -> Finding {
        let (object, name) = (self.name.to_owned(), key.to_owned());
        let why = "keeps a record from being created twice";
        let mut finding = self.finding(key_named(key), why);
        match self.side {
            Side::HubSpot => {
                finding.todo = format!(
                    "Settings > Properties > {object} > Create property: {KEY_LABEL}, internal \
                     name {key}, group {}, single-line text, unique values",
                    KEY_GROUP.1
                );
                let scope = scopes::name(&object, "schemas", "write");
                let granted = self.seen.scopes.as_ref();
                finding.state = State::Creatable;
                if granted.is_some_and(|granted| !granted.contains(&scope)) {
                    finding.state = State::Admin;
                    finding.why = format!("{why}; the app lacks the scope {scope} to make it");
                }
                finding.step = Some(Step::Property { object, name });
            }
            Side::Salesforce => {
                finding.todo = format!(
                    "deploy the package of `--zip FILE`, or Setup > Object Manager > {object} > \
                     Fields & Relationships > New: Text, length 255, Unique (case insensitive), \
                     External ID, named {}; then let the connected user edit it",
                    key.trim_end_matches("__c")
                );
                let step = Step::Field { object, name };
                finding.state = self.state_of(Some(&step));
                finding.why = format!("{why}; not there, or hidden from the connected user");
                finding.step = Some(step);
            }
        }
        finding
    }

    /// Whether Tandem may do that in Salesforce.
    fn state_of(&self, step: Option<&Step>) -> State {
        match step {
            None => State::Admin,
            Some(Step::Field { name, .. }) if !name.ends_with("__c") => State::Missing,
            Some(_) if self.seen.administers == Some(false) => State::Admin,
            Some(_) => State::Creatable,
        }
    }

    fn grant(&self, field: &str, edit: bool) -> Grant {
        Grant {
            object: self.name.to_owned(),
            field: opened_by(self.seen, self.name, field),
            edit,
        }
    }

    fn clicks_to_open(&self, field: &str) -> String {
        format!(
            "deploy the package of `--zip FILE`, or Setup > Permission Sets > {PERMISSION_SET} > \
             Object Settings > {} > Edit: {field}",
            self.name
        )
    }

    fn fields(&self, wanted: &Wanted, all: &mut Vec<Finding>) {
        let mut sound = 0;
        for (name, access) in &wanted.fields {
            match self.field(name, *access) {
                Some(finding) => all.push(finding),
                None => sound += 1,
            }
        }
        if sound > 0 {
            let what = format!("{sound} mapped field(s)");
            let why = match self.side {
                Side::HubSpot => "there",
                Side::Salesforce => "visible to the connected user, editable where written",
            };
            all.push(self.finding(what, why).state(State::Present));
        }
    }

    fn field(&self, name: &str, access: Access) -> Option<Finding> {
        let edit = access == Access::Write;
        let what = format!("field {name}");
        let listed = self.object.fields.get(name);
        if self.side == Side::HubSpot {
            return listed.is_none().then(|| {
                self.finding(format!("property {name}"), "HubSpot has none of that name")
                    .state(State::Missing)
                    .todo("make it in HubSpot, or take it out of the mapping")
            });
        }
        let why = match listed {
            None => "hidden from the connected user by field-level security, or not there",
            Some(field) if !edit || field.createable || field.updateable => return None,
            // What no permission opens is for `tandem check --live` to explain.
            Some(_) if !self.may_be_opened(name) => return None,
            Some(_) => "the connected user may read it, and not edit it",
        };
        let step = Step::Grant(self.grant(name, edit));
        let mut finding = self.finding(what, why).todo(self.clicks_to_open(name));
        finding.state = self.state_of(Some(&step));
        finding.step = Some(step);
        Some(finding)
    }

    fn may_be_opened(&self, field: &str) -> bool {
        let open = self.seen.permissionable.get(self.name);
        open.is_some_and(|open| open.contains_key(field))
    }
}

fn key_named(key: &str) -> String {
    format!("key field {key}")
}

fn allowance(side: Side, seen: &Seen) -> Finding {
    let allowance = seen.allowance.get(side);
    let looking = format!(
        "looking for changes takes about {} on a day without any",
        allowance.looking
    );
    let Some(daily) = allowance.daily.filter(|daily| *daily > 0) else {
        let why = format!(
            "{} does not tell this app how many calls it may make; {looking}",
            side.title()
        );
        return finding(side, "account", "API calls", why);
    };
    let used = allowance.used.unwrap_or(0);
    let share = used.saturating_mul(100) / daily;
    let why = format!("{daily} a day, {share} % of it in use by all who share it; {looking}");
    let found = finding(side, "account", "API calls", why);
    if used.saturating_add(allowance.looking) <= daily.saturating_mul(FULL_PERCENT) / 100 {
        return found.state(State::Present);
    }
    let todo = "find out who uses them up, or buy more, before Tandem runs";
    found.state(State::Admin).todo(todo)
}
