//! How two revisions of the mappings differ: the same records and values under both.

use std::collections::BTreeMap;

use super::behaviour::Difference;
use super::laws::{Sent, laws};
use super::play::play;
use super::read::Suite;
use crate::mapping::{Bound, References};
use crate::model::{Bases, BySide, MappingName, Side};
use crate::pipeline::Site;
use crate::sync::Given;

/// Something that behaves differently under the two revisions. In its differences, `expected` is
/// what the other revision does and `found` what this one does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    pub mapping: MappingName,
    /// The case, the pair or the value it shows with.
    pub with: String,
    pub differences: Vec<Difference>,
}

/// A pair as the store knows it: what both sides held when they last agreed.
#[derive(Clone, Debug)]
pub struct Recorded {
    pub mapping: MappingName,
    pub name: String,
    pub bases: Bases,
    pub references: References,
}

/// What was compared, and where it differs.
#[derive(Clone, Debug, Default)]
pub struct Compared {
    pub cases: usize,
    pub values: usize,
    pub pairs: usize,
    pub moved: Vec<Moved>,
    /// Mappings that only one revision has.
    pub only: Vec<String>,
}

/// Compares `now` with `then`. Each has its own reading of the case files, in the same order.
pub fn compare(
    (now, suites): (&Site, &[Suite]),
    (then, suites_then): (&Site, &[Suite]),
    recorded: &[Recorded],
) -> Compared {
    let mut compared = Compared::default();
    for (one, other, which) in [(now, then, "new"), (then, now, "gone")] {
        let names = one.mappings.keys();
        let lone = names.filter(|name| !other.mappings.contains_key(*name));
        compared
            .only
            .extend(lone.map(|name| format!("{name} is {which}")));
    }
    let both: BTreeMap<&MappingName, (&Bound, &Bound)> = now
        .mappings
        .iter()
        .filter_map(|(name, bound)| Some((name, (bound, then.mappings.get(name)?))))
        .collect();
    for (suite, before) in suites.iter().zip(suites_then) {
        let Some((bound, bound_then)) = both.get(&suite.mapping) else {
            continue;
        };
        for (case, case_then) in suite.cases.iter().zip(&before.cases) {
            let found = play(now, bound, case.given(bound)).behaviour;
            let was = play(then, bound_then, case_then.given(bound_then)).behaviour;
            compared.cases += 1;
            moved(
                &mut compared,
                &suite.mapping,
                &case.name,
                was.differences(&found),
            );
        }
    }
    for pair in recorded {
        let Some((bound, bound_then)) = both.get(&pair.mapping) else {
            continue;
        };
        let found = play(now, bound, given(bound, pair)).behaviour;
        let was = play(then, bound_then, given(bound_then, pair)).behaviour;
        compared.pairs += 1;
        moved(
            &mut compared,
            &pair.mapping,
            &pair.name,
            was.differences(&found),
        );
    }
    for (name, (bound, bound_then)) in both {
        values(&mut compared, name, laws(bound).sent, laws(bound_then).sent);
    }
    compared
}

fn moved(compared: &mut Compared, mapping: &MappingName, with: &str, found: Vec<Difference>) {
    if !found.is_empty() {
        compared.moved.push(Moved {
            mapping: mapping.clone(),
            with: with.to_owned(),
            differences: found,
        });
    }
}

/// Values of rules that both revisions have.
fn values(compared: &mut Compared, mapping: &MappingName, now: Vec<Sent>, then: Vec<Sent>) {
    let place = |sent: &Sent| (sent.rule.clone(), sent.from, sent.value.clone());
    let then: BTreeMap<(String, Side, String), String> = then
        .into_iter()
        .map(|sent| (place(&sent), sent.becomes))
        .collect();
    for sent in now {
        let Some(was) = then.get(&place(&sent)) else {
            continue;
        };
        compared.values += 1;
        if *was != sent.becomes {
            let with = format!("{} in {}", sent.value, sent.from.title());
            let difference = Difference {
                what: format!("rule {}", sent.rule),
                expected: was.clone(),
                found: sent.becomes,
            };
            moved(compared, mapping, &with, vec![difference]);
        }
    }
}

/// Both records as they were agreed; a field that no agreement covers is blank.
fn given(bound: &Bound, pair: &Recorded) -> Given {
    let sides = BySide::from_fn(|side| {
        let mut fields = bound.blank_record(side);
        for halves in pair.bases.values() {
            fields.extend(halves.sides.get(side).clone());
        }
        Some(fields)
    });
    Given {
        sides,
        bases: pair.bases.clone(),
        references: pair.references.clone(),
        ..Given::default()
    }
}
