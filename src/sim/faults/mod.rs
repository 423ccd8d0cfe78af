//! Fault switches: what goes wrong in a simulator, how often, and for whom.
//!
//! Both simulators ask [`Faults`] at their few seams whether a fault strikes, and nowhere else is
//! anything decided. Chance is seeded, so that the same calls meet the same faults. What a fault
//! does is beside the rules of each simulator; the words are in `kind`, files and presets in
//! `plan`.

mod kind;
mod plan;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use kind::{Crm, Family, Fault, Point, TYPED};
pub use plan::FaultPlan;

/// Records that met a fault are remembered up to this many.
const REMEMBERED: usize = 100_000;

/// One fault that is switched on: how often it strikes, and what it may strike.
///
/// A filter that is absent lets everything pass. `method`, `path`, `family` and `writes` narrow
/// faults of calls; `field` those of rows and values.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Switch {
    pub fault: Fault,
    /// The share of fitting moments at which it begins to strike.
    #[serde(default = "always")]
    pub rate: f64,
    /// How many fitting moments it strikes in a row once it began.
    #[serde(default = "one")]
    pub burst: u32,
    /// It strikes no more than this often in all.
    #[serde(default)]
    pub times: Option<u64>,
    /// How long it lasts or waits; each fault has a usual figure.
    #[serde(default)]
    pub seconds: Option<u32>,
    /// What is written by automations and people.
    #[serde(default)]
    pub value: Option<String>,
    #[serde(default)]
    pub side: Option<Crm>,
    /// `GET`, `POST`, ...
    #[serde(default)]
    pub method: Option<String>,
    /// A part of the path.
    #[serde(default)]
    pub path: Option<String>,
    /// A part of the endpoint family's name, as the counters show it: `batch_update`, `query`.
    #[serde(default)]
    pub family: Option<String>,
    /// Only calls that may change a record, or only those that cannot.
    #[serde(default)]
    pub writes: Option<bool>,
    /// `contacts`, `Contact`.
    #[serde(default)]
    pub object: Option<String>,
    #[serde(default)]
    pub record: Option<String>,
    #[serde(default)]
    pub field: Option<String>,
}

fn always() -> f64 {
    1.0
}

fn one() -> u32 {
    1
}

impl Switch {
    /// Strikes at every moment the fault can strike at.
    pub fn of(fault: Fault) -> Self {
        Self {
            fault,
            rate: always(),
            burst: one(),
            times: None,
            seconds: None,
            value: None,
            side: None,
            method: None,
            path: None,
            family: None,
            writes: None,
            object: None,
            record: None,
            field: None,
        }
    }

    pub fn rate(mut self, rate: f64) -> Self {
        self.rate = rate;
        self
    }

    pub fn burst(mut self, burst: u32) -> Self {
        self.burst = burst;
        self
    }

    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    pub fn seconds(mut self, seconds: u32) -> Self {
        self.seconds = Some(seconds);
        self
    }

    pub fn value(mut self, value: &str) -> Self {
        self.value = Some(value.to_owned());
        self
    }

    pub fn family(mut self, family: &str) -> Self {
        self.family = Some(family.to_owned());
        self
    }

    pub fn object(mut self, object: &str) -> Self {
        self.object = Some(object.to_owned());
        self
    }

    pub fn record(mut self, record: &str) -> Self {
        self.record = Some(record.to_owned());
        self
    }

    pub fn field(mut self, field: &str) -> Self {
        self.field = Some(field.to_owned());
        self
    }

    fn fits(&self, at: &At<'_>) -> bool {
        let same = |want: &Option<String>, own: &str| {
            want.as_ref()
                .is_none_or(|want| want.eq_ignore_ascii_case(own))
        };
        let part = |want: &Option<String>, own: &str| {
            want.as_ref().is_none_or(|want| own.contains(want.as_str()))
        };
        same(&self.method, at.method)
            && part(&self.path, at.path)
            && part(&self.family, at.family)
            && self.writes.is_none_or(|writes| writes == at.writes)
            && same(&self.object, at.object)
            && self.record.as_ref().is_none_or(|id| at.names(id))
            && self.field.as_ref().is_none_or(|field| {
                let mut fields = at.fields.iter();
                fields.any(|own| own.eq_ignore_ascii_case(field))
            })
    }
}

/// What is happening at the moment a simulator asks. What does not apply stays empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct At<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub family: &'a str,
    pub writes: bool,
    pub object: &'a str,
    pub record: &'a str,
    pub fields: &'a [&'a str],
    /// Of a call, where an id may stand too.
    pub body: &'a [u8],
}

impl At<'_> {
    fn names(&self, id: &str) -> bool {
        let named = |text: &str| !id.is_empty() && text.contains(id);
        // Salesforce writes one id in 15 or in 18 characters.
        let own = !self.record.is_empty()
            && (self.record == id || (id.len() >= 15 && self.record.starts_with(&id[..15])));
        own || named(self.path)
            || (!id.is_empty()
                && self
                    .body
                    .windows(id.len())
                    .any(|part| part == id.as_bytes()))
    }
}

