//! Seeded trials of plans carried out after further edits, and of runs that are taken back.
//!
//! One world lives through all trials of a test; each begins at rest. `TANDEM_TEST_TRIALS` asks for
//! another number of them, `TANDEM_TEST_SEED` for another seed.

use std::collections::{BTreeMap, BTreeSet};

use tandem::clock::Chance;
use tandem::model::{PlannedWrite, RunId, Side};
use tandem::sync::{Fate, Mode};

use crate::PEOPLE;
use crate::planned::{apply, run};
use crate::undo::{of_run, take_back};
use crate::world::{Setup, World};

const TRIALS: u64 = 25;
const PAIRS: usize = 6;
const BUSY: usize = 3;
/// The same value on both sides: a property of HubSpot's and a field of Salesforce's.
const FIELDS: [(&str, &str); 3] = [
    ("firstname", "FirstName"),
    ("jobtitle", "Title"),
    ("lastname", "LastName"),
];

/// Which field of which record: side, id, and the number of the field.
type Place = (Side, String, usize);

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
}

struct Trials {
    world: World,
    chance: Chance,
    /// Makes every typed value a new one.
    typed: u64,
}

impl Trials {
    async fn new() -> Self {
        let mut world = World::new(Setup::with(&[PEOPLE])).await;
        for nth in 0..PAIRS {
            let mail = format!("p{nth}@example.com");
            let person = [("email", mail.as_str()), ("lastname", "Lind")];
            world.add_hubspot("contacts", &person);
            world.add_salesforce("Contact", &[("Email", mail.as_str()), ("LastName", "Lind")]);
        }
        world.open().await;
        world.settle().await;
        Self {
            world,
            chance: Chance::seeded(number("TANDEM_TEST_SEED", 1)),
            typed: 0,
        }
    }

    fn below(&self, most: usize) -> usize {
        usize::try_from(self.chance.below(most as u64)).unwrap()
    }

    /// Somebody types into up to `most` fields, on either side; where.
    async fn edits(&mut self, most: usize) -> BTreeSet<Place> {
        let pairs = self.world.pairs().await;
        let mut places = BTreeSet::new();
        for _ in 0..self.below(most + 1) {
            // Few pairs, so that people often meet what was planned or written.
            let (hubspot, salesforce) = &pairs[self.below(pairs.len().min(BUSY))];
            let field = self.below(FIELDS.len());
            self.typed += 1;
            // Now and then two people type the same.
            let value = format!("v{}", self.typed / 2 * 2);
            let place = if self.chance.below(2) == 0 {
                let edit = [(FIELDS[field].0, value.as_str())];
                self.world.edit_hubspot("contacts", hubspot, &edit);
                (Side::HubSpot, hubspot.clone(), field)
            } else {
                let edit = [(FIELDS[field].1, value.as_str())];
                self.world.edit_salesforce("Contact", salesforce, &edit);
                (Side::Salesforce, salesforce.clone(), field)
            };
            places.insert(place);
        }
        if self.chance.below(8) == 0 {
            let mail = format!("new{}@example.com", self.typed);
            self.typed += 1;
            let person = [("email", mail.as_str()), ("lastname", "New")];
            self.world.add_hubspot("contacts", &person);
        }
        self.world.pass(60_000);
        places
    }

    /// All that both CRMs hold of the fields.
    fn state(&self) -> BTreeMap<Place, String> {
        let mut state = BTreeMap::new();
        for (field, (property, name)) in FIELDS.iter().enumerate() {
            for id in self.world.hubspot_ids("contacts") {
                let value = self.world.hs("contacts", &id, property);
                state.insert((Side::HubSpot, id, field), value);
            }
            for id in self.world.salesforce_ids("Contact") {
                let value = self.world.sf("Contact", &id, name);
                state.insert((Side::Salesforce, id, field), value);
            }
        }
        state
    }

    /// Every change between the two states is one of the planned writes, or of a planned record.
    fn only_planned(
        &self,
        before: &BTreeMap<Place, String>,
        after: &BTreeMap<Place, String>,
        plan: &[PlannedWrite],
        nth: u64,
    ) {
        for (place, value) in after {
            let new_and_blank = !before.contains_key(place) && value.is_empty();
            if before.get(place) == Some(value) || new_and_blank {
                continue;
            }
            let (side, id, field) = place;
            let name = [FIELDS[*field].0, FIELDS[*field].1][usize::from(*side != Side::HubSpot)];
            let sends = |row: &&PlannedWrite| {
                let of = row
                    .record
                    .as_ref()
                    .is_none_or(|record| record.as_str() == id);
                let now = row.after.get(name).and_then(|raw| raw.as_text());
                row.side == *side && of && now == Some(value.as_str())
            };
            assert!(
                plan.iter().any(|row| sends(&row)),
                "trial {nth}: {place:?} became {value:?}, which nobody planned: {plan:#?}"
            );
        }
        assert!(before.keys().all(|place| after.contains_key(place)));
    }

