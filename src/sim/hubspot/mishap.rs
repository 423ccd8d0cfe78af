//! Trouble inside the portal: rows that fail, values stored otherwise, things that happen later.
//!
//! Each asks `sim::faults` whether it happens; without switches nothing here does anything.

use std::collections::BTreeMap;

use super::api::Call;
use super::failure::Failure;
use super::kind::ObjectKind;
use super::property::{PropertyId, PropertyType};
use super::record::Source;
use super::state::State;
use super::value::Invalid;
use super::write::Draft;
use crate::sim::faults::{At, Fault, Point, Strike, TYPED};

/// Names the record that a new one is made from.
const KEY: &str = "tandem_link_id";

/// What another integration knows of a record that it makes.
const KNOWN_ELSEWHERE: [&str; 8] = [
    "email",
    "firstname",
    "lastname",
    "name",
    "domain",
    "dealname",
    "dealstage",
    "pipeline",
];

/// What is to happen at a later moment.
pub(super) enum Later {
    /// A call whose sender has gone away.
    Call(Call),
    Set {
        kind: ObjectKind,
        id: u64,
        property: String,
        text: String,
    },
}

impl State {
    pub fn later(&mut self, millis: i64, what: Later) {
        let at = self.now() + millis;
        let place = self.due.partition_point(|(due, _)| *due <= at);
        self.due.insert(place, (at, what));
    }

    /// Does what has become due; asked before anybody looks at the state.
    pub fn do_what_is_due(&mut self) {
        let now = self.now();
        while let Some((_, what)) = self.due.pop_front_if(|(at, _)| *at <= now) {
            match what {
                Later::Call(call) => self.finish_late(&call),
                Later::Set {
                    kind,
                    id,
                    property,
                    text,
                } => {
                    self.type_in(kind, id, &property, &text, Source::Automation);
                }
            }
        }
    }

    /// Sets one value past the API; a value the portal refuses is not set.
    fn type_in(&mut self, kind: ObjectKind, id: u64, property: &str, text: &str, source: Source) {
        let sent = BTreeMap::from([(property.to_owned(), text.to_owned())]);
        if let Ok(draft) = self.draft(kind, Some(id), &sent, source) {
            self.update_record(kind, id, &draft, source);
        }
    }

    /// Asks for every row of a batch before the first is written.
    pub fn batch_fault(&self, kind: ObjectKind, ids: &[String]) -> Result<(), Failure> {
        for id in ids {
            let at = At {
                object: kind.plural(),
                record: id,
                ..At::default()
            };
            if self.faults.strikes(Fault::BatchRefused, &at).is_some() {
                return Err(Failure::validation("Invalid input in batch"));
            }
        }
        Ok(())
    }

    /// What happens to one row right before it is judged. `id` is empty for a new record.
    pub fn row_fault(
        &mut self,
        kind: ObjectKind,
        id: &str,
        sent: &BTreeMap<String, String>,
        creates: bool,
    ) -> Result<(), Failure> {
        let names: Vec<&str> = sent.keys().map(String::as_str).collect();
        let names: Vec<&str> = names.into_iter().filter(|name| *name != KEY).collect();
        let at = At {
            object: kind.plural(),
            record: id,
            fields: &names,
            ..At::default()
        };
        let may = |fault: Fault| match fault {
            Fault::CreatedElsewhere => creates,
            Fault::EditBefore => !creates,
            Fault::InactiveOwner => names.contains(&"hubspot_owner_id"),
            _ => fault.point() == Point::Row,
        };
        let Some(strike) = self.faults.strike_if(&at, may) else {
            return Ok(());
        };
        match strike.fault {
            Fault::EditBefore => {
                if let Ok(number) = id.parse() {
                    self.type_over(kind, number, &strike);
                }
                Ok(())
            }
            Fault::CreatedElsewhere => {
                let known = sent.iter();
                let known = known
                    .filter(|(name, _)| KNOWN_ELSEWHERE.contains(&name.as_str()))
                    .map(|(name, text)| (name.clone(), text.clone()))
                    .collect();
                if let Ok(draft) = self.draft(kind, None, &known, Source::Person) {
                    self.create_record(kind, &draft, Source::Person);
                }
                Ok(())
            }
            fault => Err(self.row_refusal(kind, fault, &strike.field, sent)),
        }
    }

