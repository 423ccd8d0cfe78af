//! Compares what linked records hold, value by value, and says of each disagreement why it is so.
//!
//! Reads and decides nothing: whether a value should travel is the planner's business. The base is
//! not believed here, it only explains: two values that disagree without a reason are drift, even
//! where both are what the base says.

use std::collections::{BTreeMap, BTreeSet};

use super::desk::Desk;
use super::fold::load_state;
use super::input::rule_input;
use super::load::{self, ReadError};
use super::plan::references;
use super::times::Times;
use super::unit::{Batch, Unit};
use crate::mapping::{Bound, References, Rule};
use crate::merge::{self, Decision, Reason, RuleInput};
use crate::model::{
    Blank, BySide, Conflict, Direction, Fields, HoldReason, Link, LinkId, LinkState, MappingName,
    Policy, Presence, RecordId, RecordKey, Side, Task,
};
use crate::pipeline::{LANE, rule_fields};
use crate::store::{DeadLetterState, LinkFilter, StoreError};

/// Pairs of one step: what two reads of Salesforce's hold, and ten of HubSpot's.
const CHUNK: u32 = 1_000;

/// Why two values of a pair differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// A change is on its way.
    Pending,
    Held(HoldReason),
    /// A dead letter waits for a person.
    DeadLetter,
    /// The rule writes one way, and the destination was changed there.
    OneWay,
    /// The rule keeps what is there: a blank does not travel, or a value is written once.
    Kept,
    /// A record left the filter, and the pair is frozen.
    Frozen,
    /// A record is deleted or cannot be seen.
    Gone,
    /// Nothing says why.
    Drift,
}

impl Why {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Held(_) => "held",
            Self::DeadLetter => "dead-letter",
            Self::OneWay => "one-way",
            Self::Kept => "kept-by-rule",
            Self::Frozen => "left-the-filter",
            Self::Gone => "gone",
            Self::Drift => "drift",
        }
    }
}

/// Two values that differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub mapping: MappingName,
    pub link: LinkId,
    pub records: BySide<Option<RecordId>>,
    /// Empty when a record as a whole is gone.
    pub rule: String,
    pub values: BySide<Fields>,
    pub why: Why,
}

/// On how many sides of how many pairs a rule has a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filled {
    /// Pairs with a value on both sides, and of those the ones where the two correspond.
    pub both: u64,
    pub same: u64,
    /// Pairs with a value on this side only.
    pub alone: BySide<u64>,
    pub neither: u64,
}

/// A pair, and the match rule that says the two belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matched {
    pub records: BySide<RecordId>,
    /// The first match rule by which they are equal now; `None` for a pair that was made by hand or
    /// by its creation key.
    pub rule: Option<u16>,
}

/// What one step of a comparison found.
#[derive(Clone, Debug, Default)]
pub struct Compared {
    pub pairs: u64,
    pub matched: Vec<Matched>,
    pub filled: BTreeMap<String, Filled>,
    /// Values that were compared, by rule, and how many of them agree.
    pub values: BTreeMap<String, (u64, u64)>,
    pub differences: Vec<Difference>,
    /// What each side holds, as one number that does not depend on the order of records: equal
    /// where all values correspond.
    pub digests: BySide<u128>,
    /// Where the next step begins; `None` at the end.
    pub next: Option<LinkId>,
}

/// Values that a run of now would write: what only plans knows of them, and the store does not.
pub type PlannedValues = BTreeSet<(RecordKey, String)>;

/// What is known to be under way.
struct UnderWay<'a> {
    /// Records that wait in the lane.
    waiting: BTreeSet<RecordKey>,
    /// Records with a dead letter.
    dead: BTreeSet<RecordKey>,
    planned: &'a PlannedValues,
}

