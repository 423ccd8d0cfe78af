//! Proposes the record that is missing on one side.
//!
//! The copy carries a key that names its source, so that a repeated create meets its own record.
//! A create happens only where the mapping allows it, both sides are known, and nothing that
//! would be refused is asked for.

use super::desk::Planning;
use super::matching::{creation_key, new_link};
use super::outcome::{parent_of, put_hold, release, sendable};
use super::report;
use super::unit::{End, Unit, Write};
use crate::mapping::{Bound, References, Rule};
use crate::model::{
    BySide, ErrorClass, Fields, HoldReason, IntendedRule, IntentKind, LinkState, Presence, Problem,
    RecordId, Side,
};
use crate::pipeline::rule_fields;

/// Waits this long when the run may create no more.
const LIMIT_WAIT_MILLIS: i64 = 10 * 60_000;

/// The reason of a write to a record that did not exist before.
pub const CREATED: &str = "created";

pub fn propose(
    desk: &mut Planning<'_>,
    bound: &Bound,
    unit: &mut Unit,
    on: Side,
    references: &References,
) {
    let source = on.other();
    let Some(record) = unit.read.get(source).clone() else {
        return unit.finish(End::Done);
    };
    if record.presence != Presence::Live || !allowed(bound, unit, on, &record.fields) {
        return unit.finish(End::Done);
    }
    if let Some(end) = without_key(bound, on) {
        return unit.finish(end);
    }
    if desk.limits.creates <= desk.tally.creates + u64::from(desk.tally.proposed) {
        let at = desk.site.clock.now().plus_millis(LIMIT_WAIT_MILLIS);
        let message = "the limit of --max-creates is reached".to_owned();
        let mut setback = report::setback(ErrorClass::Blocked, "create-limit", message);
        setback.retry_after = Some(at);
        return unit.finish(End::Again(setback));
    }
    if unit.link.is_none() {
        let records = BySide::from_fn(|side| (side == source).then(|| record.id.clone()));
        unit.link = Some(new_link(desk, bound, records, LinkState::Creating(on)));
        unit.link_dirty = true;
    }
    let fields = BySide::from_fn(|side| {
        if side == source {
            record.fields.clone()
        } else {
            Fields::new()
        }
    });
    let mut write = Write {
        side: on,
        kind: IntentKind::Create,
        rules: Vec::new(),
    };
    for rule in &bound.mapping().rules {
        if rule.policy.direction.allows(on) {
            add_rule(desk, bound, unit, rule, &fields, references, &mut write);
        }
        if !unit.open() {
            return forget_new_link(unit);
        }
    }
    complete(bound, unit, on, write, &record.id);
    if unit.open() {
        desk.tally.proposed += 1;
    } else {
        forget_new_link(unit);
    }
}

/// A link that was only made for a create that does not happen is not stored.
fn forget_new_link(unit: &mut Unit) {
    if unit.link_dirty {
        unit.link = None;
        unit.link_dirty = false;
        unit.changes.holds.clear();
        unit.changes.journal.clear();
    }
}

fn allowed(bound: &Bound, unit: &mut Unit, on: Side, source: &Fields) -> bool {
    if !bound.mapping().direction.allows(on) {
        return false;
    }
    match bound.may_create(on, source) {
        Ok(allowed) => allowed,
        Err(problem) => {
            unit.finish(End::Failed(report::problem_setback("create", &problem)));
            false
        }
    }
}

/// Without a key a lost reply can make a duplicate; that has to be accepted in the mapping.
fn without_key(bound: &Bound, on: Side) -> Option<End> {
    if bound.key_field(on).is_some() || bound.mapping().create_without_key {
        return None;
    }
    Some(report::person(
        "no-key-field",
        format!(
            "{} {} has no key field, so a create whose reply is lost could be made twice. Add \
             the field `{}` (unique), name another one with `key:`, or set \
             `create-without-key: accept` in the mapping.",
            on.title(),
            bound.mapping().objects.get(on),
            bound.key_name(on),
        ),
    ))
}

