//! Fills both simulators with overlapping, dirty data that a seed decides completely.
//!
//! Records go in through the simulators' direct doors, as if people had typed them over years. What
//! cannot be synced without a person is listed with its reason, so that a run can be judged later.
//! How the engine works is not known here.

mod deals;
mod firms;
mod people;
mod words;

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::hubspot::HubSpotSim;
use super::salesforce::SalesforceSim;

pub use people::{ADA_EMAIL, ADA_NAME};

/// The owners of the simulated portal: id and e-mail, the same people as the org's users, in the
/// same order. The last one has left.
pub const OWNERS: [(&str, &str); 4] = [
    ("77110001", "ada.owner@example.com"),
    ("77110002", "ben.owner@example.com"),
    ("77110003", "cleo.owner@example.com"),
    ("77110004", "dora.owner@example.com"),
];

/// How a troubled record is expected to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// One value waits, the rest of the record travels.
    Held,
    /// The record cannot be created on the other side.
    DeadLettered,
    /// Several records may be meant; a person decides.
    Ambiguous,
    /// It travels after all, with a stand-in for what is missing.
    Travels,
}

impl Fate {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::DeadLettered => "dead-lettered",
            Self::Ambiguous => "ambiguous",
            Self::Travels => "travels",
        }
    }
}

/// What is wrong with a record on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    SeveralContactsOneEmail,
    SeveralCompaniesOneDomain,
    SeveralOpportunitiesOneName,
    TitleTooLong,
    CityTooLong,
    NameTooLong,
    NoLastName,
    NoCloseDate,
    CurrencyWithoutCounterpart,
}

impl Trouble {
    pub const fn fate(self) -> Fate {
        match self {
            Self::SeveralContactsOneEmail
            | Self::SeveralCompaniesOneDomain
            | Self::SeveralOpportunitiesOneName => Fate::Ambiguous,
            Self::TitleTooLong | Self::CityTooLong | Self::CurrencyWithoutCounterpart => Fate::Held,
            Self::NameTooLong | Self::NoCloseDate => Fate::DeadLettered,
            Self::NoLastName => Fate::Travels,
        }
    }

    /// For people.
    pub const fn why(self) -> &'static str {
        match self {
            Self::SeveralContactsOneEmail => "two Salesforce contacts share one e-mail",
            Self::SeveralCompaniesOneDomain => "two HubSpot companies share one domain",
            Self::SeveralOpportunitiesOneName => "two opportunities share one name",
            Self::TitleTooLong => "a job title longer than Salesforce takes",
            Self::CityTooLong => "a city longer than Salesforce takes",
            Self::NameTooLong => "a deal name longer than Salesforce takes",
            Self::NoLastName => "no last name, which Salesforce requires",
            Self::NoCloseDate => "no close date, which Salesforce requires",
            Self::CurrencyWithoutCounterpart => "a currency that the org does not use",
        }
    }
}

/// Two records that mean the same person, company or deal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    pub hubspot_object: &'static str,
    pub salesforce_object: &'static str,
    pub hubspot: String,
    pub salesforce: String,
}

/// Records that are expected to need a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    pub hubspot_object: &'static str,
    pub salesforce_object: &'static str,
    pub hubspot: Vec<String>,
    pub salesforce: Vec<String>,
    pub trouble: Trouble,
}

/// Ada Lindqvist of Northwind Robotics, whom a demo follows by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heroine {
    pub hubspot: String,
    pub salesforce: String,
    pub company: String,
    pub account: String,
}

/// What was put in and what should come of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seeded {
    /// Per object type, as asked for.
    pub records: usize,
    /// How many records each object holds now.
    pub hubspot: BTreeMap<&'static str, usize>,
    pub salesforce: BTreeMap<&'static str, usize>,
    pub pairs: Vec<Pair>,
    pub expected: Vec<Expected>,
    /// Absent when nothing was seeded.
    pub heroine: Option<Heroine>,
}

impl Seeded {
    /// How many troubled records are expected to end each way.
    pub fn fates(&self) -> BTreeMap<Fate, usize> {
        let mut fates = BTreeMap::new();
        for expected in &self.expected {
            *fates.entry(expected.trouble.fate()).or_default() += 1;
        }
        fates
    }
}

