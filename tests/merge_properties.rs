//! The merge judged at random: one base disturbed twice, decided and carried out until quiet.
//!
//! Small worlds with few values, since most faults need two edits to meet. Each world is made
//! from its number alone; a failure prints the number and what happened. What must hold is in
//! `World::check` and `World::quiet`: the sides agree in the end or the rule says why not, no
//! write is without effect, no value is destroyed unnamed, and nothing is decided twice.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use tandem::merge::{self, Agreement, Decision, Reason, RuleInput, Settled};
use tandem::model::{
    Blank, BySide, Conflict, Direction, FirstSync, HoldReason, Policy, Problem, Side, Timestamp,
    Tolerance, Value,
};

const WORLDS: u64 = 120_000;
const ROUNDS_TO_FIXPOINT: usize = 50;

/// How the two sides' values correspond.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Terms {
    Same,
    /// Salesforce lower-cases what it is given.
    Lower,
    /// Two HubSpot values share one Salesforce value, and each side has one of its own.
    Table,
    Sets,
    /// Sets, with an element on each side that the other does not know and that is dropped.
    SetsWithStrangers,
}

const TERMS: [Terms; 5] = [
    Terms::Same,
    Terms::Lower,
    Terms::Table,
    Terms::Sets,
    Terms::SetsWithStrangers,
];

/// What a cell holds: a value, or something that cannot be read as one.
type Cell = Option<Value>;

#[derive(Debug)]
struct World {
    terms: Terms,
    policy: Policy,
    rule_changed: bool,
    base: Option<BySide<Value>>,
    now: BySide<Cell>,
    held: Option<BySide<Cell>>,
    modified: BySide<Option<Timestamp>>,
    unmoved_until: Option<Timestamp>,
    /// The sides were left apart on purpose when the base was last taken.
    kept: bool,
}

fn problem(reason: HoldReason) -> Problem {
    Problem {
        reason,
        detail: "made up".to_owned(),
    }
}

fn pick<T: Clone>(rng: &mut Rng, from: &[T]) -> T {
    from[rng.usize(..from.len())].clone()
}

fn any_side(rng: &mut Rng) -> Side {
    pick(rng, &Side::BOTH)
}

fn any_policy(rng: &mut Rng, terms: Terms) -> Policy {
    let sets = matches!(terms, Terms::Sets | Terms::SetsWithStrangers);
    let order = ["a", "b", "A", "B"].map(str::to_owned);
    let side = any_side(rng);
    Policy {
        direction: pick(
            rng,
            &[Direction::Both, Direction::Both, Direction::To(side)],
        ),
        conflict: match rng.u8(..6) {
            0 | 1 => Conflict::Wins(side),
            2 => Conflict::Ask,
            3 => Conflict::Newest { tie: side },
            _ if sets => Conflict::Union,
            _ => Conflict::Ratchet(order[..rng.usize(1..=4)].to_vec()),
        },
        first_sync: match rng.u8(..5) {
            0 => FirstSync::Wins(side),
            1 => FirstSync::Ask,
            2 => FirstSync::Newest { tie: side },
            3 => FirstSync::FillBlanks(None),
            _ => FirstSync::FillBlanks(Some(side)),
        },
        enforce: rng.u8(..4) == 0,
        once: rng.u8(..6) == 0,
        blank: pick(rng, &[Blank::Travels, Blank::Travels, Blank::Keep]),
        tolerances: if rng.bool() {
            vec![Tolerance::Case]
        } else {
            Vec::new()
        },
    }
}