/// Which pairs one step compares.
#[derive(Clone, Copy, Debug)]
pub enum Part<'a> {
    /// As many as one step takes, from after this one on.
    After(Option<&'a LinkId>),
    /// These.
    Of(&'a [LinkId]),
}

/// Compares some pairs of one mapping.
///
/// # Errors
/// When a CRM cannot be read or the store fails; the step can be repeated.
pub async fn compare(
    desk: &mut Desk<'_>,
    bound: &Bound,
    part: Part<'_>,
    planned: &PlannedValues,
) -> Result<Compared, ReadError> {
    let filter = LinkFilter {
        mapping: Some(bound.mapping().name.clone()),
        ..LinkFilter::default()
    };
    let (store, ws) = (&desk.site.store, &desk.site.workspace);
    let (links, more) = match part {
        Part::After(after) => {
            let links = store.links_page(ws, &filter, after, CHUNK).await?;
            let full = links.len() == CHUNK as usize;
            (links, full)
        }
        Part::Of(ids) => (store.links_by_id(ws, ids).await?, false),
    };
    let mut compared = Compared {
        next: links.last().map(|link| link.id.clone()).filter(|_| more),
        ..Compared::default()
    };
    let pairs = |link: &Link| matches!(link.state, LinkState::Linked | LinkState::Frozen);
    let unit = |link: Link| Unit {
        records: link.records.clone(),
        link: Some(link),
        ..Unit::default()
    };
    let mut batch = Batch {
        units: links.into_iter().filter(pairs).map(unit).collect(),
        ..Batch::default()
    };
    load_state(desk, &mut batch).await?;
    load::others(desk, bound, &mut batch).await?;
    let under_way = under_way(desk, bound, &batch, planned).await?;
    let references = references(desk, bound, &batch).await?;
    for unit in &batch.units {
        compared.pairs += 1;
        pair(bound, unit, &references, &under_way, &mut compared);
    }
    Ok(compared)
}

fn pair(
    bound: &Bound,
    unit: &Unit,
    references: &References,
    under_way: &UnderWay<'_>,
    compared: &mut Compared,
) {
    let difference = |rule: &str, values: BySide<Fields>, why: Why| Difference {
        mapping: bound.mapping().name.clone(),
        link: unit
            .link
            .as_ref()
            .map_or(LinkId::new(""), |link| link.id.clone()),
        records: unit.records.clone(),
        rule: rule.to_owned(),
        values,
        why,
    };
    let live = |side: Side| {
        let record = unit.read.get(side).as_ref();
        record.filter(|record| record.presence == Presence::Live)
    };
    let (Some(hubspot), Some(salesforce)) = (live(Side::HubSpot), live(Side::Salesforce)) else {
        let why = match on_its_way(bound, unit, "", under_way) {
            Some(why) => why,
            None if unit.link_state() == Some(LinkState::Frozen) => Why::Frozen,
            None => Why::Gone,
        };
        let gone = difference("", BySide::default(), why);
        return compared.differences.push(gone);
    };
    let fields = BySide::new(hubspot.fields.clone(), salesforce.fields.clone());
    compared.matched.push(Matched {
        records: BySide::new(hubspot.id.clone(), salesforce.id.clone()),
        rule: matching_rule(bound, &fields),
    });
    for rule in &bound.mapping().rules {
        let part = bound.linked_part(rule, &fields, references);
        let known = part.as_ref().map_or(&fields, |(part, _)| part);
        let times = Times::default();
        let input = rule_input(bound, rule, unit, known, (references, &times));
        let agrees = merge::corresponds(&input).is_some();
        let count = compared.values.entry(rule.name.clone()).or_default();
        count.0 += 1;
        count.1 += u64::from(agrees);
        let filled = compared.filled.entry(rule.name.clone()).or_default();
        count_filled(&input, agrees, filled);
        digest(unit, rule, &input, agrees, &mut compared.digests);
        if agrees {
            continue;
        }
        let why = why(bound, unit, (rule, &input), under_way);
        let values = BySide::from_fn(|side| rule_fields(rule, side, fields.get(side)));
        compared
            .differences
            .push(difference(&rule.name, values, why));
    }
}

fn matching_rule(bound: &Bound, fields: &BySide<Fields>) -> Option<u16> {
    let [hubspot, salesforce] = Side::BOTH.map(|side| bound.match_keys(side, fields.get(side)));
    let mut pairs = (0_u16..).zip(hubspot.into_iter().zip(salesforce));
    let equal = pairs.find(|(_, (one, two))| one.is_some() && one == two);
    equal.map(|(rule, _)| rule)
}

/// A value that cannot be read is there all the same.
fn count_filled(input: &RuleInput<'_>, agrees: bool, count: &mut Filled) {
    let there = |side: Side| !matches!(input.now.get(side), Ok(value) if value.is_blank());
    match (there(Side::HubSpot), there(Side::Salesforce)) {
        (true, true) => {
            count.both += 1;
            count.same += u64::from(agrees);
        }
        (true, false) => count.alone.hubspot += 1,
        (false, true) => count.alone.salesforce += 1,
        (false, false) => count.neither += 1,
    }
}

/// What the store knows of the records of a batch.
async fn under_way<'a>(
    desk: &Desk<'_>,
    bound: &Bound,
    batch: &Batch,
    planned: &'a PlannedValues,
) -> Result<UnderWay<'a>, StoreError> {
    let (store, ws) = (&desk.site.store, &desk.site.workspace);
    let keys = batch.units.iter().flat_map(|unit| keys(bound, unit));
    let tasks: Vec<Task> = keys.map(Task::Record).collect();
    let key = |task: Task| task.record().cloned();
    let waiting = store.waiting(ws, LANE, &tasks).await?.into_iter();
    let letters = store.letters_of(ws, &tasks).await?.into_iter();
    let open = letters.filter(|letter| letter.state == DeadLetterState::Open);
    Ok(UnderWay {
        waiting: waiting
            .filter_map(|waiting| key(waiting.work.task))
            .collect(),
        dead: open.filter_map(|letter| key(letter.task)).collect(),
        planned,
    })
}

