//! Contacts on one side, contacts and leads on the other.

use serde_json::{Value as Json, json};

use super::firms::{Firm, set};
use super::{Heroine, OWNERS, Place, Sower, Standing, Trouble, place, words};

pub const ADA_NAME: &str = "Ada Lindqvist";
pub const ADA_EMAIL: &str = "ada.lindqvist@northwind-robotics.example.com";

const CONTACTS: (&str, &str) = ("contacts", "Contact");
const LEADS: (&str, &str) = ("contacts", "Lead");

/// HubSpot's type ids (`hubspot.md 7`): contact to company, primary.
const PRIMARY_COMPANY: u32 = 1;

/// Stages of somebody who is not a customer yet, and of somebody who is nearly one.
const EARLY: [&str; 3] = ["subscriber", "lead", "marketingqualifiedlead"];
const LATE: [&str; 2] = ["opportunity", "customer"];

/// What both sides know about a person before either side's people change it.
struct Facts {
    first: String,
    last: String,
    email: String,
    title: &'static str,
    place: (&'static str, &'static str),
    line: u32,
    stage: &'static str,
    owner: usize,
    is_lead: bool,
}

/// Returns where each clean person stands, for deals to refer to.
pub(super) fn sow(sower: &mut Sower<'_>, firms: &[Firm]) -> Result<Vec<Standing>, String> {
    let records = sower.seeded.records;
    let mut people = Vec::with_capacity(records);
    for index in 0..records {
        let firm = &firms[index % firms.len()];
        let mut facts = Facts::invent(sower, index, firm);
        let place = place(index, records);
        if let Place::Troubled(nth) = place {
            facts.is_lead = false;
            trouble(sower, &facts, firm, nth)?;
            continue;
        }
        let standing = stand(sower, &facts, firm, place, index)?;
        if index == 0 {
            sower.seeded.heroine = heroine(&standing, firm);
        }
        if !facts.is_lead {
            people.push(standing);
        }
    }
    Ok(people)
}

fn heroine(standing: &Standing, firm: &Firm) -> Option<Heroine> {
    Some(Heroine {
        hubspot: standing.hubspot.clone()?,
        salesforce: standing.salesforce.clone()?,
        company: firm.standing.hubspot.clone()?,
        account: firm.standing.salesforce.clone()?,
    })
}

fn stand(
    sower: &mut Sower<'_>,
    facts: &Facts,
    firm: &Firm,
    place: Place,
    index: usize,
) -> Result<Standing, String> {
    let objects = if facts.is_lead { LEADS } else { CONTACTS };
    let mut standing = Standing::default();
    let mut properties = facts.hubspot(firm);
    let mut fields = facts.salesforce(sower, firm);
    if place == Place::Both && index > 0 {
        facts.disagree(sower, &mut properties, &mut fields);
    }
    if place.in_hubspot() {
        standing.hubspot = Some(contact(sower, &properties, firm)?);
    }
    if place.in_salesforce() {
        standing.salesforce = Some(sower.in_salesforce(objects.1, &fields)?);
    }
    sower.pair(objects, &standing);
    Ok(standing)
}