    fn row_refusal(
        &self,
        kind: ObjectKind,
        fault: Fault,
        field: &str,
        sent: &BTreeMap<String, String>,
    ) -> Failure {
        let value = sent.get(field).cloned().unwrap_or_default();
        let refused = |property: &str, code: &'static str, message: String| {
            let invalid = Invalid {
                property: property.to_owned(),
                code,
                message,
                value: Some(value.clone()),
            };
            Failure::values(self.portal_id, &[invalid])
        };
        match fault {
            Fault::OptionRefused => {
                let message = format!("{value} was not one of the allowed options");
                refused(field, "INVALID_OPTION", message)
            }
            Fault::RequiredMissing => Failure::missing_properties(kind, &[field]),
            Fault::ValidationRule => {
                let message = format!("{value} breaks a validation rule of {field}");
                refused(field, "INVALID_FORMAT", message)
            }
            Fault::InactiveOwner => {
                let message = "the owner is deactivated".to_owned();
                refused("hubspot_owner_id", "INVALID_OWNER", message)
            }
            _ => Failure {
                category: Some("INTERNAL_ERROR"),
                ..Failure::plain(500, "There was a problem with this row")
            },
        }
    }

    fn type_over(&mut self, kind: ObjectKind, id: u64, strike: &Strike) {
        let text = strike.value.as_deref().unwrap_or(TYPED);
        self.type_in(kind, id, &strike.field, text, Source::Person);
    }

    /// A person is quick: the field is typed over as soon as it is written.
    pub fn edit_after(&mut self, kind: ObjectKind, id: u64, draft: &Draft) {
        let table = self.table(kind);
        let names: Vec<String> = draft
            .changes
            .keys()
            .map(|id| table.catalog.get(*id).name.to_string())
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let record = id.to_string();
        let at = At {
            object: kind.plural(),
            record: &record,
            fields: &names,
            ..At::default()
        };
        if let Some(strike) = self.faults.strikes(Fault::EditAfter, &at) {
            self.type_over(kind, id, &strike);
        }
    }

    /// What becomes of the values of a write on their way into the record.
    pub fn mangle(&mut self, kind: ObjectKind, id: Option<u64>, draft: &Draft) -> Draft {
        let mut draft = draft.clone();
        if self.faults.is_calm() {
            return draft;
        }
        for (property, text) in draft.changes.clone() {
            self.mangle_one(kind, id, property, &text, &mut draft);
        }
        draft
    }

    fn mangle_one(
        &mut self,
        kind: ObjectKind,
        id: Option<u64>,
        property: PropertyId,
        text: &str,
        draft: &mut Draft,
    ) {
        let table = self.table(kind);
        let known = table.catalog.get(property);
        let (name, form) = (known.name.to_string(), known.kind);
        let plain = matches!(form, PropertyType::Text | PropertyType::Number);
        if !plain || known.unique {
            return;
        }
        let before = id.and_then(|id| table.live(id));
        let before = before.map_or("", |record| record.get(property)).to_owned();
        let key = table.catalog.find(KEY);
        let key = key.and_then(|key| draft.changes.get(&key)).cloned();
        let record = id.map_or_else(|| key.unwrap_or_default(), |id| id.to_string());
        let fields = [name.as_str()];
        let at = At {
            object: kind.plural(),
            record: &record,
            fields: &fields,
            ..At::default()
        };
        let number = form == PropertyType::Number;
        let stored = |strike_value: Option<&str>, fault| {
            crate::sim::faults::stored(fault, text, number, strike_value)
        };
        let may = |fault: Fault| match fault {
            Fault::Ignored => before != text,
            Fault::Reverted => id.is_some() && before != text,
            _ => stored(None, fault).is_some_and(|stored| stored != text),
        };
        let Some(strike) = self.faults.strike_if(&at, may) else {
            return;
        };
        match (strike.fault, id) {
            (Fault::Ignored, _) => {
                draft.changes.remove(&property);
            }
            (Fault::Reverted, Some(id)) => {
                let what = Later::Set {
                    kind,
                    id,
                    property: name,
                    text: before,
                };
                self.later(strike.millis(), what);
            }
            (fault, _) => {
                if let Some(stored) = stored(strike.value.as_deref(), fault) {
                    draft.changes.insert(property, stored);
                }
            }
        }
    }

    /// Whether a record is hidden from the app.
    pub fn hides(&self, kind: ObjectKind, id: u64) -> bool {
        !self.faults.is_calm()
            && self
                .faults
                .stands(Fault::RecordHidden, kind.plural(), &id.to_string(), "")
    }

    /// Whether a property is hidden from the app.
    pub fn hides_property(&self, kind: ObjectKind, name: &str) -> bool {
        !self.faults.is_calm()
            && self
                .faults
                .stands(Fault::FieldHidden, kind.plural(), "", name)
    }

    /// Whether an administrator has deleted a property.
    pub fn lost_property(&self, kind: ObjectKind, name: &str) -> bool {
        !self.faults.is_calm()
            && self
                .faults
                .stands(Fault::FieldDeleted, kind.plural(), "", name)
    }

    /// The index may stop to follow for a while when something is written.
    pub fn hold_search(&mut self, kind: ObjectKind, id: u64) {
        let record = id.to_string();
        let at = At {
            object: kind.plural(),
            record: &record,
            ..At::default()
        };
        if let Some(strike) = self.faults.strikes(Fault::SearchLate, &at) {
            let until = self.now() + strike.millis();
            self.search_stuck.insert(kind, until);
        }
    }

    /// Somebody touches a record while another pages over its object.
    pub fn shift_page(&mut self, kind: ObjectKind) {
        let at = At {
            object: kind.plural(),
            ..At::default()
        };
        if self.faults.strikes(Fault::PageShift, &at).is_none() {
            return;
        }
        let now = self.now();
        let live = self.table(kind).from(0).filter(|record| record.is_live());
        let live: Vec<u64> = live.map(|record| record.id).collect();
        if let Some(id) = self.choose(&live) {
            let table = self.table_mut(kind);
            table.change(id, now, |record| record.modified = record.modified.max(now));
        }
    }
}
