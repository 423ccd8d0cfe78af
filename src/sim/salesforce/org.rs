//! The state of the org behind one lock, and the primitives everything else is built from.
//!
//! Rows change only through [`Org::put`] and [`Org::erase`], which keep the before-images an
//! all-or-none request needs. Rules live in `save`, HTTP in `http`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde_json::Value;

use super::http::{Cursor, Incoming, Sessions, Usage, finish_late};
use super::id::{self, AnyId};
use super::outbound::Outbound;
use super::schema::{CURRENCIES, RECORD_TYPES, Schema, history};
use super::table::{Row, Table};
use super::value::Cell;
use super::{Counters, DuplicateRule, LoggedRequest, SalesforceOptions};
use crate::sim::SimClock;
use crate::sim::faults::{Crm, Fault, Faults};

pub(super) type ValidationRule =
    Box<dyn Fn(&BTreeMap<String, Value>) -> Option<(String, Option<String>)> + Send>;
pub(super) type Trigger = Box<dyn Fn(&mut BTreeMap<String, Value>) + Send>;

/// What administrators attach to one object.
#[derive(Default)]
pub(super) struct Hooks {
    pub validation: Option<ValidationRule>,
    pub duplicates: Option<DuplicateRule>,
    pub trigger: Option<Trigger>,
}

/// What is to happen at a later moment.
pub(super) enum Later {
    /// A call whose sender has gone away.
    Call(Incoming),
    Set {
        object: usize,
        number: u64,
        field: &'static str,
        value: Value,
    },
    Commit(super::LateCommit),
    Purge {
        object: usize,
        number: u64,
    },
}

struct Before {
    object: usize,
    number: u64,
    row: Option<Row>,
}

pub(super) struct Org {
    pub clock: SimClock,
    pub options: SalesforceOptions,
    pub schema: Arc<Schema>,
    pub tables: Vec<Table>,
    pub hooks: Vec<Hooks>,
    /// (object, field) pairs that field-level security hides from the integration user.
    pub hidden: BTreeSet<(usize, u16)>,
    /// Those that it shows and keeps from being edited.
    pub read_only: BTreeSet<(usize, u16)>,
    /// Those that permission sets open all the same, and whether for edits too.
    pub granted: BTreeMap<(usize, u16), bool>,
    /// Whether the integration user may set up fields and permission sets.
    pub administrator: bool,
    /// Fields made since the org began, by object.
    pub made_fields: BTreeMap<usize, usize>,
    /// (object, field) pairs whose history is kept.
    pub tracked: BTreeSet<(usize, u16)>,
    /// Rows of `FieldDefinition` that tell of an object's fields.
    pub definitions: BTreeMap<usize, Vec<u64>>,
    pub sessions: Sessions,
    pub cursors: VecDeque<Cursor>,
    pub usage: Usage,
    pub log: VecDeque<LoggedRequest>,
    pub counters: Counters,
    pub late: BTreeMap<u64, super::LateCommit>,
    pub faults: Faults,
    /// What will happen, by its moment in milliseconds.
    due: VecDeque<(i64, Later)>,
    pub outbound: Outbound,
    pub rng: fastrand::Rng,
    pub org_id: String,
    /// Row number of the user the API acts as.
    pub integration_user: u64,
    /// Row number of the user who "edits in the browser".
    pub browser_user: u64,
    pub record_types: Vec<String>,
    pub last_bin: u64,
    undo: Option<Vec<Before>>,
    /// Notices there were when the remembering began.
    told: u64,
}

impl Org {
    pub fn new(clock: SimClock, options: SalesforceOptions) -> Self {
        let schema = Arc::new(Schema::new(options.bare, options.multi_currency));
        let first = id::first_number(options.seed);
        let tables = schema
            .objects
            .iter()
            .map(|object| Table::new(object, first))
            .collect();
        let hooks = schema.objects.iter().map(|_| Hooks::default()).collect();
        let mut org = Self {
            clock,
            schema,
            tables,
            hooks,
            hidden: BTreeSet::new(),
            read_only: BTreeSet::new(),
            granted: BTreeMap::new(),
            administrator: true,
            made_fields: BTreeMap::new(),
            tracked: BTreeSet::new(),
            definitions: BTreeMap::new(),
            sessions: Sessions::default(),
            cursors: VecDeque::new(),
            usage: Usage::default(),
            log: VecDeque::new(),
            counters: Counters::default(),
            late: BTreeMap::new(),
            faults: Faults::new(Crm::Salesforce, options.seed),
            due: VecDeque::new(),
            outbound: Outbound::new(),
            rng: fastrand::Rng::with_seed(options.seed ^ 0x5F00_D1CE),
            org_id: String::new(),
            integration_user: first,
            browser_user: first + 1,
            record_types: Vec::new(),
            last_bin: 0,
            undo: None,
            told: 0,
            options,
        };
        org.furnish();
        org
    }

