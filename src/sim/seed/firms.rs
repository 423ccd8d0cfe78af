//! Companies on one side, accounts on the other.

use serde_json::{Value as Json, json};

use super::{OWNERS, Place, Sower, Standing, Trouble, place, words};

pub(super) const OBJECTS: (&str, &str) = ("companies", "Account");

/// A firm that children may belong to.
#[derive(Clone, Debug)]
pub(super) struct Firm {
    pub name: String,
    pub domain: String,
    pub standing: Standing,
}

/// What both sides know about a firm before either side's people change it.
struct Facts {
    name: String,
    domain: String,
    place: (&'static str, &'static str),
    line: u32,
    employees: u32,
    owner: usize,
    industry: (&'static str, &'static str),
}

/// Industries that both platforms know, each in its own words.
const INDUSTRIES: [(&str, &str); 5] = [
    ("BANKING", "Banking"),
    ("BIOTECHNOLOGY", "Biotechnology"),
    ("CONSTRUCTION", "Construction"),
    ("INSURANCE", "Insurance"),
    ("RETAIL", "Retail"),
];

/// A real place, of 58 letters; Salesforce takes 40.
const LONG_CITY: &str = "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch";

/// Returns the firms that nothing is wrong with: troubled ones have no children, so that one
/// trouble is one case for a person and not ten.
pub(super) fn sow(sower: &mut Sower<'_>) -> Result<Vec<Firm>, String> {
    let records = sower.seeded.records;
    let mut firms = Vec::with_capacity(records);
    for index in 0..records {
        let facts = Facts::invent(sower, index);
        let place = place(index, records);
        if let Place::Troubled(nth) = place {
            trouble(sower, &facts, nth)?;
            continue;
        }
        let mut standing = Standing::default();
        if place.in_hubspot() {
            let properties = facts.hubspot();
            standing.hubspot = Some(sower.in_hubspot(OBJECTS.0, &properties)?);
        }
        if place.in_salesforce() {
            let mut fields = facts.salesforce(sower);
            if place == Place::Both && index > 0 {
                facts.disagree(sower, &mut fields);
            }
            standing.salesforce = Some(sower.in_salesforce(OBJECTS.1, &fields)?);
        }
        sower.pair(OBJECTS, &standing);
        firms.push(Firm {
            name: facts.name,
            domain: facts.domain,
            standing,
        });
    }
    Ok(firms)
}

fn trouble(sower: &mut Sower<'_>, facts: &Facts, nth: usize) -> Result<(), String> {
    if nth.is_multiple_of(2) {
        let first = sower.in_hubspot(OBJECTS.0, &facts.hubspot())?;
        let mut twin = facts.hubspot();
        twin[0].1 = format!("{} (old)", facts.name);
        let second = sower.in_hubspot(OBJECTS.0, &twin)?;
        let fields = facts.salesforce(sower);
        let account = sower.in_salesforce(OBJECTS.1, &fields)?;
        let trouble = Trouble::SeveralCompaniesOneDomain;
        sower.expect(OBJECTS, &[&first, &second], &[&account], trouble);
    } else {
        let mut properties = facts.hubspot();
        properties.retain(|(name, _)| *name != "city");
        properties.push(("city", LONG_CITY.to_owned()));
        let company = sower.in_hubspot(OBJECTS.0, &properties)?;
        sower.expect(OBJECTS, &[&company], &[], Trouble::CityTooLong);
    }
    Ok(())
}

/// Replaces a field that is already in the list.
pub(super) fn set(fields: &mut [(&'static str, Json)], name: &str, value: Json) {
    if let Some(field) = fields.iter_mut().find(|(field, _)| *field == name) {
        field.1 = value;
    }
}

impl Facts {
    fn invent(sower: &mut Sower<'_>, index: usize) -> Self {
        let (name, domain) = words::firm(index);
        Self {
            name,
            domain,
            place: words::PLACES[sower.dice.usize(0..words::PLACES.len())],
            line: sower.dice.u32(0..1_000),
            employees: sower.dice.u32(3..4_000),
            owner: sower.owner(),
            industry: INDUSTRIES[sower.dice.usize(0..INDUSTRIES.len())],
        }
    }

    fn hubspot(&self) -> Vec<(&'static str, String)> {
        vec![
            ("name", self.name.clone()),
            ("domain", self.domain.clone()),
            ("website", format!("https://www.{}", self.domain)),
            ("phone", words::phone(self.place.1, self.line, 0)),
            ("city", self.place.0.to_owned()),
            ("country", self.place.1.to_owned()),
            ("industry", self.industry.0.to_owned()),
            ("numberofemployees", self.employees.to_string()),
            ("hubspot_owner_id", OWNERS[self.owner].0.to_owned()),
        ]
    }

    fn salesforce(&self, sower: &Sower<'_>) -> Vec<(&'static str, Json)> {
        vec![
            ("Name", json!(self.name)),
            ("Website", json!(format!("https://www.{}", self.domain))),
            ("Phone", json!(words::phone(self.place.1, self.line, 0))),
            ("BillingCity", json!(self.place.0)),
            ("BillingCountry", json!(self.place.1)),
            ("Industry", json!(self.industry.1)),
            ("NumberOfEmployees", json!(self.employees)),
            ("OwnerId", json!(sower.users[self.owner])),
        ]
    }

    /// Years of two teams typing: some fields differ, some were never filled in.
    fn disagree(&self, sower: &mut Sower<'_>, fields: &mut [(&'static str, Json)]) {
        let way = sower.dice.u8(0..3);
        set(
            fields,
            "Phone",
            json!(words::phone(self.place.1, self.line, way)),
        );
        if sower.chance(20) {
            set(fields, "Phone", Json::Null);
        }
        if sower.chance(25) {
            set(fields, "NumberOfEmployees", json!(self.employees + 10));
        }
        if sower.chance(15) {
            let other = words::PLACES[sower.dice.usize(0..words::PLACES.len())];
            set(fields, "BillingCity", json!(other.0));
        }
        if sower.chance(15) {
            set(fields, "Industry", Json::Null);
        }
        if sower.chance(10) {
            let owner = sower.owner();
            set(fields, "OwnerId", json!(sower.users[owner]));
        }
    }
}
