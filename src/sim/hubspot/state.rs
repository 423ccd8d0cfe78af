//! Everything the simulated portal remembers; one lock guards all of it.
//!
//! Plain data and the look-ups that several parts share. Rules of writing are in `write`.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};

use super::associations::Associations;
use super::auth::Tokens;
use super::catalog;
use super::failure::Failure;
use super::kind::ObjectKind;
use super::limits::Limits;
use super::log::RequestLog;
use super::mishap::Later;
use super::options::{HubSpotOptions, Switches};
use super::pipelines;
use super::property::{Access, Derived, PropertyId};
use super::record::Record;
use super::stamp;
use super::table::Table;
use super::webhooks::Webhooks;
use crate::sim::SimClock;
use crate::sim::faults::{Crm, Faults};

pub(super) struct State {
    pub portal_id: u64,
    pub clock: SimClock,
    pub options: HubSpotOptions,
    pub switches: Switches,
    pub associations: Associations,
    pub tokens: Tokens,
    pub limits: Limits,
    pub log: RequestLog,
    pub webhooks: Webhooks,
    /// Records the present API call has written, for the write hook.
    pub written: Vec<(ObjectKind, u64)>,
    pub faults: Faults,
    /// What will happen, by its moment.
    pub due: VecDeque<(i64, Later)>,
    /// Until when the search of an object follows no change.
    pub search_stuck: BTreeMap<ObjectKind, i64>,
    tables: BTreeMap<ObjectKind, Table>,
    /// Draws record ids; apart from `noise`, so that ids do not depend on how often was read.
    ids: fastrand::Rng,
    /// Draws correlation ids and tokens.
    noise: fastrand::Rng,
}

impl State {
    pub fn new(clock: SimClock, options: HubSpotOptions) -> Self {
        let seed = options.seed;
        let mut ids = fastrand::Rng::with_seed(seed);
        let noise = ids.fork();
        let portal_id = 42_000_000 + ids.u64(0..1_000_000);
        let tables = ObjectKind::ALL
            .into_iter()
            .map(|kind| {
                let first_id = ids.u64(10_000_000_000..200_000_000_000);
                let catalog = catalog::of(kind, options.bare);
                (kind, Table::new(kind, catalog, first_id))
            })
            .collect();
        Self {
            portal_id,
            clock,
            options,
            switches: Switches::default(),
            associations: Associations::new(),
            tokens: Tokens::new(),
            limits: Limits::default(),
            log: RequestLog::default(),
            webhooks: Webhooks::new(seed),
            written: Vec::new(),
            faults: Faults::new(Crm::HubSpot, seed),
            due: VecDeque::new(),
            search_stuck: BTreeMap::new(),
            tables,
            ids,
            noise,
        }
    }

    /// Milliseconds since 1970.
    pub fn now(&self) -> i64 {
        self.clock.now().millis()
    }

    pub fn table(&self, kind: ObjectKind) -> &Table {
        &self.tables[&kind]
    }

    pub fn table_mut(&mut self, kind: ObjectKind) -> &mut Table {
        self.tables
            .get_mut(&kind)
            .expect("every kind gets its table when the state is made")
    }

    pub fn next_id(&mut self, kind: ObjectKind) -> u64 {
        let gap = self.ids.u64(0..7);
        self.table_mut(kind).next_id(gap)
    }

    pub fn uuid(&mut self) -> String {
        let bytes = self.noise.u128(..).to_be_bytes();
        uuid::Builder::from_random_bytes(bytes)
            .into_uuid()
            .to_string()
    }

    pub fn choose(&mut self, ids: &[u64]) -> Option<u64> {
        self.noise.choice(ids.iter().copied())
    }

    pub fn kind(&self, name: &str) -> Result<ObjectKind, Failure> {
        ObjectKind::from_name(name, self.portal_id)
            .ok_or_else(|| Failure::validation(format!("Unable to infer object type from: {name}")))
    }