    /// Both sides agree, or a hold says why not.
    async fn agree(&mut self, nth: u64) {
        if !self.world.is_open() {
            self.world.open().await;
        }
        self.world.settle().await;
        self.world.scan().await;
        self.world.settle().await;
        let held: BTreeSet<String> = self
            .world
            .holds()
            .await
            .into_iter()
            .map(|h| h.rule)
            .collect();
        for (hubspot, salesforce) in self.world.pairs().await {
            for (property, name) in FIELDS {
                let (here, there) = (
                    self.world.hs("contacts", &hubspot, property),
                    self.world.sf("Contact", &salesforce, name),
                );
                assert!(
                    here == there || held.contains(property),
                    "trial {nth}: {property} is {here:?} and {there:?}"
                );
            }
        }
        // Trials are apart, so that nothing looks as if it went back and forth.
        self.world.pass(7 * 3_600_000);
        assert_eq!(self.world.noop_writes(), 0, "trial {nth}");
        self.world.assert_nothing_open().await;
    }
}

/// The plan of a run, in place: what it marked is found again by what carries the plan out.
async fn plan(world: &mut World) -> Vec<PlannedWrite> {
    run(world, Mode::Observe, |world| {
        let planned = &world.engine().tally().planned;
        planned.rows().cloned().collect()
    })
    .await
}

#[tokio::test]
async fn a_plan_writes_nothing_but_itself_whatever_people_did_since() {
    let mut trials = Trials::new().await;
    let mut written = 0;
    let mut moved = 0;
    for nth in 0..number("TANDEM_TEST_TRIALS", TRIALS) {
        trials.edits(5).await;
        let planned = plan(&mut trials.world).await;
        trials.edits(3).await;
        let before = trials.state();
        let rows = apply(&mut trials.world, &planned).await;
        let after = trials.state();
        trials.only_planned(&before, &after, &planned, nth);
        for row in rows.iter().filter(|row| row.write.says()) {
            match &row.fate {
                Fate::Written => written += 1,
                Fate::Moved(_) => moved += 1,
                Fate::Already => {}
                other => panic!("trial {nth}: {other:?} for {:#?}", row.write),
            }
        }
        let writes = trials.world.api_writes();
        let rows = apply(&mut trials.world, &planned).await;
        assert_eq!(
            trials.world.api_writes(),
            writes,
            "trial {nth}: twice applied"
        );
        let wrote = rows.iter().any(|row| row.fate == Fate::Written);
        assert!(!wrote, "trial {nth}");
        trials.agree(nth).await;
    }
    assert!(written > 0 && moved > 0, "{written} written, {moved} moved");
}

#[tokio::test]
async fn a_run_that_is_taken_back_leaves_what_was_there_and_what_came_later() {
    let mut trials = Trials::new().await;
    let mut back = 0;
    let mut spared = 0;
    for nth in 0..number("TANDEM_TEST_TRIALS", TRIALS) {
        trials.world.close().await;
        trials.edits(5).await;
        let before = trials.state();
        trials.world.open().await;
        let id: RunId = trials.world.engine().site().run.clone();
        trials.world.settle().await;
        let synced = trials.state();
        let later = if nth % 2 == 0 {
            BTreeSet::new()
        } else {
            trials.edits(3).await
        };
        let edited = trials.state();
        let undo = of_run(&trials.world, &id);
        let (rows, _) = take_back(&mut trials.world, &undo).await;
        let after = trials.state();
        for (place, value) in &after {
            let wrote = before.contains_key(place) && before.get(place) != synced.get(place);
            // Whoever types what is there already changes nothing that anybody could see.
            let touched = edited.get(place) != synced.get(place);
            if wrote && !touched {
                assert_eq!(
                    Some(value),
                    before.get(place),
                    "trial {nth}: {place:?}: {rows:#?}"
                );
                back += 1;
            } else {
                assert_eq!(
                    Some(value),
                    edited.get(place),
                    "trial {nth}: {place:?}: {rows:#?}"
                );
                spared += u64::from(wrote);
            }
        }
        let writes = trials.world.api_writes();
        trials.world.open().await;
        trials.world.settle().await;
        trials.world.scan().await;
        trials.world.settle().await;
        if later.is_empty() && trials.state().len() == after.len() {
            assert_eq!(trials.world.api_writes(), writes, "trial {nth}: an echo");
        }
        trials.agree(nth).await;
    }
    assert!(
        back > 0 && spared > 0,
        "{back} went back, {spared} were spared"
    );
}