fn any_value(rng: &mut Rng, terms: Terms, side: Side) -> Value {
    let texts: &[&str] = match (terms, side) {
        (Terms::Same, _) | (Terms::Lower, Side::HubSpot) => &["a", "A", "b", "B"],
        (Terms::Lower, Side::Salesforce) => &["a", "b"],
        (Terms::Table, Side::HubSpot) => &["a", "b", "c", "only-h"],
        (Terms::Table, Side::Salesforce) => &["x", "z", "only-s"],
        (Terms::Sets, _) => &["p", "q", "r"],
        (Terms::SetsWithStrangers, Side::HubSpot) => &["p", "q", "only-h"],
        (Terms::SetsWithStrangers, Side::Salesforce) => &["p", "q", "only-s"],
    };
    match terms {
        Terms::Sets | Terms::SetsWithStrangers => {
            let chosen: BTreeSet<String> = texts
                .iter()
                .filter(|_| rng.bool())
                .map(|text| (*text).to_owned())
                .collect();
            if chosen.is_empty() && rng.bool() {
                Value::Null
            } else {
                Value::Set(chosen)
            }
        }
        Terms::Same | Terms::Lower | Terms::Table if rng.u8(..5) == 0 => Value::Null,
        Terms::Same | Terms::Lower | Terms::Table => Value::text(pick(rng, texts)),
    }
}

fn any_cell(rng: &mut Rng, terms: Terms, side: Side) -> Cell {
    (rng.u8(..40) != 0).then(|| any_value(rng, terms, side))
}

/// One value in the other side's terms, as a mapping would give it. `there` is what that side
/// holds: a value that already means the same is kept.
fn carry(terms: Terms, to: Side, value: &Value, there: &Cell) -> Result<Value, Problem> {
    let forward = |text: &str| match text {
        "a" | "b" => Some("x"),
        "c" => Some("z"),
        _ => None,
    };
    let back = |text: &str| match text {
        "x" => Some("a"),
        "z" => Some("c"),
        _ => None,
    };
    match (terms, value) {
        (Terms::Table, Value::Text(text)) => {
            if let (Side::HubSpot, Some(Value::Text(present))) = (to, there)
                && forward(present) == Some(text)
            {
                return Ok(Value::text(present));
            }
            let carried = if to == Side::HubSpot {
                back(text)
            } else {
                forward(text)
            };
            carried
                .map(Value::text)
                .ok_or_else(|| problem(HoldReason::Unmapped))
        }
        (Terms::SetsWithStrangers, Value::Set(set)) => {
            let known = set.iter().filter(|text| !text.starts_with("only"));
            Ok(Value::Set(known.cloned().collect()))
        }
        _ => Ok(value.clone()),
    }
}

/// What a side makes of a value it is given.
fn stored(terms: Terms, side: Side, value: &Value) -> Value {
    match (terms, side, value) {
        (Terms::Lower, Side::Salesforce, Value::Text(text)) => Value::text(text.to_lowercase()),
        _ => value.clone(),
    }
}

impl World {
    fn new(rng: &mut Rng) -> Self {
        let terms = pick(rng, &TERMS);
        let policy = any_policy(rng, terms);
        let hubspot = any_value(rng, terms, Side::HubSpot);
        let agreed = match carry(terms, Side::Salesforce, &hubspot, &None) {
            Ok(value) if rng.u8(..4) != 0 => {
                let salesforce = stored(terms, Side::Salesforce, &value);
                Some(BySide::new(hubspot, salesforce))
            }
            Ok(_) | Err(_) => None,
        };
        let rule_changed = agreed.is_some() && rng.u8(..6) == 0;
        let base = match agreed {
            Some(_) if rule_changed => Some(BySide::from_fn(|side| any_value(rng, terms, side))),
            agreed => agreed,
        };
        let now = match &base {
            Some(base) => base.clone().map(Some),
            None => BySide::from_fn(|side| any_cell(rng, terms, side)),
        };
        let mut world = Self {
            terms,
            policy,
            rule_changed,
            base,
            now,
            held: None,
            modified: BySide::default(),
            unmoved_until: None,
            kept: false,
        };
        // Not every pair is one that this policy could have agreed on.
        if !rule_changed && merge::corresponds(&world.input()).is_none() {
            world.base = None;
        }
        world.disturb(rng);
        world
    }

    /// Up to one edit on each side.
    fn disturb(&mut self, rng: &mut Rng) {
        for side in Side::BOTH {
            if rng.u8(..5) < 3 {
                *self.now.get_mut(side) = any_cell(rng, self.terms, side);
            }
            let at = Timestamp::from_millis(rng.i64(0..12_000));
            *self.modified.get_mut(side) = (rng.u8(..4) != 0).then_some(at);
        }
        let at = Timestamp::from_millis(rng.i64(0..12_000));
        self.unmoved_until = rng.bool().then_some(at);
        if self.held.as_ref() != Some(&self.now) {
            self.held = None;
        }
    }

