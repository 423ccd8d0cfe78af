//! The demo's second customer: a few people, mappings of its own, a few edits, and its own check.
//!
//! The check knows every value that either of its CRMs should hold, worked out by hand from what
//! its mapping file says, and compares that with all that they do hold. So a value of the other
//! workspace that came here, or one of these that went there, is a difference too.

use std::collections::BTreeMap;

use anyhow::anyhow;
use serde_json::{Value as Json, json};

use crate::model::{BySide, Side};

use super::super::sim::Simulators;
use super::canon::text;
use super::outcome::Outcome;

pub const WORKSPACE: &str = "globex/production";
/// The mapping file that only this workspace has.
pub const CONTACTS: &str = include_str!("globex-contacts.yaml");

/// Nobody of the other workspace has an address here.
const DOMAIN: &str = "globex.example.com";
/// Objects that nobody has put anything into.
const EMPTY: BySide<[&str; 2]> = BySide {
    hubspot: ["companies", "deals"],
    salesforce: ["Account", "Opportunity"],
};

const PEOPLE: [(&str, &str, &str, Stand); 16] = [
    ("Hana", "Brandt", "Plant Manager", Stand::Both),
    ("Iker", "Castell", "Buyer", Stand::Both),
    ("Jette", "Dahl", "Safety Officer", Stand::Both),
    ("Kofi", "Evans", "Shift Lead", Stand::Both),
    ("Lena", "Falk", "Process Engineer", Stand::Both),
    ("Milo", "Garner", "Controller", Stand::Both),
    ("Nadia", "Holt", "Works Council", Stand::Both),
    ("Otto", "Ibsen", "Head of Logistics", Stand::Both),
    ("Petra", "Juhl", "Planner", Stand::One(Side::HubSpot)),
    (
        "Quentin",
        "Kast",
        "Lab Assistant",
        Stand::One(Side::HubSpot),
    ),
    ("Rosa", "Lind", "Quality Lead", Stand::One(Side::HubSpot)),
    ("Sami", "Moen", "Welder", Stand::One(Side::HubSpot)),
    (
        "Tilda",
        "Nord",
        "Fleet Manager",
        Stand::One(Side::Salesforce),
    ),
    ("Ulf", "Olsen", "Electrician", Stand::One(Side::Salesforce)),
    ("Vera", "Pohl", "Dispatcher", Stand::One(Side::Salesforce)),
    ("Wim", "Quist", "Toolmaker", Stand::One(Side::Salesforce)),
];

/// Two people give one person another title before either CRM hears of the other.
pub const IN_HUBSPOT: &str = "Director of Energy";
pub const IN_SALESFORCE: &str = "Head of Energy";
/// What sales types into a field that travels the other way only.
const PHONE_OF_SALES: &str = "+49305550999";

/// Where a person stood at first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stand {
    Both,
    One(Side),
}

/// What one CRM should hold of a person: e-mail address, first and last name, title, phone.
pub type Row = [String; 5];

/// The customer, with what its CRMs should hold by now.
pub struct Second<'a> {
    pub(super) simulators: &'a Simulators,
    /// Where nothing of this customer's may ever be.
    other: &'a Simulators,
    pub(super) expected: BySide<BTreeMap<String, Row>>,
    pub(super) ids: BySide<BTreeMap<String, String>>,
    edits: usize,
}

/// What became of it.
#[derive(Clone, Debug, Default)]
pub struct Judged {
    pub people: usize,
    pub edits: usize,
    /// In whole sentences; none where all is as its mappings say.
    pub differences: Vec<String>,
}

impl Judged {
    pub fn json(&self) -> Json {
        json!({
            "people": self.people,
            "edits": self.edits,
            "differences": self.differences,
        })
    }
}

impl<'a> Second<'a> {
    /// Puts the people into both CRMs.
    ///
    /// # Errors
    /// What a simulator refuses.
    pub fn settle_in(simulators: &'a Simulators, other: &'a Simulators) -> anyhow::Result<Self> {
        let mut second = Self {
            simulators,
            other,
            expected: BySide::default(),
            ids: BySide::default(),
            edits: 0,
        };
        for (nth, (first, last, title, stand)) in PEOPLE.into_iter().enumerate() {
            let email = format!("{first}.{last}@{DOMAIN}").to_lowercase();
            // The mapping brings phone numbers to Salesforce, and never from there.
            let phone = if stand == Stand::One(Side::Salesforce) {
                String::new()
            } else {
                format!("+493055501{nth:02}")
            };
            let row = [&email, first, last, title, &phone].map(str::to_owned);
            for side in Side::BOTH {
                if stand == Stand::Both || stand == Stand::One(side) {
                    second.put(side, &row)?;
                }
                second
                    .expected
                    .get_mut(side)
                    .insert(email.clone(), row.clone());
            }
        }
        Ok(second)
    }

