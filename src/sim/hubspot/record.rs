//! One record: its present values and what they replaced, stored compactly.
//!
//! Knows nothing of rules; `write` decides what may be set.

use super::property::PropertyId;

/// Who wrote a value, in the words of the property history (`hubspot.md 4.2`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A call with a token of the app.
    Integration,
    /// A person in the browser.
    Person,
    /// A merge of two records.
    Merge,
    /// A workflow of the portal.
    Automation,
}

/// The app the simulator's tokens belong to.
pub(super) const APP_ID: u64 = 2_718_281;
/// The person who edits through the direct doors.
pub(super) const PERSON: u64 = 77;

impl Source {
    pub fn wire_type(self) -> &'static str {
        match self {
            Self::Integration => "INTEGRATION",
            Self::Person => "CRM_UI",
            Self::Merge => "MERGE_OBJECTS",
            Self::Automation => "AUTOMATION_PLATFORM",
        }
    }

    pub fn id(self) -> String {
        match self {
            Self::Integration => APP_ID.to_string(),
            Self::Person | Self::Merge => format!("userId:{PERSON}"),
            Self::Automation => "enrollmentId:1".to_owned(),
        }
    }

    pub fn label(self) -> &'static str {
        match self {
            Self::Integration => "Simulated app",
            Self::Person | Self::Merge | Self::Automation => "",
        }
    }

    pub fn user(self) -> Option<u64> {
        match self {
            Self::Integration | Self::Automation => None,
            Self::Person | Self::Merge => Some(PERSON),
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub property: PropertyId,
    pub source: Source,
    pub at: i64,
    pub text: Box<str>,
}

/// How many past values of one property are kept.
const PAST_LIMIT: usize = 45;

#[derive(Clone, Debug)]
pub(super) struct Record {
    pub id: u64,
    /// Milliseconds since 1970, like every time here.
    pub created: i64,
    pub modified: i64,
    pub archived: Option<i64>,
    pub origin: Source,
    /// Sorted by property; a cleared value stays with empty text.
    values: Vec<Entry>,
    /// Replaced values, oldest first.
    past: Vec<Entry>,
}

impl Record {
    pub fn new(id: u64, at: i64, origin: Source) -> Self {
        Self {
            id,
            created: at,
            modified: at,
            archived: None,
            origin,
            values: Vec::new(),
            past: Vec::new(),
        }
    }

    pub fn is_live(&self) -> bool {
        self.archived.is_none()
    }

    /// The stored text; empty when unset or cleared.
    pub fn get(&self, property: PropertyId) -> &str {
        self.values
            .binary_search_by_key(&property, |e| e.property)
            .map_or("", |at| &self.values[at].text)
    }

    /// Sets a value and remembers the one it replaces. The caller has checked that it differs.
    pub fn set(&mut self, property: PropertyId, text: &str, source: Source, at: i64) {
        let entry = Entry {
            property,
            source,
            at,
            text: text.into(),
        };
        match self.values.binary_search_by_key(&property, |e| e.property) {
            Ok(place) => {
                let replaced = std::mem::replace(&mut self.values[place], entry);
                self.remember(replaced);
            }
            Err(place) => self.values.insert(place, entry),
        }
    }

    fn remember(&mut self, entry: Entry) {
        let same = |e: &Entry| e.property == entry.property;
        if self.past.iter().filter(|e| same(e)).count() >= PAST_LIMIT
            && let Some(oldest) = self.past.iter().position(same)
        {
            self.past.remove(oldest);
        }
        self.past.push(entry);
    }

    /// Values that are set, in order of property id.
    pub fn values(&self) -> impl Iterator<Item = (PropertyId, &str)> {
        self.values
            .iter()
            .filter(|e| !e.text.is_empty())
            .map(|e| (e.property, &*e.text))
    }

    /// The present value and its predecessors, newest first.
    pub fn history(&self, property: PropertyId) -> impl Iterator<Item = &Entry> {
        let mine = move |e: &&Entry| e.property == property;
        let present = self.values.iter().filter(mine);
        present.chain(self.past.iter().rev().filter(mine))
    }
}