    fn input(&self) -> RuleInput<'_> {
        let read = |cell: &Cell| cell.clone().ok_or_else(|| problem(HoldReason::Unreadable));
        let now = BySide::from_fn(|side| read(self.now.get(side)));
        let carried = BySide::from_fn(|to| match self.now.get(to.other()) {
            Some(value) => carry(self.terms, to, value, self.now.get(to)),
            None => Err(problem(HoldReason::Unreadable)),
        });
        let mut input = RuleInput::new("rule", &self.policy, now, carried);
        input.base = self.base.clone();
        input.carried_base = self.base.as_ref().and_then(|base| {
            let half = |to: Side| carry(self.terms, to, base.get(to.other()), &None).ok();
            Some(BySide::new(half(Side::HubSpot)?, half(Side::Salesforce)?))
        });
        input.rule_changed = self.rule_changed;
        input.held = self.held.as_ref().map(|_| HoldReason::Ask);
        input.modified = self.modified;
        input.unmoved_until = self.unmoved_until;
        input
    }

    fn advance(&mut self, base: BySide<Value>, kept: bool) {
        self.base = Some(base);
        self.rule_changed = false;
        self.held = None;
        self.kept = kept;
    }

    /// Carries a decision out as the engine would; true when something may be left to do.
    fn apply(&mut self, decision: &Decision) -> bool {
        match decision {
            Decision::Unchanged | Decision::Skip => return false,
            Decision::Agree { how } => {
                let seen = self
                    .now
                    .clone()
                    .map(|cell| cell.expect("agreement is read"));
                self.advance(seen, *how == Agreement::Kept);
            }
            Decision::Hold { .. } => self.held = Some(self.now.clone()),
            Decision::Write { values, .. } => self.write(values),
        }
        true
    }

    fn write(&mut self, values: &BySide<Option<Value>>) {
        let mut base = self
            .now
            .clone()
            .map(|cell| cell.expect("what is written over is read"));
        let mut refused = false;
        for side in Side::BOTH {
            let Some(sent) = values.get(side) else {
                continue;
            };
            let before = base.get(side).clone();
            let left = stored(self.terms, side, sent);
            let verdict = merge::settle(sent, &before, &left, true, &self.policy.tolerances);
            refused |= verdict != Settled::Applied;
            *self.now.get_mut(side) = Some(left.clone());
            *base.get_mut(side) = left;
        }
        if refused {
            self.held = Some(self.now.clone());
        } else {
            self.advance(base, matches!(self.policy.conflict, Conflict::Union));
        }
    }

    /// What must hold of one decision.
    fn check(&self, decision: &Decision) -> Result<(), String> {
        let Decision::Write { values, lost } = decision else {
            return Ok(());
        };
        if values.hubspot.is_none() && values.salesforce.is_none() {
            return Err("a write without a value".into());
        }
        for side in Side::BOTH {
            let Some(value) = values.get(side) else {
                continue;
            };
            let Some(old) = self.now.get(side) else {
                return Err(format!("{side} is written over what could not be read"));
            };
            if value == old || (value.is_blank() && old.is_blank()) {
                return Err(format!("{side} already holds {value}"));
            }
            if !self.policy.direction.allows(side) {
                return Err(format!("{side} may not be written"));
            }
            if self.policy.once && !old.is_blank() {
                return Err(format!("{side} is filled and written only once"));
            }
            if self.policy.blank == Blank::Keep && value.is_blank() {
                return Err(format!("{side} is blanked"));
            }
            self.check_lost(side, old, value, lost.as_ref())?;
        }
        Ok(())
    }

    fn check_lost(
        &self,
        side: Side,
        old: &Value,
        value: &Value,
        lost: Option<&merge::Lost>,
    ) -> Result<(), String> {
        let agreed = self.base.as_ref().map(|base| base.get(side));
        let blank_before_contact = agreed.is_none() && old.is_blank();
        let was_agreed = agreed == Some(old) && !self.rule_changed;
        if let Some(lost) = lost {
            let named = lost.loser == side && lost.value == *old;
            return if named {
                Ok(())
            } else {
                Err(format!("{old} lost as {lost:?}"))
            };
        }
        let in_base =
            |element: &String| matches!(agreed, Some(Value::Set(set)) if set.contains(element));
        let merged = self.policy.conflict == Conflict::Union
            && match (old, value) {
                (Value::Set(old), Value::Set(new)) => old
                    .iter()
                    .all(|element| new.contains(element) || in_base(element)),
                (Value::Set(old), Value::Null) => old.iter().all(in_base),
                _ => true,
            };
        // Under a changed rule a half that did not move while the other did was agreed once.
        let travelled = self.rule_changed
            && agreed.is_some_and(|half| half == old || (half.is_blank() && old.is_blank()));
        let blanks = agreed.is_some_and(Value::is_blank) && old.is_blank();
        if blank_before_contact || was_agreed || merged || blanks || travelled {
            Ok(())
        } else {
            Err(format!("{old} is lost at {side} without a name"))
        }
    }

    /// What must hold when nothing is left to do.
    fn quiet(&self, decision: &Decision, reason: Reason) -> Result<(), String> {
        let input = self.input();
        let fine = match decision {
            Decision::Unchanged => self.kept || merge::corresponds(&input).is_some(),
            Decision::Skip => match reason {
                Reason::Held => self.held.is_some(),
                Reason::Drift => self.policy.direction != Direction::Both,
                Reason::BlankKept => self.policy.blank == Blank::Keep,
                Reason::WriteOnceFilled => self.policy.once,
                Reason::RatchetKept => matches!(self.policy.conflict, Conflict::Ratchet(_)),
                _ => false,
            },
            Decision::Agree { .. } | Decision::Write { .. } | Decision::Hold { .. } => false,
        };
        let contact = self.base.is_some() || self.held.is_some();
        match (fine, contact) {
            (true, true) => Ok(()),
            (false, _) => Err(format!(
                "ends with {decision:?} because {}",
                reason.as_str()
            )),
            (true, false) => Err("first contact ends without base or hold".into()),
        }
    }

    /// Decides and carries out until nothing is left, and counts the reasons.
    fn run(&mut self, reasons: &mut BTreeMap<Reason, u64>) -> Result<(), String> {
        let mut writes = 0;
        for _ in 0..ROUNDS_TO_FIXPOINT {
            let (decision, reason) = merge::decide(&self.input());
            *reasons.entry(reason).or_default() += 1;
            if (decision.clone(), reason) != merge::decide(&self.input()) {
                return Err("two answers to one question".into());
            }
            self.check(&decision)?;
            writes += u32::from(matches!(decision, Decision::Write { .. }));
            if writes > 1 {
                return Err(format!("a second write: {decision:?}"));
            }
            if !self.apply(&decision) {
                self.quiet(&decision, reason)?;
                return Ok(());
            }
        }
        Err("no fixpoint".into())
    }
}

#[test]
fn random_worlds_come_to_rest_and_lose_nothing() {
    let mut reasons = BTreeMap::new();
    for number in 0..WORLDS {
        let mut rng = Rng::with_seed(number);
        let mut world = World::new(&mut rng);
        for edits in 0..3 {
            let before = format!("{:?}", world.now);
            if let Err(fault) = world.run(&mut reasons) {
                panic!("world {number}, edits {edits}: {fault}\nfrom {before}\nto {world:?}");
            }
            world.disturb(&mut rng);
        }
    }
    let decisions: u64 = reasons.values().sum();
    println!("{decisions} decisions in {WORLDS} worlds: {reasons:?}");
    assert!(decisions >= 200_000, "only {decisions} decisions");
    for reason in Reason::ALL {
        let met = reason == Reason::Unresolved || reasons.contains_key(&reason);
        assert!(met, "no world ever met {}", reason.as_str());
    }
}
