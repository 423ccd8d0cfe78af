//! Values of records: phones, numbers, days, moments, sets, texts, by someone who owns a record.

use std::sync::OnceLock;

use tandem::mapping::{Bound, References};
use tandem::model::{Fields, Raw, Side};

use crate::mutate::Shape;
use crate::run::Target;
use crate::schemas::bound;

const MAPPINGS: [&str; 2] = [
    r#"
mapping: contacts
hubspot: contacts
salesforce: Contact
conflict: salesforce
match:
  - email: Email
rules:
  email: Email
  firstname: FirstName
  lastname: { to: LastName, default: "(unknown)" }
  jobtitle: { to: Title, tolerance: trim }
  phone: { to: Phone, as: 'phone("DE")' }
  city: { to: MailingCity, as: domain }
  country: MailingCountry
  interests:
    to: Interests__c
    conflict: union
    values: { analytics: Research, automation: Product }
  vip: Vip__c
  score: Score__c
  last_touch: Last_Touch__c
  birthday: Birthdate
computed:
  - { to: salesforce.Notes__c, value: "`${firstname} ${score}`" }
"#,
    r#"
mapping: deals
hubspot: deals
salesforce: Opportunity
conflict: salesforce
rules:
  dealname: { to: Name, default: "(none)" }
  closedate: { to: CloseDate, as: 'date("America/New_York")' }
  amount:
    hubspot: [amount, deal_currency_code]
    salesforce: [Amount, CurrencyIsoCode]
    as: money
"#,
];

#[test]
fn no_value_of_a_record_breaks_its_canonical_form() {
    Target {
        name: "canon",
        shape: Shape::Words,
        cases: 300,
        samples: [
            "+49 (0)30 901820",
            "1234567890123456789.01234567890",
            "1.5E-7",
            "2026-02-29",
            "2026-03-02T09:00:00.000+0000",
            "1772442000000",
            "analytics;automation",
            "https://www.acme.example:8080/x?y#z",
            "Ann@Example.COM",
        ]
        .map(|text| text.as_bytes().to_vec())
        .to_vec(),
        check,
    }
    .run();
}

fn mappings() -> &'static [Bound] {
    static BOUND: OnceLock<Vec<Bound>> = OnceLock::new();
    BOUND.get_or_init(|| MAPPINGS.map(bound).into())
}

fn check(input: &[u8]) -> Result<(), String> {
    // No field of either platform holds more.
    let text: String = String::from_utf8_lossy(input)
        .chars()
        .take(65_536)
        .collect();
    let number = serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok()
        && text.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    for bound in mappings() {
        for side in Side::BOTH {
            let raw = if number && side == Side::Salesforce {
                Raw::Number(text.clone())
            } else {
                Raw::text(&text)
            };
            held(bound, side, &raw)?;
        }
    }
    Ok(())
}

fn held(bound: &Bound, side: Side, raw: &Raw) -> Result<(), String> {
    let references = References::default();
    let fields: Fields = bound
        .read_fields(side)
        .iter()
        .map(|name| (name.clone(), raw.clone()))
        .collect();
    let _ = bound.match_keys(side, &fields);
    let _ = bound.refusals(side, &fields);
    for rule in &bound.mapping().rules {
        let Ok(value) = bound.canon(rule, side, &fields, &references) else {
            continue;
        };
        let shown = value.to_string();
        if shown.len() > 8 * 65_536 {
            return Err(format!("`{}` grew to {} bytes", rule.name, shown.len()));
        }
        let to = side.other();
        let Ok(carried) = bound.carry(rule, side, &fields, &value, &references) else {
            continue;
        };
        let Ok(sent) = bound.render(rule, to, &carried, &Fields::new(), &references) else {
            continue;
        };
        // What is sent reads back as what was meant, or the record would never come to rest.
        let mut stored = fields.clone();
        stored.extend(
            bound
                .read_fields(to)
                .iter()
                .map(|name| (name.clone(), Raw::Null)),
        );
        stored.extend(sent);
        match bound.canon(rule, to, &stored, &references) {
            Ok(back) if back == carried => {}
            back => {
                return Err(format!(
                    "`{}`: {raw:?} is carried as {carried:?} and reads back as {back:?}",
                    rule.name
                ));
            }
        }
    }
    Ok(())
}
