//! The invariants by name: one function each, asked after each commit and each write, or at rest.

pub mod agreement;
pub mod deletes;
pub mod pairs;
pub mod runs;
pub mod work;

use tandem::model::{Hold, Intent, Link, RecordId, Side};
use tandem::store::{Claimed, ConflictRow, DeadLetter, JournalEntry};

use crate::mirror::Pending;
use crate::shots::{Difference, Place, Shots};
use crate::stage::Stage;

/// How the world stands once nothing is left to do.
pub struct Rest {
    pub shots: Shots,
    pub links: Vec<Link>,
    pub holds: Vec<Hold>,
    pub conflicts: Vec<ConflictRow>,
    pub letters: Vec<DeadLetter>,
    pub journal: Vec<JournalEntry>,
    pub queue: Vec<Claimed>,
    pub intents: Vec<Intent>,
    /// Commits about pairs that the last full scan led to although polls had looked.
    pub missed: u64,
    /// Before that scan a record waited for a person because of another one that it met.
    pub rivals: bool,
    /// Writes that followed when every record was asked for once more.
    pub idle_writes: u64,
}

impl Rest {
    /// An open dead letter about this link or one of its records.
    pub fn letter_of(&self, link: &Link) -> Option<&DeadLetter> {
        self.letters.iter().find(|letter| {
            letter.link.as_ref() == Some(&link.id)
                || Side::BOTH.into_iter().any(|side| {
                    let id = link.records.get(side).as_ref().map_or("", RecordId::as_str);
                    letter.task.side() == side && letter.task.record_id() == id
                })
        })
    }
}

pub fn holds_record(link: &Link, side: Side, id: &str) -> bool {
    link.records
        .get(side)
        .as_ref()
        .is_some_and(|own| own.as_str() == id)
}

/// What must hold of everything that becomes durable.
pub fn at_commit(stage: &mut Stage, pending: &Pending) {
    let found = agreement::nothing_is_written_in_vain(stage, pending);
    stage.check("I2", found);
    let found = agreement::bases_were_held(stage, pending);
    stage.check("I4", found);
    let found = pairs::nobody_commits_under_an_old_lease(stage, pending);
    stage.check("I5", found);
    let found = pairs::one_open_intent(stage, pending);
    stage.check("I5", found);
    let found = pairs::one_open_link(stage, pending);
    stage.check("I6", found);
}

/// What must hold of everything that reaches a CRM.
pub fn at_write(stage: &mut Stage, before: &Shots, after: &Shots, difference: &Difference) {
    if !difference.created.is_empty() {
        let found = pairs::one_copy(after);
        stage.check("I7", found);
        let found = pairs::copies_carry_their_key(after, &difference.created);
        stage.check("I7", found);
    }
    for place in &difference.deleted {
        let found = deletes::proven_allowed_and_few(stage, place);
        stage.check("I10", found);
        let found = deletes::edit_beats_delete(stage, before, place);
        stage.check("I24", found);
    }
}

/// What must hold once nothing is left to do.
pub fn at_rest(stage: &mut Stage, rest: &Rest) {
    type Check = fn(&mut Stage, &Rest) -> Result<(), String>;
    let checks: [(&'static str, Check); 14] = [
        ("I1", agreement::both_sides_agree),
        ("I1", agreement::both_sides_name_one_parent),
        ("I3", agreement::no_edit_is_lost),
        ("I4", agreement::first_contact_ends_in_a_base),
        ("I5", pairs::no_intent_stays_open),
        ("I7", pairs::nobody_is_copied_twice),
        ("I8", work::polls_miss_nothing),
        ("I8", work::nobody_is_left_out),
        ("I11", work::only_the_one_at_fault_waits),
        ("I12", work::one_place_at_a_time),
        ("I14", work::within_the_limits),
        ("I15", work::few_writes),
        ("I16", work::replay_writes_nothing),
        ("I22", runs::nothing_secret_is_kept),
    ];
    for (name, check) in checks {
        let found = check(stage, rest);
        stage.check(name, found);
    }
    let found = work::at_peace(rest);
    stage.check("I17", found);
}

pub fn place_text(place: &Place) -> String {
    format!("{} {}", place.0, place.1)
}
