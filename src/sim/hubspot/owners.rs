//! The owners of the portal (`hubspot.md 8.1`): invented people, one of them deactivated.

use serde_json::{Value as Json, json};

pub(super) struct Owner {
    pub id: &'static str,
    pub user_id: u64,
    pub email: &'static str,
    pub first_name: &'static str,
    pub last_name: &'static str,
    pub archived: bool,
}

const fn owner(
    id: &'static str,
    user_id: u64,
    email: &'static str,
    name: (&'static str, &'static str),
    archived: bool,
) -> Owner {
    Owner {
        id,
        user_id,
        email,
        first_name: name.0,
        last_name: name.1,
        archived,
    }
}

pub(super) const OWNERS: [Owner; 4] = [
    owner(
        "77110001",
        77,
        "ada.owner@example.com",
        ("Ada", "Owner"),
        false,
    ),
    owner(
        "77110002",
        78,
        "ben.owner@example.com",
        ("Ben", "Owner"),
        false,
    ),
    owner(
        "77110003",
        79,
        "cleo.owner@example.com",
        ("Cleo", "Owner"),
        false,
    ),
    owner(
        "77110004",
        80,
        "dora.owner@example.com",
        ("Dora", "Owner"),
        true,
    ),
];

pub(super) fn find(id: &str) -> Option<&'static Owner> {
    OWNERS.iter().find(|o| o.id == id)
}

impl Owner {
    pub fn to_json(&self) -> Json {
        let user_id = (!self.archived).then_some(self.user_id);
        json!({"id": self.id, "email": self.email, "type": "PERSON", "firstName": self.first_name,
            "lastName": self.last_name, "userId": user_id,
            "userIdIncludingInactive": self.user_id, "createdAt": "2024-03-05T09:00:00Z",
            "updatedAt": "2025-01-07T10:11:12.345Z", "archived": self.archived, "teams": []})
    }
}