    /// Whole seconds: the org stamps nothing finer.
    pub fn now(&self) -> i64 {
        self.clock.now().millis().div_euclid(1_000)
    }

    pub fn later(&mut self, millis: i64, what: Later) {
        let at = self.clock.now().millis() + millis;
        let place = self.due.partition_point(|(due, _)| *due <= at);
        self.due.insert(place, (at, what));
    }

    pub fn pending(&self) -> usize {
        self.due.len()
    }

    /// Does what has become due; asked before anybody looks at the org.
    pub fn do_what_is_due(&mut self) {
        let now = self.clock.now().millis();
        while let Some((_, what)) = self.due.pop_front_if(|(at, _)| *at <= now) {
            match what {
                Later::Call(incoming) => finish_late(self, &incoming),
                Later::Set {
                    object,
                    number,
                    field,
                    value,
                } => super::save::type_in(self, object, number, field, &value),
                // What can no longer be done is not done; there is nobody to tell.
                Later::Commit(late) => {
                    super::doors::commit(self, late).ok();
                }
                Later::Purge { object, number } => {
                    super::save::purge(self, object, number).ok();
                }
            }
        }
    }

    pub fn put(&mut self, object: usize, row: Row) {
        let number = row.number;
        let before = self.tables[object].put(row);
        if let Some(undo) = &mut self.undo {
            undo.push(Before {
                object,
                number,
                row: before,
            });
        }
        if self.schema.objects[object].rights {
            self.regrant();
        }
    }

    pub fn erase(&mut self, object: usize, number: u64) {
        let before = self.tables[object].take(number);
        if let Some(undo) = &mut self.undo {
            undo.push(Before {
                object,
                number,
                row: before,
            });
        }
        if self.schema.objects[object].rights {
            self.regrant();
        }
    }

    /// Starts remembering before-images; ended by [`Org::settle`].
    pub fn begin(&mut self) {
        self.undo = Some(Vec::new());
        self.told = self.outbound.made();
    }

    pub fn settle(&mut self, keep: bool) {
        let Some(undo) = self.undo.take() else {
            return;
        };
        if keep {
            return;
        }
        self.outbound.unmake(self.told);
        for before in undo.into_iter().rev() {
            match before.row {
                Some(row) => {
                    self.tables[before.object].put(row);
                }
                None => {
                    self.tables[before.object].take(before.number);
                }
            }
        }
        self.regrant();
    }

    pub fn id_of(&self, object: usize, number: u64) -> String {
        id::make(self.schema.objects[object].prefix, number)
    }

    /// The object and row an id names, deleted rows included.
    pub fn find(&self, id: &AnyId) -> Option<(usize, &Row)> {
        let object = self.schema.by_prefix(id.prefix())?;
        let row = self.tables[object].get(id.number()?)?;
        Some((object, row))
    }

    /// Whether sharing hides a record from the integration user.
    pub fn hides(&self, object: usize, number: u64) -> bool {
        if self.faults.is_calm() {
            return false;
        }
        let name = self.schema.objects[object].name;
        let id = self.id_of(object, number);
        self.faults.stands(Fault::RecordHidden, name, &id, "")
    }

    /// Puts a row past all rules; only for what an administrator set up beforehand.
    fn furnish_row(&mut self, object: &str, fields: &[(&str, Cell)]) -> String {
        let Some(at) = self.schema.find(object) else {
            return String::new();
        };
        let schema = Arc::clone(&self.schema);
        let number = self.tables[at].take_number();
        let mut row = Row::new(number, self.now(), self.integration_user);
        for (name, value) in fields {
            if let Some(field) = schema.objects[at].field_at(name) {
                row.set(field, Some(value.clone()));
            }
        }
        self.tables[at].put(row);
        self.id_of(at, number)
    }

    /// The org becomes a fresh copy of another: a new organisation id, and all tokens still work.
    pub fn refresh_sandbox(&mut self) -> String {
        if let Some(at) = self.schema.find("Organization") {
            let number = self.tables[at].take_number();
            let old = AnyId::parse(&self.org_id).and_then(|id| id.number());
            if let Some(mut row) = old.and_then(|old| self.tables[at].take(old)) {
                row.number = number;
                self.tables[at].put(row);
            }
            self.org_id = self.id_of(at, number);
        }
        self.org_id.clone()
    }

