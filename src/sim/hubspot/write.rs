//! The rules of creating and changing records (`hubspot.md 4.4` to `4.6` and `6.2`).
//!
//! Two steps: [`State::draft`] judges without changing anything, the rest applies. The direct doors
//! and the API share both.

use std::collections::BTreeMap;

use super::catalog::LIFECYCLE;
use super::failure::Failure;
use super::kind::ObjectKind;
use super::pipelines;
use super::property::{Access, PropertyId};
use super::record::{Record, Source};
use super::stamp;
use super::state::State;
use super::table::{Key, Table};
use super::value::{self, Invalid};

/// A judged write: stored forms of the values, and the unique keys the record will own.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub changes: BTreeMap<PropertyId, String>,
    pub keys: Vec<Key>,
}

impl State {
    /// Judges a write of `properties` to the live record `target`, or to a new one.
    pub fn draft(
        &self,
        kind: ObjectKind,
        target: Option<u64>,
        properties: &BTreeMap<String, String>,
        source: Source,
    ) -> Result<Draft, Failure> {
        let table = self.table(kind);
        let empty = Record::new(0, 0, source);
        let present = target
            .and_then(|id| table.live(id))
            .map_or(&empty, |r| &**r);
        let mut changes = self.accept_all(table, present, properties, source)?;
        if self.options.normalise {
            domain_from_website(table, present, &mut changes);
        }
        if source == Source::Integration {
            keep_lifecycle_forward(table, present, &mut changes);
        }
        if target.is_none() {
            fill_defaults(table, source, &mut changes);
            require(table, &changes)?;
        }
        self.check_stage(table, present, &changes)?;
        let mut future = present.clone();
        for (id, text) in &changes {
            future.set(*id, text, source, 0);
        }
        let keys = table.keys_of(&future);
        if let Some((property, value, owner)) = table.taken(&keys, present.id) {
            return Err(self.conflict(table, property, &value, owner));
        }
        Ok(Draft { changes, keys })
    }

    fn accept_all(
        &self,
        table: &Table,
        present: &Record,
        properties: &BTreeMap<String, String>,
        source: Source,
    ) -> Result<BTreeMap<PropertyId, String>, Failure> {
        let mut changes = BTreeMap::new();
        let mut refused = Vec::new();
        for (name, raw) in properties {
            let by_app = source == Source::Integration;
            if by_app && self.hides_property(table.kind, name) {
                continue;
            }
            let known = table.catalog.named(&name.to_ascii_lowercase());
            let known = known.filter(|_| !(by_app && self.lost_property(table.kind, name)));
            let Some((id, property)) = known else {
                refused.push(Invalid {
                    property: name.clone(),
                    code: "PROPERTY_DOESNT_EXIST",
                    message: format!("Property \"{name}\" does not exist"),
                    value: None,
                });
                continue;
            };
            if property.access != Access::Writable {
                refused.push(read_only(name, property.access));
                continue;
            }
            match value::accept(property, raw, present.get(id), self.options.normalise) {
                Ok(text) => {
                    changes.insert(id, text);
                }
                Err(invalid) => refused.push(invalid),
            }
        }
        if refused.is_empty() {
            Ok(changes)
        } else {
            Err(Failure::values(self.portal_id, &refused))
        }
    }

    /// A stage must belong to the pipeline the record will be in.
    fn check_stage(
        &self,
        table: &Table,
        present: &Record,
        changes: &BTreeMap<PropertyId, String>,
    ) -> Result<(), Failure> {
        let Some((pipeline, stage)) = pipelines::properties_of(table.kind) else {
            return Ok(());
        };
        let future = |name| future(table, present, changes, name);
        if !changes.keys().any(|id| {
            let name = &*table.catalog.get(*id).name;
            name == pipeline || name == stage
        }) {
            return Ok(());
        }
        let (pipeline, stage_id) = (future(pipeline), future(stage));
        match pipelines::of_stage(table.kind, stage_id) {
            Some((owner, _)) if owner == pipeline => Ok(()),
            None if stage_id.is_empty() => Ok(()),
            Some(_) | None => Err(Failure::values(
                self.portal_id,
                &[Invalid {
                    property: stage.to_owned(),
                    code: "INVALID_OPTION",
                    message: format!(
                        "{stage_id} was not one of the allowed options of pipeline {pipeline}"
                    ),
                    value: Some(stage_id.to_owned()),
                }],
            )),
        }
    }

