//! The association types of the portal (`hubspot.md 7.2`) and its own labels.

use serde_json::{Value as Json, json};

use super::kind::ObjectKind::{self, Company, Contact, Deal, Subscription, Ticket};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The unlabelled type every linked pair has.
    Plain,
    Primary,
    Label,
}

#[derive(Clone, Debug)]
pub(super) struct AssocType {
    pub from: ObjectKind,
    pub to: ObjectKind,
    pub id: u32,
    pub role: Role,
    pub label: Option<String>,
    pub user_defined: bool,
    inverse: u32,
}

impl AssocType {
    pub fn inverse(&self) -> u32 {
        self.inverse
    }

    pub fn category(&self) -> &'static str {
        if self.user_defined {
            "USER_DEFINED"
        } else {
            "HUBSPOT_DEFINED"
        }
    }

    pub fn to_json(&self) -> Json {
        json!({"category": self.category(), "typeId": self.id, "label": self.label})
    }
}

/// Every directed association type.
#[derive(Debug)]
pub(super) struct TypeBook(Vec<AssocType>);

/// From, to, the type's id, the id of its inverse, its role and its label.
type Row = (ObjectKind, ObjectKind, u32, u32, Role, Option<&'static str>);

const HUBSPOT: [Row; 14] = [
    (Contact, Company, 279, 280, Role::Plain, None),
    (Contact, Company, 1, 2, Role::Primary, Some("Primary")),
    (Contact, Contact, 449, 449, Role::Plain, None),
    (Company, Company, 450, 450, Role::Plain, None),
    (Deal, Contact, 3, 4, Role::Plain, None),
    (Deal, Company, 341, 342, Role::Plain, None),
    (Deal, Company, 5, 6, Role::Primary, Some("Primary")),
    (Deal, Deal, 451, 451, Role::Plain, None),
    (Ticket, Contact, 16, 15, Role::Plain, None),
    (Ticket, Company, 339, 340, Role::Plain, None),
    (Ticket, Company, 26, 25, Role::Primary, Some("Primary")),
    (Ticket, Deal, 28, 27, Role::Plain, None),
    (Ticket, Ticket, 452, 452, Role::Plain, None),
    (
        Contact,
        Company,
        931,
        930,
        Role::Label,
        Some("Billing Contact"),
    ),
];

const OWN: [Row; 5] = [
    (Subscription, Contact, 101, 102, Role::Plain, None),
    (Subscription, Company, 103, 104, Role::Plain, None),
    (Subscription, Deal, 105, 106, Role::Plain, None),
    (Deal, Contact, 36, 37, Role::Label, Some("Decision maker")),
    (Deal, Contact, 38, 39, Role::Label, Some("Influencer")),
];

impl TypeBook {
    pub fn new() -> Self {
        let mut book = Self(Vec::new());
        for (user_defined, types) in [(false, &HUBSPOT[..]), (true, &OWN[..])] {
            for (from, to, id, inverse, role, label) in types {
                let label = label.map(str::to_owned);
                book.add(
                    AssocType {
                        from: *from,
                        to: *to,
                        id: *id,
                        role: *role,
                        label: label.clone(),
                        user_defined,
                        inverse: *inverse,
                    },
                    label,
                );
            }
        }
        let hierarchy = AssocType {
            from: Company,
            to: Company,
            id: 13,
            role: Role::Label,
            label: Some("Child Company".to_owned()),
            user_defined: false,
            inverse: 14,
        };
        book.add(hierarchy, Some("Parent Company".to_owned()));
        book
    }

    fn add(&mut self, one: AssocType, inverse_label: Option<String>) {
        if one.id != one.inverse {
            self.0.push(AssocType {
                from: one.to,
                to: one.from,
                id: one.inverse,
                inverse: one.id,
                label: inverse_label,
                ..one.clone()
            });
        }
        self.0.push(one);
    }

    /// Adds a label of the portal's own in both directions; the two new types, forward first.
    pub fn add_label(
        &mut self,
        from: ObjectKind,
        to: ObjectKind,
        label: &str,
        inverse_label: Option<&str>,
    ) -> Vec<AssocType> {
        let id = self.0.iter().map(|t| t.id).max().unwrap_or(0).max(2_000) + 1;
        let one = AssocType {
            from,
            to,
            id,
            role: Role::Label,
            label: Some(label.to_owned()),
            user_defined: true,
            inverse: id + 1,
        };
        self.add(one, Some(inverse_label.unwrap_or(label).to_owned()));
        let new = self.0.iter().rev().take(2);
        new.cloned().collect()
    }

    pub fn find(&self, from: ObjectKind, to: ObjectKind, id: u32) -> Option<&AssocType> {
        self.between(from, to).find(|t| t.id == id)
    }

    pub fn with_role(&self, from: ObjectKind, to: ObjectKind, role: Role) -> Option<&AssocType> {
        self.between(from, to).find(|t| t.role == role)
    }

    pub fn between(&self, from: ObjectKind, to: ObjectKind) -> impl Iterator<Item = &AssocType> {
        self.0.iter().filter(move |t| t.from == from && t.to == to)
    }

    /// A type of that id between any two kinds, for the message about a wrong direction.
    pub fn by_id(&self, id: u32) -> Option<&AssocType> {
        self.0.iter().find(|t| t.id == id)
    }
}
