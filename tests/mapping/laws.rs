//! Laws that hold for every value: canonical forms are stable, and what travels there and back
//! arrives unchanged.

use proptest::prelude::*;
use tandem::mapping::{Bound, References, Rule};
use tandem::model::{Fields, Raw, Side, Value};

use crate::schemas::bound;

const MAPPING: &str = r#"
mapping: contacts
hubspot: contacts
salesforce: Contact
conflict: salesforce
rules:
  email: Email
  firstname: FirstName
  lastname: { to: LastName, default: "(unknown)" }
  jobtitle: { to: Title, tolerance: trim }
  phone: { to: Phone, as: 'phone(country ?? "DE")' }
  mobilephone: MobilePhone
  city: { to: MailingCity, as: domain }
  country: MailingCountry
  lifecyclestage: HubSpot_Lifecycle__c
  hs_lead_status:
    to: Stage__c
    values: { NEW: New, OPEN: { to: New, direction: to-salesforce }, CONNECTED: Done }
  interests:
    to: Interests__c
    conflict: union
    values: { analytics: Research, automation: Product, training: Events }
  vip: Vip__c
  score: Score__c
  last_touch: Last_Touch__c
  birthday: Birthdate
"#;

const DEALS: &str = r#"
mapping: deals
hubspot: deals
salesforce: Opportunity
conflict: salesforce
rules:
  closedate: { to: CloseDate, as: 'date("ZONE")' }
  stage:
    hubspot: [pipeline, dealstage]
    salesforce: [RecordType.DeveloperName, StageName]
    table:
      - [default, qualifiedtobuy, New_Business, Qualification]
      - [default, closedwon, New_Business, Closed Won]
      - [Renewals, Churned, Renewal, Closed Lost]
  amount:
    hubspot: [amount, deal_currency_code]
    salesforce: [Amount, CurrencyIsoCode]
    as: money
"#;

fn words() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[ -~]{0,24}",
        2 => "\\PC{0,16}",
        1 => "[ \t\r\n\u{a0}a-zäöüßé\u{301}]{0,12}",
        1 => Just(String::new()),
        1 => Just("(unknown)".to_owned()),
    ]
}

fn phones() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\+?[0-9 ()/.-]{0,18}",
        "(\\+49|0049|0|\\+1|\\+39|\\+54|\\+52)[0-9 ]{4,13}",
        words()
    ]
}

fn moments() -> impl Strategy<Value = String> {
    prop_oneof![
        (-62_167_219_200_000_i64..=253_402_300_799_999).prop_map(|millis| millis.to_string()),
        (
            1900..2100_i32,
            1..=12_u32,
            1..=28_u32,
            0..24_u32,
            0..60_u32,
            0..1000_u32
        )
            .prop_map(|(y, m, d, h, min, ms)| format!(
                "{y:04}-{m:02}-{d:02}T{h:02}:{min:02}:59.{ms:03}Z"
            )),
    ]
}

fn days() -> impl Strategy<Value = String> {
    (1900..2100_i32, 1..=12_u32, 1..=28_u32).prop_map(|(y, m, d)| format!("{y:04}-{m:02}-{d:02}"))
}

fn numbers() -> impl Strategy<Value = String> {
    prop_oneof![
        "-?[0-9]{1,12}(\\.[0-9]{0,6})?",
        "-?[0-9]\\.[0-9]{1,4}E-?[0-9]",
        Just("-0.0".to_owned()),
    ]
}

fn some_of(options: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::subsequence(options, 0..=options.len())
        .prop_shuffle()
        .prop_map(|parts| parts.join(";"))
}

/// Which rule, and raw texts for it.
fn single() -> impl Strategy<Value = (&'static str, String)> {
    let named = |rule: &'static str| move |text| (rule, text);
    prop_oneof![
        words().prop_map(named("email")),
        words().prop_map(named("firstname")),
        words().prop_map(named("lastname")),
        words().prop_map(named("jobtitle")),
        phones().prop_map(named("phone")),
        phones().prop_map(named("mobilephone")),
        words().prop_map(named("city")),
        "(https?://)?(www\\.)?[a-z]{1,8}\\.[a-z]{2,3}(/[a-z]{0,4})?".prop_map(named("city")),
        words().prop_map(named("country")),
        prop::sample::select(vec!["lead", "customer", ""])
            .prop_map(|t| ("lifecyclestage", t.into())),
        prop::sample::select(vec!["NEW", "OPEN", "CONNECTED", ""])
            .prop_map(|t| ("hs_lead_status", t.into())),
        some_of(&["analytics", "automation", "training"]).prop_map(named("interests")),
        prop::sample::select(vec!["true", "false", ""]).prop_map(|t| ("vip", t.into())),
        numbers().prop_map(named("score")),
        moments().prop_map(named("last_touch")),
        days().prop_map(named("birthday")),
    ]
}

struct Travel<'b> {
    bound: &'b Bound,
    rule: &'b Rule,
    refs: References,
    /// Fields of both records that a conversion reads and never writes.
    around: Fields,
}