/// A fault that strikes now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strike {
    pub fault: Fault,
    pub seconds: u32,
    pub value: Option<String>,
    /// The field meant: the switch's own, else the first that is being written.
    pub field: String,
}

impl Strike {
    pub fn millis(&self) -> i64 {
        i64::from(self.seconds) * 1_000
    }
}

/// How often faults struck since the simulator began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FaultCounts {
    pub by_fault: BTreeMap<&'static str, u64>,
    /// Every family, those that never struck included.
    pub by_family: BTreeMap<&'static str, u64>,
    /// (object, id) of records that a fault struck which leaves something for a person to do. A
    /// record that was being made is named by its key.
    #[serde(skip)]
    pub records: BTreeSet<(String, String)>,
    /// What faults will still do at a later moment: calls that land late, values taken back.
    pub pending: usize,
}

#[derive(Debug)]
struct Armed {
    switch: Switch,
    /// How many more moments of the present burst it strikes.
    burst_left: u32,
    struck: u64,
}

#[derive(Debug)]
struct Inner {
    crm: Crm,
    seed: u64,
    rng: fastrand::Rng,
    armed: Vec<Armed>,
    counts: BTreeMap<Fault, u64>,
    records: BTreeSet<(String, String)>,
}

/// The switchboard of one simulator. Sits inside the simulator's lock.
#[derive(Debug)]
pub struct Faults(RefCell<Inner>);

impl Faults {
    pub fn new(crm: Crm, seed: u64) -> Self {
        Self(RefCell::new(Inner {
            crm,
            seed,
            rng: fastrand::Rng::with_seed(seed ^ 0xFA17),
            armed: Vec::new(),
            counts: BTreeMap::new(),
            records: BTreeSet::new(),
        }))
    }

    /// Replaces all switches; those that this simulator does not know are left out. Counts go on.
    pub fn set(&self, switches: &[Switch]) {
        let mut inner = self.0.borrow_mut();
        let crm = inner.crm;
        let mine = switches.iter().filter(|switch| {
            switch.side.is_none_or(|side| side == crm) && switch.fault.crms().contains(&crm)
        });
        inner.armed = mine
            .map(|switch| Armed {
                switch: switch.clone(),
                burst_left: 0,
                struck: 0,
            })
            .collect();
    }

    pub fn switches(&self) -> Vec<Switch> {
        let inner = self.0.borrow();
        inner.armed.iter().map(|one| one.switch.clone()).collect()
    }

    pub fn counts(&self) -> FaultCounts {
        let inner = self.0.borrow();
        let mut counts = FaultCounts {
            by_family: Family::ALL.iter().map(|one| (one.word(), 0)).collect(),
            records: inner.records.clone(),
            ..FaultCounts::default()
        };
        for (fault, count) in &inner.counts {
            counts.by_fault.insert(fault.word(), *count);
            *counts.by_family.entry(fault.family().word()).or_default() += count;
        }
        counts
    }

    /// Test control's view: what is switched on, and what struck.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({"faults": self.switches(), "counts": self.counts()})
    }

    /// Test control: `{"faults": [...]}` or `{"preset": "harsh"}` replaces all switches.
    ///
    /// # Errors
    /// One line that says what is wrong with the body.
    pub fn control(&self, body: &[u8]) -> Result<serde_json::Value, String> {
        let plan = FaultPlan::from_control(body)?;
        self.set(&plan.faults);
        Ok(self.to_json())
    }

    /// Nothing is switched on.
    pub fn is_calm(&self) -> bool {
        self.0.borrow().armed.is_empty()
    }

    /// The first fault of this point that strikes here.
    pub fn strike(&self, point: Point, at: &At<'_>) -> Option<Strike> {
        self.strike_if(at, |fault| fault.point() == point)
    }

    /// Whether this one fault strikes here.
    pub fn strikes(&self, fault: Fault, at: &At<'_>) -> Option<Strike> {
        self.strike_if(at, |own| own == fault)
    }

    /// The first fault that `may` strike here and does.
    pub fn strike_if(&self, at: &At<'_>, may: impl Fn(Fault) -> bool) -> Option<Strike> {
        let mut inner = self.0.borrow_mut();
        let inner = &mut *inner;
        for armed in &mut inner.armed {
            let switch = &armed.switch;
            let spent = switch.times.is_some_and(|times| armed.struck >= times);
            if spent || !may(switch.fault) || !switch.fits(at) {
                continue;
            }
            if armed.burst_left > 0 {
                armed.burst_left -= 1;
            } else if inner.rng.f64() < switch.rate {
                armed.burst_left = switch.burst.saturating_sub(1);
            } else {
                continue;
            }
            armed.struck += 1;
            let first = at.fields.first().copied().unwrap_or_default();
            let strike = Strike {
                fault: switch.fault,
                seconds: switch.seconds.unwrap_or(switch.fault.usual_seconds()),
                value: switch.value.clone(),
                field: switch.field.clone().unwrap_or_else(|| first.to_owned()),
            };
            inner.count(strike.fault, at.object, at.record);
            return Some(strike);
        }
        None
    }

    /// Whether a condition stands for this record or field. Chosen by its name, so that it is the
    /// same at every look.
    pub fn stands(&self, fault: Fault, object: &str, record: &str, field: &str) -> bool {
        let mut inner = self.0.borrow_mut();
        let inner = &mut *inner;
        let (seed, fields) = (inner.seed, [field]);
        let at = At {
            object,
            record,
            fields: &fields,
            ..At::default()
        };
        let stands = inner.armed.iter().any(|armed| {
            let switch = &armed.switch;
            switch.fault == fault
                && switch.fits(&at)
                && share(seed, &[fault.word(), object, record, field]) < switch.rate
        });
        if stands {
            inner.count(fault, object, record);
        }
        stands
    }
}

