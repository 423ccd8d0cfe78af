//! The rows of one object and the indexes that keep reads fast: by number, by stamp, by key field.
//!
//! Knows no rules; whoever puts a row has checked it. Rows hold only what is not null.

use std::collections::{BTreeMap, BTreeSet};

use super::schema::{Kind, Object, SYSTEM_FIELDS};
use super::value::Cell;

#[derive(Clone, Debug)]
pub(super) struct Row {
    pub number: u64,
    /// Seconds since 1970-01-01 UTC, as are the two below.
    pub created: i64,
    pub modified: i64,
    pub stamp: i64,
    pub deleted: bool,
    /// Which delete put it into the bin: rows of one cascade come back together.
    pub bin: u64,
    /// Row numbers of users.
    pub created_by: u64,
    pub modified_by: u64,
    cells: Vec<(u16, Cell)>,
}

impl Row {
    pub fn new(number: u64, now: i64, user: u64) -> Self {
        Self {
            number,
            created: now,
            modified: now,
            stamp: now,
            deleted: false,
            bin: 0,
            created_by: user,
            modified_by: user,
            cells: Vec::new(),
        }
    }

    pub fn get(&self, at: u16) -> Option<&Cell> {
        let place = self.cells.binary_search_by_key(&at, |cell| cell.0).ok()?;
        Some(&self.cells[place].1)
    }

    pub fn text(&self, at: u16) -> Option<&str> {
        self.get(at).and_then(Cell::as_text)
    }

    pub fn set(&mut self, at: u16, value: Option<Cell>) {
        match (self.cells.binary_search_by_key(&at, |cell| cell.0), value) {
            (Ok(place), Some(value)) => self.cells[place].1 = value,
            (Ok(place), None) => {
                self.cells.remove(place);
            }
            (Err(place), Some(value)) => self.cells.insert(place, (at, value)),
            (Err(_), None) => {}
        }
    }

    pub fn shrink(&mut self) {
        self.cells.shrink_to_fit();
    }
}

/// Folded value -> row numbers in order, deleted rows included.
#[derive(Debug, Default)]
struct Index {
    /// Ids differ by letter case; all other keys compare without it.
    exact: bool,
    numbers: BTreeMap<Box<str>, Vec<u64>>,
}

impl Index {
    fn key(&self, text: &str) -> Box<str> {
        if self.exact {
            text.into()
        } else {
            text.to_lowercase().into()
        }
    }

    fn add(&mut self, text: &str, number: u64) {
        let numbers = self.numbers.entry(self.key(text)).or_default();
        if let Err(place) = numbers.binary_search(&number) {
            numbers.insert(place, number);
        }
    }

    fn remove(&mut self, text: &str, number: u64) {
        let key = self.key(text);
        let Some(numbers) = self.numbers.get_mut(&key) else {
            return;
        };
        if let Ok(place) = numbers.binary_search(&number) {
            numbers.remove(place);
        }
        if numbers.is_empty() {
            self.numbers.remove(&key);
        }
    }
}

#[derive(Debug)]
pub(super) struct Table {
    rows: BTreeMap<u64, Row>,
    stamps: BTreeSet<(i64, u64)>,
    keys: BTreeMap<u16, Index>,
    next: u64,
}

impl Table {
    pub fn new(object: &Object, first: u64) -> Self {
        let mut table = Self {
            rows: BTreeMap::new(),
            stamps: BTreeSet::new(),
            keys: BTreeMap::new(),
            next: first,
        };
        for (at, _) in (SYSTEM_FIELDS..).zip(object.fields.iter().skip(SYSTEM_FIELDS.into())) {
            table.cover(object, at);
        }
        table
    }

    /// Indexes a field that no row has a value in yet, when it is one to be found by.
    pub fn cover(&mut self, object: &Object, at: u16) {
        let field = object.field(at);
        if field.indexed {
            let index = Index {
                exact: field.kind == Kind::Reference,
                numbers: BTreeMap::new(),
            };
            self.keys.insert(at, index);
        }
    }