impl Travel<'_> {
    fn canon(&self, side: Side, fields: &Fields) -> Option<Value> {
        let mut whole = self.around.clone();
        whole.extend(fields.clone());
        self.bound.canon(self.rule, side, &whole, &self.refs).ok()
    }

    fn carry(&self, from: Side, value: &Value) -> Option<Value> {
        self.bound
            .carry(self.rule, from, &Fields::new(), value, &self.refs)
            .ok()
    }

    fn render(&self, to: Side, value: &Value, present: &Fields) -> Fields {
        let mut whole = present.clone();
        if !present.is_empty() {
            whole.extend(
                self.around
                    .clone()
                    .into_iter()
                    .filter(|(n, _)| !present.contains_key(n)),
            );
        }
        let present = &whole;
        self.bound
            .render(self.rule, to, value, present, &self.refs)
            .unwrap()
    }

    /// A value written to a side reads back as itself; a present text of equal value stays.
    fn stable(&self, side: Side, value: &Value) {
        let written = self.render(side, value, &Fields::new());
        let read = self.canon(side, &written).unwrap();
        assert!(
            read == *value || (read.is_blank() && value.is_blank()),
            "{value:?} {read:?}"
        );
        assert_eq!(self.render(side, &read, &written), written);
    }

    fn laws(&self, side: Side, fields: &Fields) {
        let Some(value) = self.canon(side, fields) else {
            return;
        };
        self.stable(side, &value);
        let Some(there) = self.carry(side, &value) else {
            return;
        };
        self.stable(side.other(), &there);
        let back = self
            .carry(side.other(), &there)
            .expect("what arrived can go back");
        let again = self
            .carry(side, &back)
            .expect("what came back can go again");
        assert_eq!(again, there, "{fields:?} came back as {back:?}");
        // Writing back what the other side made of a value changes nothing here.
        let kept = self.render(side, &back, fields);
        for (name, raw) in &kept {
            assert_eq!(Some(raw), fields.get(name), "{fields:?} was rewritten");
        }
    }
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases)
    }
}

#[test]
fn canonical_forms_are_stable_and_values_survive_the_journey() {
    let bound = bound(MAPPING);
    proptest!(config(40_000), |((name, text) in single(), country in "(DE|US|Austria|)")| {
        let rule = bound.mapping().rule(name).unwrap();
        let around = ["country", "MailingCountry"];
        let around = around.map(|name| (name.to_owned(), Raw::text(country.clone()))).into();
        let travel = Travel { bound: &bound, rule, refs: References::default(), around };
        let mut fields = Fields::from([("country".to_owned(), Raw::text(country.clone()))]);
        fields.insert(rule.writes(Side::HubSpot)[0].clone(), Raw::text(text.clone()));
        travel.laws(Side::HubSpot, &fields);
        let translated = matches!(name, "hs_lead_status" | "interests");
        if !translated {
            let field = rule.writes(Side::Salesforce)[0].clone();
            travel.laws(Side::Salesforce, &Fields::from([(field, Raw::text(text))]));
        }
    });
}

#[test]
fn stages_and_money_survive_the_journey() {
    let bound = bound(&DEALS.replace("ZONE", "UTC"));
    let stages = [
        ("default", "qualifiedtobuy"),
        ("default", "closedwon"),
        ("8423117", "2148"),
        ("", ""),
    ];
    proptest!(config(20_000), |(
        stage in 0..4_usize,
        amount in "(-?[0-9]{1,12}(\\.[0-9]{1,2})?)?",
        currency in "(USD|EUR|JPY|)",
    )| {
        let (pipeline, stage) = stages[stage];
        let fields = Fields::from([
            ("pipeline".to_owned(), Raw::text(pipeline)),
            ("dealstage".to_owned(), Raw::text(stage)),
            ("amount".to_owned(), Raw::text(amount)),
            ("deal_currency_code".to_owned(), Raw::text(currency)),
        ]);
        for name in ["stage", "amount"] {
            let rule = bound.mapping().rule(name).unwrap();
            let travel =
                Travel { bound: &bound, rule, refs: References::default(), around: Fields::new() };
            travel.laws(Side::HubSpot, &fields);
        }
    });
}

#[test]
fn a_day_stays_the_same_day_in_every_zone() {
    for zone in chrono_tz::TZ_VARIANTS {
        let bound = bound(&DEALS.replace("ZONE", zone.name()));
        let rule = bound.mapping().rule("closedate").unwrap();
        let travel = Travel {
            bound: &bound,
            rule,
            refs: References::default(),
            around: Fields::new(),
        };
        for month in 1..=12 {
            for day in [1, 8, 15, 27, 28] {
                for year in [1999, 2011, 2026] {
                    let text = format!("{year}-{month:02}-{day:02}");
                    let fields = Fields::from([("CloseDate".to_owned(), Raw::text(text))]);
                    travel.laws(Side::Salesforce, &fields);
                }
            }
        }
    }
}