impl Inner {
    fn count(&mut self, fault: Fault, object: &str, record: &str) {
        *self.counts.entry(fault).or_default() += 1;
        if fault.leaves_a_wait() && !record.is_empty() && self.records.len() < REMEMBERED {
            self.records.insert((object.to_owned(), record.to_owned()));
        }
    }
}

/// What a fault of values makes of one; nothing when it does not work by another value.
pub(super) fn stored(
    fault: Fault,
    text: &str,
    number: bool,
    value: Option<&str>,
) -> Option<String> {
    match fault {
        Fault::Trimmed => Some(text.trim().to_owned()),
        Fault::Lowered if !number => Some(text.to_lowercase()),
        Fault::Rounded if number => {
            let figure: f64 = text.parse().ok()?;
            Some(figure.round().to_string())
        }
        Fault::Truncated if !number => {
            let half = text.chars().count().div_ceil(2);
            Some(text.chars().take(half).collect())
        }
        Fault::Rewritten if !number && !text.is_empty() => {
            Some(value.map_or_else(|| format!("{text} (by a flow)"), str::to_owned))
        }
        _ => None,
    }
}

/// An even number from 0 to 1 that depends on nothing but the seed and the names.
fn share(seed: u64, names: &[&str]) -> f64 {
    let mut hash = 0xCBF2_9CE4_8422_2325_u64 ^ seed;
    for name in names {
        for byte in name.bytes().chain([0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        }
    }
    fastrand::Rng::with_seed(hash).f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call<'a>(path: &'a str, object: &'a str) -> At<'a> {
        At {
            method: "POST",
            path,
            object,
            writes: true,
            ..At::default()
        }
    }

    fn struck(faults: &Faults, times: usize) -> Vec<bool> {
        let at = call("/x", "contacts");
        let look = |_| faults.strike(Point::Call, &at).is_some();
        (0..times).map(look).collect()
    }

    #[test]
    fn the_same_seed_meets_the_same_faults() {
        let of = |seed| {
            let faults = Faults::new(Crm::HubSpot, seed);
            faults.set(&[Switch::of(Fault::Locked).rate(0.3)]);
            struck(&faults, 200)
        };
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
        let share = of(3).iter().filter(|hit| **hit).count();
        assert!((30..90).contains(&share), "{share} of 200");
    }

    #[test]
    fn a_burst_strikes_in_a_row_and_times_ends_it() {
        let faults = Faults::new(Crm::HubSpot, 1);
        faults.set(&[Switch::of(Fault::Locked).times(3)]);
        assert_eq!(struck(&faults, 5), [true, true, true, false, false]);
        faults.set(&[Switch::of(Fault::Locked).rate(0.05).burst(4)]);
        let hits = struck(&faults, 400);
        let first = hits.iter().position(|hit| *hit).unwrap();
        assert_eq!(hits[first..first + 4], [true; 4]);
        assert_eq!(faults.counts().by_family["value"], 0);
        assert!(faults.counts().by_family["outage"] >= 4);
    }

    #[test]
    fn a_target_and_the_side_decide_who_is_struck() {
        let faults = Faults::new(Crm::Salesforce, 1);
        faults.set(&[
            Switch::of(Fault::Locked),
            Switch {
                side: Some(Crm::HubSpot),
                ..Switch::of(Fault::Refused)
            },
            Switch {
                path: Some("/composite".to_owned()),
                ..Switch::of(Fault::LostReply).object("Contact")
            },
        ]);
        assert_eq!(faults.switches().len(), 1, "the others are not its own");
        let hit = |path, object| faults.strike(Point::Call, &call(path, object)).is_some();
        assert!(hit("/data/composite/sobjects", "contact"));
        assert!(!hit("/data/query", "Contact"));
        assert!(!hit("/data/composite/sobjects", "Lead"));
    }

    #[test]
    fn a_standing_condition_is_the_same_at_every_look() {
        let faults = Faults::new(Crm::HubSpot, 5);
        faults.set(&[Switch::of(Fault::RecordHidden).rate(0.5)]);
        let hidden = |id: &str| faults.stands(Fault::RecordHidden, "contacts", id, "");
        let ids: Vec<String> = (0..50).map(|nth| nth.to_string()).collect();
        let first: Vec<bool> = ids.iter().map(|id| hidden(id)).collect();
        let again: Vec<bool> = ids.iter().map(|id| hidden(id)).collect();
        assert_eq!(first, again);
        assert!(first.contains(&true) && first.contains(&false));
    }
}