/// Puts about `records` companies, people and deals into the two simulators.
///
/// # Errors
/// The simulator's own words when it refuses a record, with the object that was being made.
pub fn seed(
    hubspot: &HubSpotSim,
    salesforce: &SalesforceSim,
    records: usize,
    seed: u64,
) -> Result<Seeded, String> {
    let mut sower = Sower::new(hubspot, salesforce, records, seed)?;
    let firms = firms::sow(&mut sower)?;
    let people = people::sow(&mut sower, &firms)?;
    deals::sow(&mut sower, &firms, &people)?;
    Ok(sower.seeded)
}

/// On which sides a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Both,
    HubSpot,
    Salesforce,
    /// The n-th record with something wrong.
    Troubled(usize),
}

impl Place {
    const fn in_hubspot(self) -> bool {
        matches!(self, Self::Both | Self::HubSpot)
    }

    const fn in_salesforce(self) -> bool {
        matches!(self, Self::Both | Self::Salesforce)
    }
}

/// Where record `index` of `records` stands: of twenty clean ones twelve on both sides, four on
/// each side alone; one in twenty has something wrong, fewer in large sets, which people clean.
fn place(index: usize, records: usize) -> Place {
    let troubled = (records / 20).min(40 + records / 500);
    let clean = records - troubled;
    if index >= clean {
        return Place::Troubled(index - clean);
    }
    match index % 20 {
        12..=15 => Place::HubSpot,
        16..=19 => Place::Salesforce,
        _ => Place::Both,
    }
}

/// A record that may stand on both sides.
#[derive(Clone, Debug, Default)]
struct Standing {
    hubspot: Option<String>,
    salesforce: Option<String>,
}

/// The doors into both simulators, the dice, and the list of what was done.
struct Sower<'a> {
    hubspot: &'a HubSpotSim,
    salesforce: &'a SalesforceSim,
    dice: fastrand::Rng,
    seeded: Seeded,
    /// Salesforce user ids in the order of [`OWNERS`].
    users: Vec<String>,
    record_types: BTreeMap<String, String>,
}

impl<'a> Sower<'a> {
    fn new(
        hubspot: &'a HubSpotSim,
        salesforce: &'a SalesforceSim,
        records: usize,
        seed: u64,
    ) -> Result<Self, String> {
        let by = |object: &str, field: &str| -> BTreeMap<String, String> {
            let rows = salesforce.records(object).into_iter();
            rows.filter_map(|row| Some((row.fields.get(field)?.as_str()?.to_owned(), row.id)))
                .collect()
        };
        let by_email = by("User", "Email");
        let users = OWNERS
            .iter()
            .map(|(_, email)| {
                let user = by_email.get(*email).cloned();
                user.ok_or_else(|| format!("the org has no user with the e-mail {email}"))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            hubspot,
            salesforce,
            dice: fastrand::Rng::with_seed(seed),
            seeded: Seeded {
                records,
                ..Seeded::default()
            },
            users,
            record_types: by("RecordType", "DeveloperName"),
        })
    }

    fn in_hubspot(
        &mut self,
        object: &'static str,
        properties: &[(&str, String)],
    ) -> Result<String, String> {
        let given: Vec<(&str, &str)> = properties
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let id = self.hubspot.create(object, &given);
        let id = id.map_err(|error| format!("seeding HubSpot {object}: {error}"))?;
        *self.seeded.hubspot.entry(object).or_default() += 1;
        Ok(id)
    }

    fn in_salesforce(
        &mut self,
        object: &'static str,
        fields: &[(&str, Json)],
    ) -> Result<String, String> {
        let given: Vec<(&str, Json)> = fields
            .iter()
            .filter(|(_, value)| !value.is_null() && value.as_str() != Some(""))
            .cloned()
            .collect();
        let id = self.salesforce.create(object, &given);
        let id = id.map_err(|error| format!("seeding Salesforce {object}: {error}"))?;
        *self.seeded.salesforce.entry(object).or_default() += 1;
        Ok(id)
    }