    fn furnish(&mut self) {
        let username = self.options.username.clone();
        self.furnish_user("Tandem", "Integration", &username, true);
        for (first, last, active) in [
            ("Ada", "Owner", true),
            ("Ben", "Owner", true),
            ("Cleo", "Owner", true),
            ("Dora", "Owner", false),
        ] {
            let email = format!("{}.owner@example.com", first.to_lowercase());
            self.furnish_user(first, last, &email, active);
        }
        let text = |text: &str| Cell::text(text);
        self.org_id = self.furnish_row(
            "Organization",
            &[
                ("Name", text("Simulated Org")),
                ("OrganizationType", text("Developer Edition")),
                ("IsSandbox", Cell::Bool(false)),
                ("InstanceName", text("SIM1")),
                ("TimeZoneSidKey", text("Europe/Berlin")),
                ("LanguageLocaleKey", text("en_US")),
                ("DefaultLocaleSidKey", text("en_GB")),
            ],
        );
        for (name, developer) in [("Lead Queue", "Lead_Queue"), ("Renewals", "Renewals")] {
            self.furnish_row(
                "Group",
                &[
                    ("Name", text(name)),
                    ("DeveloperName", text(developer)),
                    ("Type", text("Queue")),
                ],
            );
        }
        for (developer, label, _) in RECORD_TYPES {
            let id = self.furnish_row(
                "RecordType",
                &[
                    ("Name", text(label)),
                    ("DeveloperName", text(developer)),
                    ("SobjectType", text("Opportunity")),
                    ("IsActive", Cell::Bool(true)),
                ],
            );
            self.record_types.push(id);
        }
        self.furnish_currencies();
        self.hide_stamps_of_histories();
        self.set_administrator(true);
    }

    fn hide_stamps_of_histories(&mut self) {
        let schema = Arc::clone(&self.schema);
        for (kept, _) in schema
            .objects
            .iter()
            .filter_map(|own| history::of(own.name))
        {
            let Some(at) = schema.find(kept) else {
                continue;
            };
            let lacking = history::LACKING.into_iter();
            let lacking = lacking.filter_map(|name| schema.objects[at].field_at(name));
            self.hidden.extend(lacking.map(|field| (at, field)));
        }
    }

    /// What the org tells about its own fields in rows; made when somebody first asks.
    pub fn define(&mut self) {
        if !self.definitions.is_empty() {
            return;
        }
        let schema = Arc::clone(&self.schema);
        for (object, own) in schema.objects.iter().enumerate() {
            if history::of(own.name).is_none() {
                continue;
            }
            let name = |name: &str| ("QualifiedApiName", Cell::text(name));
            let entity = self.furnish_row("EntityDefinition", &[name(own.name)]);
            for field in &own.fields {
                let entity = ("EntityDefinitionId", Cell::text(entity.as_str()));
                let untracked = ("IsFieldHistoryTracked", Cell::Bool(false));
                let id =
                    self.furnish_row("FieldDefinition", &[name(field.name), entity, untracked]);
                let number = id::AnyId::parse(&id).and_then(|id| id.number());
                self.definitions.entry(object).or_default().extend(number);
            }
        }
    }

    fn furnish_user(&mut self, first: &str, last: &str, email: &str, active: bool) {
        self.furnish_row(
            "User",
            &[
                ("Username", Cell::text(email)),
                ("Email", Cell::text(email)),
                ("FirstName", Cell::text(first)),
                ("LastName", Cell::text(last)),
                ("Alias", Cell::text(first.to_lowercase())),
                ("IsActive", Cell::Bool(active)),
                ("UserType", Cell::text("Standard")),
                ("TimeZoneSidKey", Cell::text("Europe/Berlin")),
                ("LocaleSidKey", Cell::text("en_GB")),
            ],
        );
    }

    fn furnish_currencies(&mut self) {
        for (code, rate, active) in CURRENCIES {
            self.furnish_row(
                "CurrencyType",
                &[
                    ("IsoCode", Cell::text(*code)),
                    ("ConversionRate", Cell::Number(*rate)),
                    ("DecimalPlaces", Cell::Number(2.0)),
                    ("IsActive", Cell::Bool(*active)),
                    ("IsCorporate", Cell::Bool(*code == "EUR")),
                ],
            );
        }
    }
}
