//! Values for the demo's users to type, in the words of the side they sit at.

use serde_json::{Value as Json, json};

use crate::model::Side;
use crate::sim::seed::OWNERS;

use super::canon::Meaning;
use super::shape::{Form, Rule, Shape};

/// What somebody types into one record.
#[derive(Clone, Debug)]
pub enum Typed {
    HubSpot(Vec<(&'static str, String)>),
    Salesforce(Vec<(&'static str, Json)>),
    /// A HubSpot association to a company.
    Company {
        id: String,
        primary: u32,
    },
}

impl Typed {
    pub const fn side(&self) -> Side {
        match self {
            Self::HubSpot(_) | Self::Company { .. } => Side::HubSpot,
            Self::Salesforce(_) => Side::Salesforce,
        }
    }
}

const TITLES: [&str; 8] = [
    "Regional Director",
    "Chief of Staff",
    "Lead Buyer",
    "Programme Manager",
    "Solutions Engineer",
    "Head of Procurement",
    "Operations Analyst",
    "Interim Manager",
];
const CITIES: [&str; 6] = ["Lyon", "Ghent", "Bergen", "Graz", "Cork", "Malmö"];
const CURRENCIES: [&str; 3] = ["EUR", "USD", "GBP"];

/// A new value for the rule; `None` where users do not type.
pub fn invent(
    rule: &Rule,
    side: Side,
    dice: &mut fastrand::Rng,
    meaning: &Meaning,
) -> Option<Typed> {
    let texts = match rule.form {
        Form::Text => vec![words(rule.name, dice)],
        Form::Phone => vec![format!("+49 30 23125{:03}", dice.u32(0..1_000))],
        Form::Number => vec![dice.u32(5..9_000).to_string()],
        Form::Day => vec![day(rule, side, dice)],
        Form::Address => return Some(city(rule, side, dice)),
        Form::Pick(table) => {
            let (hubspot, salesforce) = dice.choice(table)?;
            let word = if side == Side::HubSpot {
                hubspot
            } else {
                salesforce
            };
            vec![(*word).to_owned()]
        }
        Form::Stage(table) => {
            let row = dice.choice(table)?;
            match side {
                Side::HubSpot => vec![row[0].to_owned(), row[1].to_owned()],
                Side::Salesforce => {
                    vec![meaning.record_type(row[2])?.to_owned(), row[3].to_owned()]
                }
            }
        }
        Form::Money => {
            let amount = format!("{}.{:02}", dice.u32(100..90_000), dice.u32(0..100));
            vec![amount, dice.choice(CURRENCIES)?.to_owned()]
        }
        Form::Owner => {
            let (id, email) = OWNERS[dice.usize(0..OWNERS.len() - 1)];
            let id = if side == Side::HubSpot {
                id
            } else {
                meaning.user(email)?
            };
            vec![id.to_owned()]
        }
        Form::Email | Form::Site | Form::Company { .. } => return None,
    };
    Some(match side {
        Side::HubSpot => Typed::HubSpot(rule.hubspot.iter().copied().zip(texts).collect()),
        Side::Salesforce => {
            let fields = rule.salesforce.iter().copied().zip(texts).enumerate();
            Typed::Salesforce(
                fields
                    .map(|(at, (f, t))| (f, cell(rule.form, at, t)))
                    .collect(),
            )
        }
    })
}

/// People correct a city; the other lines of the address stay as they are.
fn city(rule: &Rule, side: Side, dice: &mut fastrand::Rng) -> Typed {
    let city = CITIES[dice.usize(0..CITIES.len())];
    match side {
        Side::HubSpot => Typed::HubSpot(vec![(rule.hubspot[1], city.to_owned())]),
        Side::Salesforce => Typed::Salesforce(vec![(rule.salesforce[1], json!(city))]),
    }
}

fn words(rule: &str, dice: &mut fastrand::Rng) -> String {
    let number = dice.u32(10..1_000);
    match rule {
        "jobtitle" => format!("{} {}", TITLES[dice.usize(0..TITLES.len())], number % 7 + 1),
        "firstname" => format!("Robin {number}"),
        "lastname" => format!("Sommer-{number}"),
        _ => format!("Changed by hand {number}"),
    }
}

fn day(rule: &Rule, side: Side, dice: &mut fastrand::Rng) -> String {
    let day = format!("2028-{:02}-{:02}", dice.u8(1..=12), dice.u8(1..=28));
    // HubSpot's close date is a moment, not a day (`hubspot.md 6`).
    if side == Side::HubSpot && rule.hubspot == ["closedate"] {
        return format!("{day}T00:00:00.000Z");
    }
    day
}

/// Salesforce wants numbers as numbers.
fn cell(form: Form, at: usize, text: String) -> Json {
    let numeric = matches!((form, at), (Form::Number | Form::Money, 0));
    match text.parse::<f64>() {
        Ok(number) if numeric && number.fract() == 0.0 => {
            // Whole numbers go out whole: an integer field refuses `12.0`.
            text.parse::<i64>()
                .map_or(json!(number), |whole| json!(whole))
        }
        Ok(number) if numeric => json!(number),
        Ok(_) | Err(_) => json!(text),
    }
}

/// The n-th new record that a user makes on `side`; `None` for objects that users do not make.
pub fn newborn(shape: &Shape, side: Side, nth: usize, meaning: &Meaning) -> Option<Typed> {
    let domain = format!("newcomer-{nth}.example.org");
    let email = format!("newcomer.{nth}@example.org");
    let name = format!("Newcomer {nth}");
    Some(match (shape.mapping, side) {
        ("companies", Side::HubSpot) => Typed::HubSpot(vec![("name", name), ("domain", domain)]),
        ("companies", Side::Salesforce) => {
            let site = format!("https://www.{domain}");
            Typed::Salesforce(vec![("Name", json!(name)), ("Website", json!(site))])
        }
        ("contacts", Side::HubSpot) => Typed::HubSpot(vec![
            ("email", email),
            ("firstname", "Nova".to_owned()),
            ("lastname", name),
            ("lifecyclestage", "customer".to_owned()),
        ]),
        ("contacts", Side::Salesforce) => Typed::Salesforce(vec![
            ("Email", json!(email)),
            ("FirstName", json!("Nova")),
            ("LastName", json!(name)),
        ]),
        ("deals", Side::HubSpot) => Typed::HubSpot(vec![
            ("dealname", name),
            ("amount", "1500".to_owned()),
            ("deal_currency_code", "EUR".to_owned()),
            ("closedate", "2028-06-30T00:00:00.000Z".to_owned()),
            ("pipeline", "default".to_owned()),
            ("dealstage", "qualifiedtobuy".to_owned()),
        ]),
        ("deals", Side::Salesforce) => Typed::Salesforce(vec![
            ("Name", json!(name)),
            ("CloseDate", json!("2028-06-30")),
            ("RecordTypeId", json!(meaning.record_type("New_Business")?)),
            ("StageName", json!("Qualification")),
            ("Amount", json!(1500)),
            ("CurrencyIsoCode", json!("EUR")),
        ]),
        _ => return None,
    })
}
