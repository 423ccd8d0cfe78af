//! Seeded random walks: users edit, replies get lost, the process dies, and in the end both sides
//! agree and every edit can be accounted for.

use std::collections::{BTreeMap, BTreeSet};

use tandem::app::Step;
use tandem::model::Raw;
use tandem::store::JournalFilter;

use crate::world::{Setup, World};
use crate::{CREATES, KEYED, PEOPLE, UPDATES, WRITES};

const WALKS: u64 = 16;
const MOVES: u32 = 60;
const FIELDS: [(&str, &str); 4] = [
    ("firstname", "FirstName"),
    ("lastname", "LastName"),
    ("jobtitle", "Title"),
    ("phone", "Phone"),
];
const FILES: [&str; 2] = ["memory", "file"];

struct Walk {
    world: World,
    rng: fastrand::Rng,
    next: u32,
    /// Every value a user typed, with the record and field it went into.
    typed: Vec<(String, String)>,
    /// Values that a later edit of the same user interface replaced knowingly.
    replaced: BTreeSet<String>,
}

impl Walk {
    fn value(&mut self, field: &str) -> String {
        self.next += 1;
        match field {
            "phone" => format!("+1415555{:04}", self.next),
            _ => format!("v{}", self.next),
        }
    }

    fn edit(&mut self) {
        let (here, there) = FIELDS[self.rng.usize(..FIELDS.len())];
        let value = self.value(here);
        let people = self.world.hubspot_ids("contacts");
        let contacts = self.world.salesforce_ids("Contact");
        if self.rng.bool() {
            let Some(id) = self.rng.choice(people) else {
                return;
            };
            self.replaced.insert(self.world.hs("contacts", &id, here));
            self.world.edit_hubspot("contacts", &id, &[(here, &value)]);
        } else {
            let Some(id) = self.rng.choice(contacts) else {
                return;
            };
            self.replaced.insert(self.world.sf("Contact", &id, there));
            self.world
                .edit_salesforce("Contact", &id, &[(there, &value)]);
        }
        self.typed.push((here.to_owned(), value));
    }

    fn add(&mut self) {
        self.next += 1;
        let email = format!("p{}@example.com", self.next);
        if self.rng.bool() {
            let properties = [("email", email.as_str()), ("lastname", "New")];
            self.world.add_hubspot("contacts", &properties);
        } else {
            let fields = [("Email", email.as_str()), ("LastName", "New")];
            self.world.add_salesforce("Contact", &fields);
        }
    }

    /// Something happens to a request that may or may not come.
    fn disturb(&mut self) {
        let (wire, method, path) = match self.rng.u8(..4) {
            0 => (&self.world.to_salesforce, "PATCH", WRITES),
            1 => (&self.world.to_salesforce, "PATCH", KEYED),
            2 => (&self.world.to_hubspot, "POST", UPDATES),
            _ => (&self.world.to_hubspot, "POST", CREATES),
        };
        match self.rng.u8(..2) {
            0 => wire.lose_reply(method, path),
            _ => wire.lose_request(method, path),
        }
    }

    async fn go(&mut self) {
        for _ in 0..MOVES {
            match self.rng.u8(..20) {
                0..6 => self.edit(),
                6..8 => self.add(),
                8..10 => self.disturb(),
                10 => self.world.crash().await,
                11..13 => self.world.engine().poll_now().await.unwrap(),
                13 => self.world.pass(self.rng.i64(1..180) * 1_000),
                _ => {
                    if let Step::Wait(_) = self.world.step().await {
                        self.world.pass(self.rng.i64(1..15) * 1_000);
                    }
                }
            }
        }
        self.world.to_hubspot.forget();
        self.world.to_salesforce.forget();
        for _ in 0..3 {
            self.world.settle().await;
        }
    }

    /// Every value that was lost by name, or written over by a write that said so.
    async fn accounted(&self) -> BTreeSet<String> {
        let texts = |fields: &BTreeMap<String, Raw>| -> Vec<String> {
            let texts = fields.values().filter_map(Raw::as_text);
            texts.map(str::to_owned).collect()
        };
        let mut found = BTreeSet::new();
        for conflict in self.world.conflicts().await {
            found.extend(texts(&conflict.loser));
        }
        let filter = JournalFilter {
            limit: 100_000,
            ..JournalFilter::default()
        };
        let page = self
            .world
            .store
            .journal_page(&self.world.workspace, &filter)
            .await;
        for entry in page.unwrap() {
            found.extend(entry.loser.iter().flat_map(texts));
        }
        found
    }

    async fn judge(&mut self, seed: u64) {
        let pairs = self.world.pairs().await;
        let (people, contacts) = (
            self.world.hubspot_ids("contacts"),
            self.world.salesforce_ids("Contact"),
        );
        let (letters, links) = (self.world.letters().await, self.world.links().await);
        assert!(letters.is_empty(), "seed {seed}: {letters:#?}");
        let sizes = (people.len(), contacts.len());
        assert_eq!(sizes, (pairs.len(), pairs.len()), "seed {seed}: {links:#?}");
        assert!(
            self.world.holds().await.is_empty(),
            "seed {seed}: {:?}",
            self.world.holds().await
        );
        let mut visible = BTreeSet::new();
        for (person, contact) in &pairs {
            for (here, there) in FIELDS {
                let one = self.world.hs("contacts", person, here);
                let two = self.world.sf("Contact", contact, there);
                assert_eq!(one, two, "seed {seed}: {here} of {person} and {contact}");
                visible.insert(one);
            }
        }
        let accounted = self.accounted().await;
        for (field, value) in &self.typed {
            assert!(
                visible.contains(value)
                    || accounted.contains(value)
                    || self.replaced.contains(value),
                "seed {seed}: the edit {value} of {field} is lost without a name"
            );
        }
        self.world.assert_quiet_but_for_repeats().await;
    }
}

async fn walk(seed: u64, place: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = (place == "file").then(|| folder.path().join("tandem.db"));
    let mut world = World::new(Setup {
        file,
        ..Setup::with(&[PEOPLE])
    })
    .await;
    for nth in 0..3 {
        let email = format!("seed{nth}@example.com");
        world.add_hubspot(
            "contacts",
            &[("email", &email), ("lastname", "S"), ("jobtitle", "A")],
        );
        let fields = [
            ("Email", email.as_str()),
            ("LastName", "S"),
            ("FirstName", "B"),
        ];
        world.add_salesforce("Contact", &fields);
    }
    world.open().await;
    let mut walk = Walk {
        world,
        rng: fastrand::Rng::with_seed(seed),
        next: 0,
        typed: Vec::new(),
        replaced: BTreeSet::new(),
    };
    walk.go().await;
    walk.judge(seed).await;
}

#[tokio::test]
async fn random_edits_losses_and_crashes_end_in_agreement_with_every_edit_accounted_for() {
    let walks: u64 = std::env::var("TANDEM_TEST_WALKS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(WALKS);
    for seed in 0..walks {
        let place = FILES[usize::from(seed % 8 == 0)];
        walk(seed, place).await;
    }
}
