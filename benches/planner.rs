//! How many rule decisions one core makes per second, against a floor in the same run.
//!
//! The floor compares the same four values with `==` and nothing else, which no planner can beat;
//! the ratio of the two stays comparable from machine to machine. Run with
//! `cargo bench --bench planner`; the target is a million decisions per second.

use divan::{Bencher, black_box, counter::ItemsCount};
use tandem::merge::{self, RuleInput};
use tandem::model::{
    Blank, BySide, Conflict, Direction, FirstSync, Policy, Side, Tolerance, Value,
};

fn main() {
    divan::main();
}

/// Rules per link, as in the shipped mapping of contacts.
const RULES: usize = 20;
const LINKS: usize = 500;

fn policy(conflict: Conflict) -> Policy {
    Policy {
        direction: Direction::Both,
        conflict,
        first_sync: FirstSync::FillBlanks(Some(Side::Salesforce)),
        enforce: false,
        once: false,
        blank: Blank::Travels,
        tolerances: vec![Tolerance::Case],
    }
}

/// Nobody moved; one side moved; both moved: what share of rules did what.
#[derive(Clone, Copy, Debug)]
enum Mix {
    /// A full scan: nothing changed.
    Quiet,
    /// A working day: one rule of each link moved.
    Edited,
    /// The worst case: every rule is a conflict.
    Conflicts,
}

fn inputs(policy: &Policy, mix: Mix) -> Vec<RuleInput<'_>> {
    (0..LINKS * RULES)
        .map(|number| {
            let base = Value::text(format!("value number {number}"));
            let moved = |who: &str| Value::text(format!("value number {number} of {who}"));
            let (hubspot, salesforce) = match mix {
                Mix::Edited if number % RULES == 0 => (moved("HubSpot"), base.clone()),
                Mix::Quiet | Mix::Edited => (base.clone(), base.clone()),
                Mix::Conflicts => (moved("HubSpot"), moved("Salesforce")),
            };
            let now = BySide::new(Ok(hubspot.clone()), Ok(salesforce.clone()));
            let carried = BySide::new(Ok(salesforce), Ok(hubspot));
            let mut input =
                RuleInput::new(format!("rule_{}", number % RULES), policy, now, carried);
            input.base = Some(BySide::new(base.clone(), base));
            input
        })
        .collect()
}

#[divan::bench(args = [Mix::Quiet, Mix::Edited, Mix::Conflicts])]
fn floor(bencher: Bencher<'_, '_>, mix: Mix) {
    let policy = policy(Conflict::Wins(Side::Salesforce));
    let inputs = inputs(&policy, mix);
    bencher
        .counter(ItemsCount::new(inputs.len()))
        .bench_local(|| {
            let equal = |input: &RuleInput<'_>, side: Side| {
                let base = input.base.as_ref().map(|base| base.get(side));
                let now = input.now.get(side).as_ref().ok();
                (base == now, input.carried.get(side).as_ref().ok() == now)
            };
            for input in black_box(&inputs) {
                black_box((equal(input, Side::HubSpot), equal(input, Side::Salesforce)));
            }
        });
}

#[divan::bench(args = [Mix::Quiet, Mix::Edited, Mix::Conflicts])]
fn decide(bencher: Bencher<'_, '_>, mix: Mix) {
    let policy = policy(Conflict::Wins(Side::Salesforce));
    let inputs = inputs(&policy, mix);
    bencher
        .counter(ItemsCount::new(inputs.len()))
        .bench_local(|| {
            for input in black_box(&inputs) {
                black_box(merge::decide(input));
            }
        });
}

#[divan::bench(args = [Mix::Quiet, Mix::Edited, Mix::Conflicts])]
fn plan(bencher: Bencher<'_, '_>, mix: Mix) {
    let policy = policy(Conflict::Wins(Side::Salesforce));
    let inputs = inputs(&policy, mix);
    bencher
        .counter(ItemsCount::new(inputs.len()))
        .bench_local(|| {
            for link in black_box(&inputs).chunks(RULES) {
                black_box(merge::plan(link));
            }
        });
}

#[divan::bench]
fn union_of_sets(bencher: Bencher<'_, '_>) {
    let policy = policy(Conflict::Union);
    let set = |from: usize| Value::Set((from..from + 8).map(|n| format!("option {n}")).collect());
    let now = BySide::new(Ok(set(1)), Ok(set(2)));
    let carried = BySide::new(Ok(set(2)), Ok(set(1)));
    let mut input = RuleInput::new("interests", &policy, now, carried);
    input.base = Some(BySide::new(set(0), set(0)));
    bencher
        .counter(ItemsCount::new(1_usize))
        .bench_local(|| merge::decide(black_box(&input)));
}