fn keys(bound: &Bound, unit: &Unit) -> Vec<RecordKey> {
    let sides = Side::BOTH.into_iter();
    sides
        .filter_map(|side| {
            let mapping = bound.mapping().name.clone();
            let id = unit.records.get(side).clone()?;
            Some(RecordKey { mapping, side, id })
        })
        .collect()
}

/// What is about to change the pair, or to let a person change it.
fn on_its_way(bound: &Bound, unit: &Unit, rule: &str, under_way: &UnderWay<'_>) -> Option<Why> {
    let keys = keys(bound, unit);
    let planned = |key: &RecordKey| {
        let place = (key.clone(), rule.to_owned());
        under_way.planned.contains(&place)
    };
    if !unit.intents.is_empty() || keys.iter().any(planned) {
        return Some(Why::Pending);
    }
    if keys.iter().any(|key| under_way.dead.contains(key)) {
        return Some(Why::DeadLetter);
    }
    let waits = keys.iter().any(|key| under_way.waiting.contains(key));
    waits.then_some(Why::Pending)
}

fn why(
    bound: &Bound,
    unit: &Unit,
    (rule, input): (&Rule, &RuleInput<'_>),
    under_way: &UnderWay<'_>,
) -> Why {
    if let Some(hold) = unit.hold(&rule.name) {
        return Why::Held(hold.reason);
    }
    if let Some(why) = on_its_way(bound, unit, &rule.name, under_way) {
        return why;
    }
    if unit.link_state() == Some(LinkState::Frozen) {
        return Why::Frozen;
    }
    let policy = &rule.policy;
    match merge::decide(input) {
        // Somebody changed it, and no run of now would carry that: it was missed.
        (Decision::Write { .. } | Decision::Hold { .. }, _) => Why::Drift,
        (Decision::Skip, Reason::Drift) => Why::OneWay,
        (Decision::Skip | Decision::Agree { .. }, _) => Why::Kept,
        (Decision::Unchanged, _) if policy.direction != Direction::Both && !policy.enforce => {
            Why::OneWay
        }
        (Decision::Unchanged, _) if keeps(policy) => Why::Kept,
        (Decision::Unchanged, _) => Why::Drift,
    }
}

/// Two values that differ can have been agreed on under such a rule.
fn keeps(policy: &Policy) -> bool {
    policy.once || policy.blank == Blank::Keep || matches!(policy.conflict, Conflict::Ratchet(_))
}

/// Both digests count a value that corresponds the same way: as it stands in HubSpot.
fn digest(
    unit: &Unit,
    rule: &Rule,
    input: &RuleInput<'_>,
    agrees: bool,
    digests: &mut BySide<u128>,
) {
    let id = unit.link.as_ref().map_or("", |link| link.id.as_str());
    for side in Side::BOTH {
        let value = match (side, agrees) {
            (Side::HubSpot, _) | (Side::Salesforce, true) => &input.now.hubspot,
            (Side::Salesforce, false) => &input.carried.hubspot,
        };
        let text = match value {
            Ok(value) => value.to_string(),
            Err(problem) => format!("\u{1}{}", problem.detail),
        };
        let hash = crate::store::match_hash(&format!("{id}\u{1f}{}\u{1f}{text}", rule.name));
        let number = u128::from_str_radix(hash.get(..32).unwrap_or("0"), 16).unwrap_or(0);
        let sum = digests.get_mut(side);
        *sum = sum.wrapping_add(number);
    }
}