    /// The live record a path or body means: by id, old ids of merged records included, or by the
    /// value of a unique property.
    pub fn locate(
        &self,
        kind: ObjectKind,
        text: &str,
        id_property: Option<&str>,
    ) -> Result<Option<u64>, Failure> {
        let table = self.table(kind);
        match id_property {
            None | Some("hs_object_id") => {
                let id = text.parse().ok().map(|id| table.resolve(id));
                Ok(id.filter(|id| table.live(*id).is_some()))
            }
            Some(name) => {
                let found = table.catalog.named(name);
                match found {
                    Some((id, property)) if property.unique || table.email() == Some(id) => {
                        Ok(table.by_key(id, text))
                    }
                    Some(_) | None => Err(non_unique(kind)),
                }
            }
        }
    }

    /// The same in the recycle bin, where several records may hold one value: the newest of them.
    pub fn locate_archived(
        &self,
        kind: ObjectKind,
        text: &str,
        id_property: Option<&str>,
    ) -> Result<Option<u64>, Failure> {
        let table = self.table(kind);
        match id_property {
            None | Some("hs_object_id") => {
                let found = text.parse().ok().and_then(|id| table.get(id));
                Ok(found
                    .filter(|record| !record.is_live())
                    .map(|record| record.id))
            }
            Some(name) => {
                let found = table.catalog.named(name);
                let unique = found.filter(|(id, of)| of.unique || table.email() == Some(*id));
                let (property, _) = unique.ok_or_else(|| non_unique(kind))?;
                Ok(table.archived_by_key(property, text))
            }
        }
    }

    /// Ids and association types of the live records linked to a record.
    pub fn links(&self, from: ObjectKind, id: u64, to: ObjectKind) -> Vec<(u64, Vec<u32>)> {
        if self.table(from).live(id).is_none() {
            return Vec::new();
        }
        let table = self.table(to);
        self.associations
            .links(from, id, to)
            .filter(|(id, _)| table.live(*id).is_some())
            .map(|(id, types)| (id, types.to_vec()))
            .collect()
    }

    /// The text of any property of a record, worked out where it is not stored; empty when unset.
    pub fn text<'a>(&self, table: &Table, record: &'a Record, id: PropertyId) -> Cow<'a, str> {
        match table.catalog.get(id).access {
            Access::Writable | Access::ReadOnly => Cow::Borrowed(record.get(id)),
            Access::Derived(how) => Cow::Owned(self.derive(table, record, how)),
        }
    }

    fn derive(&self, table: &Table, record: &Record, how: Derived) -> String {
        let stored = |name| table.catalog.find(name).map_or("", |id| record.get(id));
        let stage = || {
            let (_, stage_name) = pipelines::properties_of(table.kind)?;
            pipelines::of_stage(table.kind, stored(stage_name)).map(|(_, stage)| stage)
        };
        match how {
            Derived::ObjectId => record.id.to_string(),
            Derived::Created => stamp(record.created),
            Derived::Modified => stamp(record.modified),
            Derived::SourceType => record.origin.wire_type().to_owned(),
            Derived::SourceId => record.origin.id(),
            Derived::SourceLabel => record.origin.label().to_owned(),
            Derived::PrimaryCompany => {
                let companies = self.table(ObjectKind::Company);
                self.associations
                    .primary(table.kind, record.id)
                    .filter(|id| companies.live(*id).is_some())
                    .map(|id| id.to_string())
                    .unwrap_or_default()
            }
            Derived::EmailDomain => {
                let email = stored("email");
                email
                    .split_once('@')
                    .map_or("", |(_, host)| host)
                    .to_owned()
            }
            Derived::FullName => {
                let name = format!("{} {}", stored("firstname"), stored("lastname"));
                match name.trim() {
                    "" => stored("email").to_owned(),
                    name => name.to_owned(),
                }
            }
            Derived::DealClosed => stage().is_some_and(|s| s.is_closed()).to_string(),
            Derived::DealWon => stage().is_some_and(|s| s.is_won()).to_string(),
            Derived::DealProbability => stage().map_or("", |s| s.measure).to_owned(),
        }
    }
}

pub(super) fn non_unique(kind: ObjectKind) -> Failure {
    Failure::validation(format!(
        "Unable to perform update/upsert by non-unique {} property",
        kind.type_id()
    ))
}