    /// How many people there are in all.
    pub fn people(&self) -> usize {
        self.expected.hubspot.len()
    }

    /// How many records they held at first.
    pub fn seeded(&self) -> usize {
        self.ids.hubspot.len() + self.ids.salesforce.len()
    }

    pub(super) fn put(&mut self, side: Side, row: &Row) -> anyhow::Result<()> {
        let [email, first, last, title, phone] = row;
        let made = match side {
            Side::HubSpot => {
                let mut fields = vec![("email", email), ("firstname", first), ("lastname", last)];
                fields.extend([("jobtitle", title), ("phone", phone)]);
                let fields: Vec<(&str, &str)> = fields
                    .iter()
                    .map(|(name, text)| (*name, text.as_str()))
                    .collect();
                self.simulators.hubspot.create("contacts", &fields)
            }
            Side::Salesforce => {
                let mut fields = vec![("Email", email), ("FirstName", first), ("LastName", last)];
                fields.extend([("Title", title), ("Phone", phone)]);
                fields.retain(|(_, text)| !text.is_empty());
                let fields: Vec<(&str, Json)> = fields
                    .iter()
                    .map(|(name, text)| (*name, json!(text)))
                    .collect();
                self.simulators.salesforce.create("Contact", &fields)
            }
        };
        let id = made.map_err(|error| anyhow!("seeding {email}: {error}"))?;
        self.ids.get_mut(side).insert(email.clone(), id);
        Ok(())
    }

    /// People type into both CRMs, all of it before either hears of the other.
    ///
    /// # Errors
    /// What a simulator refuses.
    pub fn edit(&mut self) -> anyhow::Result<()> {
        self.give_title(0, &[(Side::HubSpot, "Site Director")], "Site Director")?;
        self.give_title(1, &[(Side::Salesforce, "Head of Buying")], "Head of Buying")?;
        let both = [
            (Side::HubSpot, IN_HUBSPOT),
            (Side::Salesforce, IN_SALESFORCE),
        ];
        self.give_title(4, &both, IN_HUBSPOT)?;
        let phone = "+49305550200";
        self.type_in(Side::HubSpot, 2, "phone", phone)?;
        self.expect(Side::BOTH.as_slice(), 2, 4, phone);
        self.type_in(Side::Salesforce, 3, "Phone", PHONE_OF_SALES)?;
        self.expect(&[Side::Salesforce], 3, 4, PHONE_OF_SALES);
        let email = format!("xenia.rask@{DOMAIN}");
        let row = [&email, "Xenia", "Rask", "Trainee", ""].map(str::to_owned);
        self.put(Side::Salesforce, &row)?;
        for side in Side::BOTH {
            self.expected
                .get_mut(side)
                .insert(email.clone(), row.clone());
        }
        self.edits += 1;
        Ok(())
    }

    fn give_title(
        &mut self,
        nth: usize,
        typed: &[(Side, &str)],
        outcome: &str,
    ) -> anyhow::Result<()> {
        for (side, title) in typed {
            let field = match side {
                Side::HubSpot => "jobtitle",
                Side::Salesforce => "Title",
            };
            self.type_in(*side, nth, field, title)?;
        }
        self.expect(Side::BOTH.as_slice(), nth, 3, outcome);
        Ok(())
    }

    /// From now on these sides should hold `text` in this place of the person's row.
    fn expect(&mut self, sides: &[Side], nth: usize, place: usize, text: &str) {
        let email = email_of(nth);
        for side in sides {
            if let Some(row) = self.expected.get_mut(*side).get_mut(&email) {
                text.clone_into(&mut row[place]);
            }
        }
    }

    fn type_in(&mut self, side: Side, nth: usize, field: &str, value: &str) -> anyhow::Result<()> {
        let email = email_of(nth);
        let id = self.ids.get(side).get(&email).map_or("", String::as_str);
        let done = match side {
            Side::HubSpot => self
                .simulators
                .hubspot
                .edit("contacts", id, &[(field, value)]),
            Side::Salesforce => {
                let fields = [(field, json!(value))];
                self.simulators.salesforce.edit("Contact", id, &fields)
            }
        };
        done.map_err(|error| anyhow!("editing {email}: {error}"))?;
        self.edits += 1;
        Ok(())
    }