    pub fn take_number(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    pub fn get(&self, number: u64) -> Option<&Row> {
        self.rows.get(&number)
    }

    pub fn live(&self, number: u64) -> Option<&Row> {
        self.get(number).filter(|row| !row.deleted)
    }

    /// Stores the row and returns the one it replaces.
    pub fn put(&mut self, row: Row) -> Option<Row> {
        let (number, stamp) = (row.number, row.stamp);
        let before = self.rows.remove(&number);
        for (at, index) in &mut self.keys {
            let old = before.as_ref().and_then(|before| before.text(*at));
            let new = row.text(*at);
            if old == new {
                continue;
            }
            if let Some(text) = old {
                index.remove(text, number);
            }
            if let Some(text) = new {
                index.add(text, number);
            }
        }
        if let Some(before) = &before {
            self.stamps.remove(&(before.stamp, number));
        }
        self.stamps.insert((stamp, number));
        self.rows.insert(number, row);
        before
    }

    pub fn take(&mut self, number: u64) -> Option<Row> {
        let row = self.rows.remove(&number)?;
        self.stamps.remove(&(row.stamp, number));
        for (at, index) in &mut self.keys {
            if let Some(text) = row.text(*at) {
                index.remove(text, number);
            }
        }
        Some(row)
    }

    pub fn is_indexed(&self, at: u16) -> bool {
        self.keys.contains_key(&at)
    }

    /// Row numbers whose indexed field holds `text`, in id order, deleted rows included.
    pub fn with_key(&self, at: u16, text: &str) -> Vec<u64> {
        self.keys
            .get(&at)
            .and_then(|index| index.numbers.get(&index.key(text)))
            .cloned()
            .unwrap_or_default()
    }

    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.values()
    }

    pub fn rows_between(&self, low: u64, high: u64) -> impl Iterator<Item = &Row> {
        let high = high.max(low);
        self.rows.range(low..=high).map(|(_, row)| row)
    }

    /// Rows by (stamp, id) for stamps from `low` to `high` seconds, both included.
    pub fn stamped_between(&self, low: i64, high: i64) -> impl Iterator<Item = &Row> {
        let high = high.max(low);
        self.stamps
            .range((low, 0)..=(high, u64::MAX))
            .filter_map(|(_, number)| self.rows.get(number))
    }
}

/// Places of the fields every object starts with.
pub(super) mod place {
    pub const ID: u16 = 0;
    pub const IS_DELETED: u16 = 1;
    pub const CREATED: u16 = 2;
    pub const CREATED_BY: u16 = 3;
    pub const MODIFIED: u16 = 4;
    pub const MODIFIED_BY: u16 = 5;
    pub const STAMP: u16 = 6;
}

/// A field's value as read: stored, kept by the row itself, or put together from others.
#[derive(Clone, Debug)]
pub(super) enum Seen<'a> {
    Null,
    Stored(&'a Cell),
    Made(Cell),
}

impl Seen<'_> {
    pub fn cell(&self) -> Option<&Cell> {
        match self {
            Self::Null => None,
            Self::Stored(cell) => Some(cell),
            Self::Made(cell) => Some(cell),
        }
    }
}

/// What a reader sees in field `at` of `row`; addresses are seen through their parts only.
pub(super) fn see<'a>(object: &Object, row: &'a Row, at: u16) -> Seen<'a> {
    let user = |number| Seen::Made(Cell::text(super::id::make("005", number)));
    match at {
        place::ID => Seen::Made(Cell::text(super::id::make(object.prefix, row.number))),
        place::IS_DELETED => Seen::Made(Cell::Bool(row.deleted)),
        place::CREATED => Seen::Made(Cell::Instant(row.created)),
        place::CREATED_BY => user(row.created_by),
        place::MODIFIED => Seen::Made(Cell::Instant(row.modified)),
        place::MODIFIED_BY => user(row.modified_by),
        place::STAMP => Seen::Made(Cell::Instant(row.stamp)),
        _ if object.field(at).kind == Kind::PersonName => person_name(object, row),
        _ => row.get(at).map_or(Seen::Null, Seen::Stored),
    }
}

fn person_name<'a>(object: &Object, row: &Row) -> Seen<'a> {
    let part = |name| object.field_at(name).and_then(|at| row.text(at));
    match (part("FirstName"), part("LastName")) {
        (Some(first), Some(last)) => Seen::Made(Cell::text(format!("{first} {last}"))),
        (Some(only), None) | (None, Some(only)) => Seen::Made(Cell::text(only)),
        (None, None) => Seen::Null,
    }
}