    fn conflict(&self, table: &Table, property: PropertyId, value: &str, owner: u64) -> Failure {
        if table.email() == Some(property) {
            return Failure::contact_exists(owner);
        }
        let name = table.catalog.get(property).name.to_string();
        let message = format!(
            "Cannot set PropertyValueCoordinates{{portalId={}, objectTypeId={}, \
             propertyName={name}, value={value}}}. {owner} already has that value.",
            self.portal_id,
            table.kind.type_id()
        );
        let invalid = Invalid {
            property: name,
            code: "CONFLICTING_UNIQUE_VALUE",
            message,
            value: Some(value.to_owned()),
        };
        Failure::values(self.portal_id, &[invalid])
    }

    /// Makes a record of a draft; its id.
    pub fn create_record(&mut self, kind: ObjectKind, draft: &Draft, source: Source) -> u64 {
        let now = self.now();
        let id = self.next_id(kind);
        let mut record = Record::new(id, now, source);
        let set = draft.changes.iter().filter(|(_, text)| !text.is_empty());
        let table = self.table_mut(kind);
        for (property, text) in set {
            record.set(*property, text, source, now);
            set_dates(table, &mut record, *property, text, source, now);
        }
        table.insert(record, now);
        self.hold_search(kind, id);
        self.catch_up(kind);
        self.tell_created(kind, id, source);
        id
    }

    /// Applies a draft. False when every value was stored already: then no stamp moves.
    pub fn update_record(
        &mut self,
        kind: ObjectKind,
        id: u64,
        draft: &Draft,
        source: Source,
    ) -> bool {
        let now = self.now();
        let table = self.table_mut(kind);
        let Some(present) = table.live(id).cloned() else {
            return false;
        };
        let moved = |(property, text): &(&PropertyId, &String)| present.get(**property) != **text;
        if !draft.changes.iter().any(|change| moved(&change)) {
            return false;
        }
        let mut record = (*present).clone();
        for (property, text) in draft.changes.iter().filter(moved) {
            record.set(*property, text, source, now);
            set_dates(table, &mut record, *property, text, source, now);
        }
        record.modified = now.max(record.modified);
        table.change(id, now, |stored| *stored = record);
        self.hold_search(kind, id);
        self.catch_up(kind);
        self.tell_values(kind, &present, source);
        true
    }

    /// Moves a live record to the recycle bin. False when there is none.
    pub fn archive_record(&mut self, kind: ObjectKind, id: u64, source: Source) -> bool {
        let now = self.now();
        let table = self.table_mut(kind);
        let done =
            table.live(id).is_some() && table.change(id, now, |record| record.archived = Some(now));
        self.catch_up(kind);
        if done {
            self.tell_deleted(kind, id, source);
        }
        done
    }

    /// Takes a record out of the recycle bin; its associations show again.
    pub fn restore_record(&mut self, kind: ObjectKind, id: u64) -> Result<(), Failure> {
        let now = self.now();
        let table = self.table(kind);
        let Some(record) = table.get(id).filter(|r| !r.is_live()) else {
            return Err(Failure::not_found());
        };
        if let Some((property, value, owner)) = table.taken(&table.keys_of(record), id) {
            return Err(self.conflict(table, property, &value, owner));
        }
        self.table_mut(kind)
            .change(id, now, |record| record.archived = None);
        self.catch_up(kind);
        self.tell_restored(kind, id, Source::Person);
        Ok(())
    }

    /// Lets search see what is old enough; done on writes too, so that nothing piles up.
    pub fn catch_up(&mut self, kind: ObjectKind) {
        let (now, lag) = (self.now(), self.options.search_lag_ms);
        if self
            .search_stuck
            .get(&kind)
            .is_some_and(|until| now < *until)
        {
            return;
        }
        self.table_mut(kind).index.catch_up(now, lag);
    }
}

