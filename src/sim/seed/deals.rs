//! Deals on one side, opportunities on the other.

use serde_json::{Value as Json, json};

use super::firms::{Firm, set};
use super::{OWNERS, Place, Sower, Standing, Trouble, place};

const OBJECTS: (&str, &str) = ("deals", "Opportunity");

/// HubSpot's type ids (`hubspot.md 7`): deal to its primary company, deal to contact.
const PRIMARY_COMPANY: u32 = 5;
const CONTACT: u32 = 3;

/// A stage in the words of both platforms: pipeline, stage, record type, stage name.
struct Stage(&'static str, &'static str, &'static str, &'static str);

const STAGES: [Stage; 9] = [
    Stage(
        "default",
        "appointmentscheduled",
        "New_Business",
        "Prospecting",
    ),
    Stage("default", "qualifiedtobuy", "New_Business", "Qualification"),
    Stage(
        "default",
        "presentationscheduled",
        "New_Business",
        "Needs Analysis",
    ),
    Stage(
        "default",
        "contractsent",
        "New_Business",
        "Negotiation/Review",
    ),
    Stage("default", "closedwon", "New_Business", "Closed Won"),
    Stage("default", "closedlost", "New_Business", "Closed Lost"),
    Stage("8423117", "214587502", "Renewal", "Negotiation/Review"),
    Stage("8423117", "214587503", "Renewal", "Closed Won"),
    Stage("8423117", "214587504", "Renewal", "Closed Lost"),
];

const CURRENCIES: [&str; 3] = ["EUR", "USD", "GBP"];
const PURPOSES: [&str; 6] = [
    "Pilot",
    "Rollout",
    "Expansion",
    "Support plan",
    "Training",
    "Audit",
];

/// What both sides know about a deal before either side's people change it.
struct Facts {
    name: String,
    cents: u64,
    currency: &'static str,
    /// Calendar day.
    closes: String,
    stage: &'static Stage,
    owner: usize,
}

pub(super) fn sow(
    sower: &mut Sower<'_>,
    firms: &[Firm],
    people: &[Standing],
) -> Result<(), String> {
    let records = sower.seeded.records;
    for index in 0..records {
        let firm = &firms[index % firms.len()];
        let facts = Facts::invent(sower, index, firm);
        let place = place(index, records);
        if let Place::Troubled(nth) = place {
            trouble(sower, &facts, firm, nth)?;
            continue;
        }
        let mut standing = Standing::default();
        if place.in_hubspot() {
            let id = deal(sower, &facts.hubspot(), firm)?;
            let person = people.get(index % people.len().max(1));
            if let Some(person) = person.and_then(|person| person.hubspot.as_deref()) {
                sower.associate((OBJECTS.0, &id), ("contacts", person), CONTACT)?;
            }
            standing.hubspot = Some(id);
        }
        if place.in_salesforce() {
            let mut fields = facts.salesforce(sower, firm);
            if place == Place::Both && index > 0 {
                facts.disagree(sower, &mut fields);
            }
            standing.salesforce = Some(sower.in_salesforce(OBJECTS.1, &fields)?);
        }
        sower.pair(OBJECTS, &standing);
    }
    Ok(())
}