fn contact(
    sower: &mut Sower<'_>,
    properties: &[(&'static str, String)],
    firm: &Firm,
) -> Result<String, String> {
    let id = sower.in_hubspot(CONTACTS.0, properties)?;
    if let Some(company) = &firm.standing.hubspot {
        let from = (CONTACTS.0, id.as_str());
        sower.associate(from, ("companies", company), PRIMARY_COMPANY)?;
    }
    Ok(id)
}

fn trouble(sower: &mut Sower<'_>, facts: &Facts, firm: &Firm, nth: usize) -> Result<(), String> {
    let mut properties = facts.hubspot(firm);
    let mut fields = facts.salesforce(sower, firm);
    match nth % 3 {
        0 => {
            let id = contact(sower, &properties, firm)?;
            let one = sower.in_salesforce(CONTACTS.1, &fields)?;
            set(&mut fields, "Title", json!("Consultant"));
            let two = sower.in_salesforce(CONTACTS.1, &fields)?;
            let trouble = Trouble::SeveralContactsOneEmail;
            sower.expect(CONTACTS, &[&id], &[&one, &two], trouble);
        }
        1 => {
            let long = format!(
                "{} and {}",
                facts.title,
                "everything that comes with it ".repeat(5)
            );
            put(&mut properties, "jobtitle", long.trim_end().to_owned());
            set(&mut fields, "Title", Json::Null);
            let id = contact(sower, &properties, firm)?;
            let other = sower.in_salesforce(CONTACTS.1, &fields)?;
            let both = Standing {
                hubspot: Some(id.clone()),
                salesforce: Some(other.clone()),
            };
            sower.pair(CONTACTS, &both);
            sower.expect(CONTACTS, &[&id], &[&other], Trouble::TitleTooLong);
        }
        _ => {
            put(&mut properties, "lastname", String::new());
            let id = contact(sower, &properties, firm)?;
            sower.expect(CONTACTS, &[&id], &[], Trouble::NoLastName);
        }
    }
    Ok(())
}

fn put(properties: &mut [(&'static str, String)], name: &str, value: String) {
    if let Some(property) = properties
        .iter_mut()
        .find(|(property, _)| *property == name)
    {
        property.1 = value;
    }
}

impl Facts {
    fn invent(sower: &mut Sower<'_>, index: usize, firm: &Firm) -> Self {
        let is_lead = index > 0 && sower.chance(20);
        let first = words::FIRST[sower.dice.usize(0..words::FIRST.len())];
        let last = words::LAST[sower.dice.usize(0..words::LAST.len())];
        let mut facts = Self {
            first: first.to_owned(),
            last: last.to_owned(),
            email: format!("{first}.{last}.{index}@{}", firm.domain).to_lowercase(),
            title: sower.pick(&words::TITLES),
            place: words::PLACES[sower.dice.usize(0..words::PLACES.len())],
            line: sower.dice.u32(0..1_000),
            stage: sower.pick(if is_lead { &EARLY } else { &LATE }),
            owner: sower.owner(),
            is_lead,
        };
        if index == 0 {
            "Ada".clone_into(&mut facts.first);
            "Lindqvist".clone_into(&mut facts.last);
            ADA_EMAIL.clone_into(&mut facts.email);
            facts.title = words::TITLES[0];
            facts.stage = LATE[0];
        }
        facts
    }

    fn hubspot(&self, firm: &Firm) -> Vec<(&'static str, String)> {
        vec![
            ("email", self.email.clone()),
            ("firstname", self.first.clone()),
            ("lastname", self.last.clone()),
            ("phone", words::phone(self.place.1, self.line, 0)),
            ("jobtitle", self.title.to_owned()),
            ("city", self.place.0.to_owned()),
            ("country", self.place.1.to_owned()),
            ("company", firm.name.clone()),
            ("lifecyclestage", self.stage.to_owned()),
            ("hubspot_owner_id", OWNERS[self.owner].0.to_owned()),
        ]
    }

    fn salesforce(&self, sower: &Sower<'_>, firm: &Firm) -> Vec<(&'static str, Json)> {
        let mut fields = vec![
            ("Email", json!(self.email)),
            ("FirstName", json!(self.first)),
            ("LastName", json!(self.last)),
            ("Phone", json!(words::phone(self.place.1, self.line, 0))),
            ("Title", json!(self.title)),
            ("HubSpot_Lifecycle__c", json!(self.stage)),
            ("OwnerId", json!(sower.users[self.owner])),
        ];
        if self.is_lead {
            fields.push(("City", json!(self.place.0)));
            fields.push(("Country", json!(self.place.1)));
            fields.push(("Company", json!(firm.name)));
        } else {
            fields.push(("MailingCity", json!(self.place.0)));
            fields.push(("MailingCountry", json!(self.place.1)));
            fields.push(("AccountId", json!(firm.standing.salesforce)));
        }
        fields
    }

    /// Years of two teams typing: some fields differ, some were never filled in.
    fn disagree(
        &self,
        sower: &mut Sower<'_>,
        properties: &mut [(&'static str, String)],
        fields: &mut [(&'static str, Json)],
    ) {
        if sower.chance(30) {
            let name = format!("{}.{}", self.first, self.last);
            let shown = self.email.replace(&name.to_lowercase(), &name);
            set(fields, "Email", json!(shown));
        }
        let way = sower.dice.u8(0..3);
        set(
            fields,
            "Phone",
            json!(words::phone(self.place.1, self.line, way)),
        );
        match sower.dice.u8(0..10) {
            0 => put(properties, "jobtitle", String::new()),
            1 => set(fields, "Title", Json::Null),
            2 | 3 => set(fields, "Title", json!(sower.pick(&words::TITLES))),
            _ => {}
        }
        match sower.dice.u8(0..10) {
            0 => put(properties, "phone", String::new()),
            1 => set(fields, "Phone", Json::Null),
            _ => {}
        }
        if sower.chance(15) {
            let city = if self.is_lead { "City" } else { "MailingCity" };
            set(
                fields,
                city,
                json!(sower.pick(&["Uppsala", "Turin", "Porto"])),
            );
        }
        if sower.chance(10) {
            let owner = sower.owner();
            set(fields, "OwnerId", json!(sower.users[owner]));
        }
    }
}