    fn associate(&self, from: (&str, &str), to: (&str, &str), kind: u32) -> Result<(), String> {
        let done = self.hubspot.associate(from, to, kind);
        done.map_err(|error| format!("seeding an association of {}: {error}", from.0))
    }

    fn pair(&mut self, objects: (&'static str, &'static str), standing: &Standing) {
        if let (Some(hubspot), Some(salesforce)) = (&standing.hubspot, &standing.salesforce) {
            self.seeded.pairs.push(Pair {
                hubspot_object: objects.0,
                salesforce_object: objects.1,
                hubspot: hubspot.clone(),
                salesforce: salesforce.clone(),
            });
        }
    }

    fn expect(
        &mut self,
        objects: (&'static str, &'static str),
        hubspot: &[&String],
        salesforce: &[&String],
        trouble: Trouble,
    ) {
        self.seeded.expected.push(Expected {
            hubspot_object: objects.0,
            salesforce_object: objects.1,
            hubspot: hubspot.iter().map(|id| (*id).clone()).collect(),
            salesforce: salesforce.iter().map(|id| (*id).clone()).collect(),
            trouble,
        });
    }

    /// True in about `percent` of a hundred cases.
    fn chance(&mut self, percent: u8) -> bool {
        self.dice.u8(0..100) < percent
    }

    fn pick<'t, T: ?Sized>(&mut self, from: &'t [&'t T]) -> &'t T {
        from[self.dice.usize(0..from.len())]
    }

    /// An owner who is still there.
    fn owner(&mut self) -> usize {
        self.dice.usize(0..OWNERS.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::model::Timestamp;
    use crate::sim::SimClock;
    use crate::sim::hubspot::HubSpotOptions;
    use crate::sim::salesforce::SalesforceOptions;

    fn sims() -> (HubSpotSim, SalesforceSim) {
        let clock = SimClock::new(Clock::manual(Timestamp::from_millis(1_790_000_000_000)));
        (
            HubSpotSim::new(clock.clone(), HubSpotOptions::default()),
            SalesforceSim::new(clock, SalesforceOptions::default()),
        )
    }

    #[test]
    fn a_seed_decides_everything() {
        let run = || {
            let (hubspot, salesforce) = sims();
            let seeded = seed(&hubspot, &salesforce, 60, 7).unwrap();
            let contacts: Vec<_> = hubspot.records("contacts");
            let leads = salesforce.records("Lead");
            (seeded, format!("{contacts:?}"), format!("{leads:?}"))
        };
        assert_eq!(run(), run());
    }

    #[test]
    fn most_records_overlap_and_every_kind_of_trouble_is_there() {
        let (hubspot, salesforce) = sims();
        let seeded = seed(&hubspot, &salesforce, 200, 7).unwrap();
        let both = |object| {
            seeded
                .pairs
                .iter()
                .filter(|p| p.hubspot_object == object)
                .count()
        };
        for object in ["companies", "contacts", "deals"] {
            assert!(
                (100..=130).contains(&both(object)),
                "{object}: {}",
                both(object)
            );
        }
        for fate in [Fate::Held, Fate::DeadLettered, Fate::Ambiguous] {
            assert!(seeded.fates()[&fate] > 0, "{fate:?}");
        }
        let ada = seeded.heroine.unwrap();
        let contact = hubspot.record("contacts", &ada.hubspot).unwrap();
        assert_eq!(contact.properties["lastname"], "Lindqvist");
        let parents = hubspot.associations("contacts", &ada.hubspot, "companies");
        assert_eq!(parents[0].0, ada.company);
    }

    #[test]
    fn nothing_asked_for_means_nothing_seeded() {
        let (hubspot, salesforce) = sims();
        let seeded = seed(&hubspot, &salesforce, 0, 7).unwrap();
        assert!(seeded.heroine.is_none() && seeded.pairs.is_empty());
        assert!(hubspot.records("contacts").is_empty());
    }

    #[test]
    fn a_single_record_is_the_heroine() {
        let (hubspot, salesforce) = sims();
        let seeded = seed(&hubspot, &salesforce, 1, 7).unwrap();
        assert!(seeded.heroine.is_some());
        assert_eq!(seeded.pairs.len(), 3);
    }
}