    /// Compares what both CRMs hold with what they should, and what the engine claims with that.
    pub fn judge(&self, outcome: &Outcome) -> Judged {
        let mut differences = Vec::new();
        for side in Side::BOTH {
            self.compare(side, &mut differences);
            for object in EMPTY.get(side) {
                let found = count(self.simulators, side, object);
                if found > 0 {
                    let platform = side.title();
                    differences.push(format!("{platform} holds {found} {object}, not one"));
                }
            }
        }
        for (object, found) in strangers(self.other) {
            differences.push(format!("the other workspace's {object} holds {found}"));
        }
        self.claims(outcome, &mut differences);
        Judged {
            people: self.people(),
            edits: self.edits,
            differences,
        }
    }

    fn compare(&self, side: Side, differences: &mut Vec<String>) {
        let platform = side.title();
        let mut missing = self.expected.get(side).clone();
        for row in rows(self.simulators, side) {
            match missing.remove(&row[0]) {
                Some(expected) if expected == row => {}
                Some(expected) => {
                    differences.push(format!("{platform} holds {row:?} and not {expected:?}"));
                }
                None => differences.push(format!("{platform} holds {row:?} beyond its people")),
            }
        }
        let gone = missing.into_values();
        differences.extend(gone.map(|row| format!("{platform} does not hold {row:?}")));
    }

    /// Every person is one pair, the one conflict kept what lost, and nothing waits for a person.
    fn claims(&self, outcome: &Outcome, differences: &mut Vec<String>) {
        let pairs = outcome.links.len();
        if pairs != self.people() {
            let people = self.people();
            differences.push(format!("the engine knows {pairs} pairs of {people} people"));
        }
        let waiting = outcome.holds.iter().chain(&outcome.dead_letters);
        differences.extend(waiting.map(|open| format!("it waits for a person: {open}")));
        let lost: Vec<&str> = outcome
            .conflicts
            .iter()
            .filter(|conflict| conflict.winner == Some(Side::HubSpot))
            .flat_map(|conflict| &conflict.loser)
            .map(|(_, value)| value.as_str())
            .collect();
        let kept: &[&str] = if self.edits > 0 {
            &[IN_SALESFORCE]
        } else {
            &[]
        };
        if lost != kept || outcome.conflicts.len() != kept.len() {
            let told = outcome.conflicts.len();
            differences.push(format!("{told} conflicts kept {lost:?} and not {kept:?}"));
        }
    }
}

/// The lines of the summary that tell what is different here.
pub fn story(edited: bool) -> Vec<(&'static str, String)> {
    let mut lines = vec![(
        "contacts.yaml",
        "its own: HubSpot wins, phone numbers only go to Salesforce".to_owned(),
    )];
    if edited {
        lines.push((
            "both typed a title",
            format!("{IN_HUBSPOT} stands, {IN_SALESFORCE} was kept"),
        ));
        lines.push((
            "a phone in Salesforce",
            format!("{PHONE_OF_SALES} stayed there"),
        ));
    }
    lines
}

fn email_of(nth: usize) -> String {
    let (first, last, ..) = PEOPLE[nth];
    format!("{first}.{last}@{DOMAIN}").to_lowercase()
}

/// All that one CRM holds of people.
fn rows(simulators: &Simulators, side: Side) -> Vec<Row> {
    match side {
        Side::HubSpot => {
            let records = simulators.hubspot.records("contacts").into_iter();
            let names = ["email", "firstname", "lastname", "jobtitle", "phone"];
            records
                .filter(|record| !record.archived)
                .map(|mut one| names.map(|name| one.properties.remove(name).unwrap_or_default()))
                .collect()
        }
        Side::Salesforce => {
            let records = simulators.salesforce.records("Contact").into_iter();
            let names = ["Email", "FirstName", "LastName", "Title", "Phone"];
            records
                .filter(|record| !record.deleted)
                .map(|one| names.map(|name| text(one.fields.get(name))))
                .collect()
        }
    }
}

fn count(simulators: &Simulators, side: Side, object: &str) -> usize {
    match side {
        Side::HubSpot => simulators.hubspot.records(object).len(),
        Side::Salesforce => simulators.salesforce.records(object).len(),
    }
}

/// Addresses of this customer's people in CRMs that are not its own.
fn strangers(other: &Simulators) -> Vec<(&'static str, String)> {
    let ours = |email: &String| email.ends_with(DOMAIN);
    let leads = other.salesforce.records("Lead").into_iter();
    let leads = leads.map(|one| text(one.fields.get("Email"))).filter(ours);
    let found = leads.map(|email| ("Lead", email));
    let of = |side, object| {
        let emails = rows(other, side).into_iter().map(|[email, ..]| email);
        emails.filter(ours).map(move |email| (object, email))
    };
    found
        .chain(of(Side::HubSpot, "contacts"))
        .chain(of(Side::Salesforce, "Contact"))
        .collect()
}