fn read_only(name: &str, access: Access) -> Invalid {
    let how = match access {
        Access::Derived(_) => "calculated",
        Access::ReadOnly | Access::Writable => "read only",
    };
    Invalid {
        property: name.to_owned(),
        code: "READ_ONLY_VALUE",
        message: format!("\"{name}\" is a {how} property; its value cannot be set."),
        value: None,
    }
}

/// What a property will hold once `changes` are applied.
fn future<'a>(
    table: &Table,
    present: &'a Record,
    changes: &'a BTreeMap<PropertyId, String>,
    name: &str,
) -> &'a str {
    table.catalog.find(name).map_or("", |id| {
        changes
            .get(&id)
            .map_or_else(|| present.get(id), String::as_str)
    })
}

fn domain_from_website(
    table: &Table,
    present: &Record,
    changes: &mut BTreeMap<PropertyId, String>,
) {
    if table.kind != ObjectKind::Company || !future(table, present, changes, "domain").is_empty() {
        return;
    }
    let website = future(table, present, changes, "website");
    let domain = value::domain(website);
    if let Some(id) = table.catalog.find("domain")
        && !domain.is_empty()
        && !changes.contains_key(&id)
    {
        changes.insert(id, domain);
    }
}

/// How far along a lifecycle stage is; nothing for an unset one.
pub(super) fn stage_rank(stage: &str) -> Option<usize> {
    LIFECYCLE.iter().position(|(value, _)| *value == stage)
}

fn keep_lifecycle_forward(
    table: &Table,
    present: &Record,
    changes: &mut BTreeMap<PropertyId, String>,
) {
    let Some(id) = table.catalog.find("lifecyclestage") else {
        return;
    };
    let wanted = changes.get(&id).and_then(|stage| stage_rank(stage));
    if wanted.is_some() && wanted < stage_rank(present.get(id)) {
        changes.remove(&id);
    }
}

fn fill_defaults(table: &Table, source: Source, changes: &mut BTreeMap<PropertyId, String>) {
    if table.kind == ObjectKind::Contact && source == Source::Integration {
        let stage = table.catalog.find("lifecyclestage");
        for id in stage
            .into_iter()
            .filter(|id| !changes.contains_key(id))
            .collect::<Vec<_>>()
        {
            changes.insert(id, "lead".to_owned());
        }
    }
    if let Some((pipeline, _)) = pipelines::properties_of(table.kind)
        && let Some(id) = table.catalog.find(pipeline)
        && changes.get(&id).is_none_or(String::is_empty)
        && let Some(first) = pipelines::of(table.kind).first()
    {
        changes.insert(id, first.id.to_owned());
    }
}

fn require(table: &Table, changes: &BTreeMap<PropertyId, String>) -> Result<(), Failure> {
    let (any_of, all_of): (&[&str], &[&str]) = match table.kind {
        ObjectKind::Contact => (&["email", "firstname", "lastname"], &[]),
        ObjectKind::Company => (&["name", "domain"], &[]),
        ObjectKind::Deal => (&[], &["dealname", "dealstage"]),
        ObjectKind::Ticket => (&[], &["subject", "hs_pipeline_stage"]),
        ObjectKind::Subscription => (&[], &["subscription_name"]),
    };
    let given = |name: &&str| {
        let id = table.catalog.find(name);
        id.and_then(|id| changes.get(&id))
            .is_some_and(|text| !text.is_empty())
    };
    let missing: Vec<&str> = all_of.iter().filter(|name| !given(name)).copied().collect();
    if !missing.is_empty() {
        return Err(Failure::missing_properties(table.kind, &missing));
    }
    if !any_of.is_empty() && !any_of.iter().any(given) {
        return Err(Failure::missing_properties(table.kind, any_of));
    }
    Ok(())
}

/// The dates HubSpot itself keeps beside a lifecycle stage and an owner.
fn set_dates(
    table: &Table,
    record: &mut Record,
    property: PropertyId,
    text: &str,
    source: Source,
    now: i64,
) {
    let name = &*table.catalog.get(property).name;
    let date = match name {
        "lifecyclestage" => format!("hs_lifecyclestage_{text}_date"),
        "hubspot_owner_id" => "hubspot_owner_assigneddate".to_owned(),
        _ => return,
    };
    if let Some(id) = table.catalog.find(&date) {
        record.set(id, &stamp(now), source, now);
    }
}