fn add_rule(
    desk: &mut Planning<'_>,
    bound: &Bound,
    unit: &mut Unit,
    rule: &Rule,
    fields: &BySide<Fields>,
    references: &References,
    write: &mut Write,
) {
    let on = write.side;
    let source = on.other();
    let parted = bound.linked_part(rule, fields, references);
    let known = parted.as_ref().map_or(fields, |(part, _)| part).get(source);
    let sent = bound
        .canon(rule, source, known, references)
        .and_then(|value| bound.carry(rule, source, known, &value, references))
        .and_then(|value| sendable(bound, rule, on, &value, &Fields::new(), references));
    match sent {
        Ok(after) => {
            // An earlier attempt may have had to leave it out.
            if parted.is_none() {
                release(desk, unit, rule);
            }
            write.rules.push(IntendedRule {
                rule: rule.name.clone(),
                rule_hash: rule.hash.clone(),
                source: rule_fields(rule, source, known),
                before: Fields::new(),
                after,
                reason: CREATED.to_owned(),
            });
        }
        Err(problem) => left_out(desk, bound, unit, rule, fields, references, &problem),
    }
    if let Some((_, problem)) = &parted {
        left_out(desk, bound, unit, rule, fields, references, problem);
    }
}

/// One value that cannot be carried costs only itself, unless the record cannot be without it.
fn left_out(
    desk: &mut Planning<'_>,
    bound: &Bound,
    unit: &mut Unit,
    rule: &Rule,
    fields: &BySide<Fields>,
    references: &References,
    problem: &Problem,
) {
    if problem.reason == HoldReason::Unresolved
        && let Some(parent) = parent_of(bound, rule, fields, references)
    {
        let detail = problem.detail.clone();
        let setback = report::setback(ErrorClass::Blocked, "parent-not-linked", detail);
        if rule.reference().is_some_and(|reference| reference.required) {
            return unit.finish(End::BlockedOn {
                parent,
                setback,
                required: true,
            });
        }
        unit.blocked_on.get_or_insert((parent, setback));
    }
    let sides = BySide::from_fn(|side| rule_fields(rule, side, fields.get(side)));
    put_hold(desk, bound, unit, rule, sides, problem);
}

/// Fills what the destination insists on, and gives up with the names of what is missing.
fn complete(bound: &Bound, unit: &mut Unit, on: Side, mut write: Write, source: &RecordId) {
    let mut all: Fields = write
        .rules
        .iter()
        .flat_map(|rule| rule.after.clone())
        .collect();
    bound.fill_defaults(on, &mut all);
    for intended in &mut write.rules {
        let Some(rule) = bound.mapping().rule(&intended.rule) else {
            continue;
        };
        for name in rule.writes(on) {
            if let Some(raw) = all.get(name) {
                intended.after.insert(name.clone(), raw.clone());
            }
        }
    }
    let missing = bound.missing_for_create(on, &all);
    if missing.is_empty() {
        unit.writes.push(write);
        return;
    }
    let why: Vec<String> = missing
        .iter()
        .map(|field| match held_for(bound, unit, on, field) {
            Some(detail) => format!("`{field}` ({detail})"),
            None => format!("`{field}`"),
        })
        .collect();
    let mut setback = report::setback(
        ErrorClass::Permanent,
        "required-missing",
        format!(
            "{} {} cannot be created for {} {source}: it needs {}. Fill the source, or give the \
             rule a `default:`.",
            on.title(),
            bound.mapping().objects.get(on),
            on.other().title(),
            why.join(", "),
        ),
    );
    setback.failure.fields = missing;
    unit.writes.push(write);
    unit.finish(End::Failed(setback));
}

fn held_for(bound: &Bound, unit: &Unit, on: Side, field: &str) -> Option<String> {
    unit.holds.iter().find_map(|hold| {
        let rule = bound.mapping().rule(&hold.rule)?;
        rule.writes(on)
            .iter()
            .any(|name| name == field)
            .then(|| hold.detail.clone())
    })
}

/// The key that the created record will carry, where it has a field for one.
pub fn key_for(desk: &Planning<'_>, unit: &Unit, on: Side) -> Option<String> {
    let source = on.other();
    let id = unit.records.get(source).as_ref()?;
    Some(creation_key(&desk.site.accounts, source, id))
}
