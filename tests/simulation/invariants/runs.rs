//! I22, I23 and I25: what a run leaves behind, and what two runs have in common.

use super::Rest;
use crate::shots::Shots;
use crate::stage::Stage;

/// Written into a property that no mapping names.
pub const UNMAPPED: &str = "unmapped-and-private";

/// I22. Otherwise whoever reads a dead letter reads a password, or what was none of our business.
pub fn nothing_secret_is_kept(_: &mut Stage, rest: &Rest) -> Result<(), String> {
    let secrets = ["pat-na1-", "sim-client-secret", "Bearer ", UNMAPPED];
    let text = format!(
        "{:?}{:?}{:?}{:?}",
        rest.letters, rest.holds, rest.conflicts, rest.journal
    );
    match secrets.into_iter().find(|secret| text.contains(secret)) {
        Some(secret) => Err(format!("`{secret}` is in what is kept for people")),
        None => Ok(()),
    }
}

/// I23. Otherwise a failure that was found once cannot be found again.
pub fn same_seed_same_trace(seed: u64, first: u64, second: u64) -> Result<(), String> {
    if first == second {
        return Ok(());
    }
    Err(format!(
        "seed {seed} went two ways: {first:016x} and {second:016x}"
    ))
}

/// I25. Otherwise who wins depends on what happened to be slow that day.
pub fn same_edits_same_end(first: &Shots, second: &Shots) -> Result<(), String> {
    let ends = |shots: &Shots| {
        let rows = shots
            .0
            .iter()
            .map(|((side, _), shot)| (*side, shot.fields.clone()));
        let mut rows: Vec<_> = rows.collect();
        rows.sort();
        rows
    };
    let (first, second) = (ends(first), ends(second));
    if first == second {
        return Ok(());
    }
    Err(format!(
        "the same edits ended in\n{first:#?}\nand in\n{second:#?}"
    ))
}