fn deal(
    sower: &mut Sower<'_>,
    properties: &[(&'static str, String)],
    firm: &Firm,
) -> Result<String, String> {
    let id = sower.in_hubspot(OBJECTS.0, properties)?;
    if let Some(company) = &firm.standing.hubspot {
        sower.associate((OBJECTS.0, &id), ("companies", company), PRIMARY_COMPANY)?;
    }
    Ok(id)
}

fn trouble(sower: &mut Sower<'_>, facts: &Facts, firm: &Firm, nth: usize) -> Result<(), String> {
    let mut properties = facts.hubspot();
    let put = |properties: &mut Vec<(&'static str, String)>, name: &'static str, value: &str| {
        properties.retain(|(property, _)| *property != name);
        properties.push((name, value.to_owned()));
    };
    let trouble = match nth % 4 {
        0 => {
            put(&mut properties, "closedate", "");
            Trouble::NoCloseDate
        }
        1 => {
            let id = deal(sower, &properties, firm)?;
            let fields = facts.salesforce(sower, firm);
            let one = sower.in_salesforce(OBJECTS.1, &fields)?;
            let two = sower.in_salesforce(OBJECTS.1, &fields)?;
            let trouble = Trouble::SeveralOpportunitiesOneName;
            sower.expect(OBJECTS, &[&id], &[&one, &two], trouble);
            return Ok(());
        }
        2 => {
            put(&mut properties, "deal_currency_code", "JPY");
            put(&mut properties, "amount", "1200000");
            Trouble::CurrencyWithoutCounterpart
        }
        _ => {
            let name = format!("{}, with {}", facts.name, "all the trimmings, ".repeat(8));
            put(
                &mut properties,
                "dealname",
                name.trim_end_matches([',', ' ']),
            );
            Trouble::NameTooLong
        }
    };
    let id = deal(sower, &properties, firm)?;
    sower.expect(OBJECTS, &[&id], &[], trouble);
    Ok(())
}

fn record_type(sower: &Sower<'_>, name: &str) -> Json {
    json!(sower.record_types.get(name))
}

impl Facts {
    fn invent(sower: &mut Sower<'_>, index: usize, firm: &Firm) -> Self {
        let purpose = sower.pick(&PURPOSES);
        let (month, day) = (sower.dice.u8(1..=12), sower.dice.u8(1..=28));
        Self {
            name: format!("{} {purpose} {}", firm.name, index + 1),
            cents: sower.dice.u64(50_000..9_000_000),
            currency: sower.pick(&CURRENCIES),
            closes: format!("2027-{month:02}-{day:02}"),
            stage: &STAGES[sower.dice.usize(0..STAGES.len())],
            owner: sower.owner(),
        }
    }

    fn hubspot(&self) -> Vec<(&'static str, String)> {
        vec![
            ("dealname", self.name.clone()),
            (
                "amount",
                format!("{}.{:02}", self.cents / 100, self.cents % 100),
            ),
            ("deal_currency_code", self.currency.to_owned()),
            ("closedate", format!("{}T00:00:00.000Z", self.closes)),
            ("pipeline", self.stage.0.to_owned()),
            ("dealstage", self.stage.1.to_owned()),
            ("hubspot_owner_id", OWNERS[self.owner].0.to_owned()),
        ]
    }

    fn salesforce(&self, sower: &Sower<'_>, firm: &Firm) -> Vec<(&'static str, Json)> {
        vec![
            ("Name", json!(self.name)),
            ("Amount", money(self.cents)),
            ("CurrencyIsoCode", json!(self.currency)),
            ("CloseDate", json!(self.closes)),
            ("RecordTypeId", record_type(sower, self.stage.2)),
            ("StageName", json!(self.stage.3)),
            ("AccountId", json!(firm.standing.salesforce)),
            ("OwnerId", json!(sower.users[self.owner])),
        ]
    }

    /// Sales moved on and nobody told the other system.
    fn disagree(&self, sower: &mut Sower<'_>, fields: &mut [(&'static str, Json)]) {
        if sower.chance(20) {
            set(fields, "Amount", money(self.cents + 10_000));
        }
        if sower.chance(15) {
            set(fields, "CloseDate", json!("2027-12-15"));
        }
        if sower.chance(15) && self.stage.2 == "New_Business" {
            set(fields, "StageName", json!("Negotiation/Review"));
        }
        if sower.chance(10) {
            set(fields, "Amount", Json::Null);
        }
        if sower.chance(10) {
            let owner = sower.owner();
            set(fields, "OwnerId", json!(sower.users[owner]));
        }
    }
}

/// An amount as the platform keeps it: a number with two digits after the point.
#[allow(
    clippy::cast_precision_loss,
    reason = "amounts of the demo are far below the point where a double loses cents"
)]
fn money(cents: u64) -> Json {
    json!(cents as f64 / 100.0)
}
