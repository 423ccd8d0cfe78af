//! Who may see and edit which field: field-level security, and the permission sets that widen it.
//!
//! `hidden` and `read_only` are what the profile of the integration user withholds. A row of
//! `FieldPermissions` opens a field for whom its set is assigned to. Direct doors know no rights.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::id::{self, AnyId};
use super::org::Org;
use super::schema::{Field, Kind, Object};
use super::table::Row;
use super::value::Cell;
use crate::sim::faults::Fault;

/// Fields that an object may be given while the org runs. Their names live as long as the program.
const NEW_FIELDS_MAX: usize = 100;

impl Org {
    pub fn is_visible(&self, object: usize, field: u16) -> bool {
        let at = (object, field);
        let open = !self.hidden.contains(&at) || self.granted.contains_key(&at);
        open && !self.lost_field(object, field)
    }

    /// Whether the integration user may write what the field itself lets be written.
    pub fn may_edit(&self, object: usize, field: u16) -> bool {
        let at = (object, field);
        let open = !self.hidden.contains(&at) && !self.read_only.contains(&at);
        open || self.granted.get(&at) == Some(&true)
    }

    fn lost_field(&self, object: usize, field: u16) -> bool {
        if self.faults.is_calm() {
            return false;
        }
        let own = &self.schema.objects[object];
        let name = own.field(field).name;
        [Fault::FieldHidden, Fault::FieldDeleted]
            .into_iter()
            .any(|fault| self.faults.stands(fault, own.name, "", name))
    }

    /// The field of that name, unless field-level security hides it.
    pub fn visible_field(&self, object: usize, name: &str) -> Option<u16> {
        self.schema.objects[object]
            .field_at(name)
            .filter(|at| self.is_visible(object, *at))
    }

    /// Makes a custom field, which nobody sees until it is granted.
    pub fn add_field(&mut self, object: usize, field: Field) -> Result<(), String> {
        let made = self.made_fields.entry(object).or_default();
        if *made == NEW_FIELDS_MAX {
            return Err(format!("at most {NEW_FIELDS_MAX} new fields per object"));
        }
        *made += 1;
        let own = &mut Arc::make_mut(&mut self.schema).objects[object];
        let at = own.add(field);
        self.tables[object].cover(own, at);
        self.hidden.insert((object, at));
        Ok(())
    }

    /// Works out anew what permission sets grant the integration user.
    pub fn regrant(&mut self) {
        let me = id::make("005", self.integration_user);
        let sets: Vec<String> = self
            .rows_of("PermissionSetAssignment")
            .filter(|(own, row)| text(own, row, "AssigneeId") == me)
            .map(|(own, row)| text(own, row, "PermissionSetId").to_owned())
            .collect();
        let mut granted: BTreeMap<(usize, u16), bool> = BTreeMap::new();
        for (own, row) in self.rows_of("FieldPermissions") {
            let mine = sets.iter().any(|set| set == text(own, row, "ParentId"));
            if let Some(at) = self.field_named(text(own, row, "Field"))
                && mine
                && flag(own, row, "PermissionsRead")
            {
                let edit = flag(own, row, "PermissionsEdit");
                for place in self.governed(at) {
                    *granted.entry(place).or_default() |= edit;
                }
            }
        }
        self.granted = granted;
    }

    /// The field, and of an address its parts: those have no rights of their own.
    fn governed(&self, (object, field): (usize, u16)) -> Vec<(usize, u16)> {
        let own = &self.schema.objects[object];
        let name = own.field(field).name;
        let parts = (0_u16..)
            .zip(&own.fields)
            .filter(|(at, part)| *at == field || compound(own, part) == Some(name));
        parts.map(|(at, _)| (object, at)).collect()
    }

    /// The field behind `Contact.Title`.
    pub fn field_named(&self, name: &str) -> Option<(usize, u16)> {
        let (object, field) = name.split_once('.')?;
        let object = self.schema.find(object)?;
        Some((object, self.schema.objects[object].field_at(field)?))
    }

    pub fn rows_of(&self, name: &str) -> impl Iterator<Item = (&Object, &Row)> {
        let at = self.schema.find(name);
        at.into_iter().flat_map(|at| {
            let own = &self.schema.objects[at];
            let live = self.tables[at].rows().filter(|row| !row.deleted);
            live.map(move |row| (own, row))
        })
    }

    /// Whether the integration user may make fields, permission sets and assignments.
    pub fn set_administrator(&mut self, may: bool) {
        let Some(at) = self.schema.find("UserPermissionAccess") else {
            return;
        };
        let old = self.tables[at].rows().next().cloned();
        let number = self.integration_user;
        let mut row = old.unwrap_or_else(|| Row::new(number, 0, number));
        let own = &self.schema.objects[at];
        for field in &own.fields {
            if field.name.starts_with("Permissions")
                && let Some(place) = own.field_at(field.name)
            {
                row.set(place, Some(Cell::Bool(may)));
            }
        }
        self.tables[at].put(row);
        self.administrator = may;
    }
}

/// The field that shows this one together with others: an address or a name.
pub(super) fn compound(own: &Object, field: &Field) -> Option<&'static str> {
    if matches!(field.name, "FirstName" | "LastName" | "Salutation") {
        return own.field_at("Name").map(|_| "Name");
    }
    let parts = ["Street", "City", "State", "PostalCode", "Country"];
    let stem = parts
        .iter()
        .find_map(|part| field.name.strip_suffix(part))?;
    own.fields
        .iter()
        .find(|other| other.kind == Kind::Address && other.name == format!("{stem}Address"))
        .map(|other| other.name)
}

pub(super) fn text<'a>(own: &Object, row: &'a Row, name: &str) -> &'a str {
    let at = own.field_at(name);
    at.and_then(|at| row.text(at)).unwrap_or_default()
}

pub(super) fn flag(own: &Object, row: &Row, name: &str) -> bool {
    let at = own.field_at(name);
    at.and_then(|at| row.get(at)) == Some(&Cell::Bool(true))
}

/// The same id, however it was spelled.
pub(super) fn same_id(one: &str, other: &str) -> bool {
    AnyId::parse(one).is_some_and(|id| AnyId::parse(other).as_ref() == Some(&id))
}
