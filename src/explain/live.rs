//! What both records hold at this moment, and what the next run would make of it.
//!
//! Pure: the records were read and the next run was played on a copy of the store by whoever calls;
//! here both are put beside what the store had told. Nothing is decided anew.

use super::obstacle::{Kind, Obstacle};
use super::pair::{Explained, Field, How, Seen};
use super::words;
use super::{Explanation, Loose};
use crate::mapping::Bound;
use crate::model::{
    BySide, Fields, IntentKind, LinkState, Presence, Record, RecordKey, Side, Timestamp,
};
use crate::pipeline::rule_fields;

/// One rule of one record that the next run would write.
#[derive(Clone, Debug)]
pub struct Planned {
    /// Empty when the record as a whole goes.
    pub rule: String,
    pub side: Side,
    pub kind: IntentKind,
    pub before: Fields,
    pub after: Fields,
    /// Why, in the words of the journal.
    pub reason: String,
}

/// What was read and played.
pub struct Next<'a> {
    pub at: Timestamp,
    pub records: &'a [(RecordKey, Option<Record>)],
    /// By the records that the write is about: its target, or the source of a copy.
    pub planned: &'a [(RecordKey, Planned)],
    /// What the copy of the store tells after the run.
    pub after: &'a Explanation,
}

impl Next<'_> {
    fn record(&self, key: &RecordKey) -> Option<&Record> {
        let found = self.records.iter().find(|(known, _)| known == key);
        found.and_then(|(_, record)| record.as_ref())
    }

    fn planned<'b>(&'b self, keys: &'b [RecordKey]) -> impl Iterator<Item = &'b Planned> {
        let mine = self.planned.iter().filter(|(key, _)| keys.contains(key));
        mine.map(|(_, planned)| planned)
    }
}

/// Puts the present beside a pair.
pub fn add_to_pair(pair: &mut Explained, bound: &Bound, next: &Next<'_>) {
    let keys = super::facts::keys(&pair.link);
    let record = |side: Side| {
        let key = keys.iter().find(|key| key.side == side)?;
        next.record(key)
    };
    let records = BySide::from_fn(record);
    for side in Side::BOTH {
        pair.obstacles
            .extend(records.get(side).and_then(|r| absent(side, r)));
        let live = records
            .get(side)
            .filter(|record| record.presence == Presence::Live);
        pair.obstacles
            .extend(live.and_then(|record| filtered(bound, side, record)));
    }
    let planned: Vec<&Planned> = next.planned(&keys).collect();
    let mut after = next.after.pairs.iter();
    let after = after.find(|other| other.link.id == pair.link.id);
    for field in &mut pair.fields {
        if let Some(rule) = bound.mapping().rule(&field.rule) {
            let read = |side: Side| records.get(side).map(|record| &record.fields);
            field.seen = Seen {
                sides: BySide::from_fn(|side| {
                    read(side).map_or_else(Fields::new, |all| rule_fields(rule, side, all))
                }),
                at: Some(next.at),
                how: How::Read,
            };
        }
        let then = after.and_then(|pair| pair.fields.iter().find(|f| f.rule == field.rule));
        field.next = Some(of_field(field, then, &planned, next.at));
    }
    let whole = planned.iter().filter(|planned| planned.rule.is_empty());
    pair.next = whole.map(|planned| whole_record(planned)).collect();
    if let Some(after) = after {
        pair.next.extend(news(&pair.obstacles, &after.obstacles));
        if after.link.state != pair.link.state {
            pair.next.push(becomes(after.link.state));
        }
    }
}

/// The same for a record that is in no pair.
pub fn add_to_loose(loose: &mut Loose, bound: Option<&Bound>, next: &Next<'_>) {
    let side = loose.key.side;
    let Some(record) = next.record(&loose.key) else {
        return;
    };
    if let Some(absent) = absent(side, record) {
        loose.obstacles.retain(|found| found.kind != Kind::Unpaired);
        loose.obstacles.insert(0, absent);
    } else if let Some(found) = bound.and_then(|bound| filtered(bound, side, record)) {
        loose.obstacles.retain(|found| found.kind != Kind::Unpaired);
        loose.obstacles.insert(0, found);
    }
    let keys = [loose.key.clone()];
    let creates: Vec<&Planned> = next.planned(&keys).collect();
    if let Some(create) = creates.first() {
        let to = create.side.title();
        loose
            .next
            .push(format!("A copy of it would be made in {to}."));
    }
    let paired = next.after.pairs.iter().find(|pair| {
        pair.link.mapping == loose.key.mapping
            && pair.link.records.get(side).as_ref() == Some(&loose.key.id)
    });
    if let Some(id) = paired.and_then(|pair| pair.link.records.get(side.other()).as_ref()) {
        let other = side.other().title();
        loose
            .next
            .push(format!("It would be paired with {other} {id}."));
    }
    let after = next.after.loose.iter().find(|other| other.key == loose.key);
    if let Some(after) = after {
        loose.next.extend(news(&loose.obstacles, &after.obstacles));
    }
    if loose.next.is_empty() {
        loose.next.push("Nothing would be done for it.".to_owned());
    }
}

/// A record that is not simply there.
fn absent(side: Side, record: &Record) -> Option<Obstacle> {
    let what = match &record.presence {
        Presence::Live => return None,
        Presence::Deleted => "is deleted".to_owned(),
        Presence::MergedInto(into) => format!("was merged into {into}"),
        Presence::Converted { contact } => match contact {
            Some(contact) => format!("was converted into Contact {contact}"),
            None => "was converted".to_owned(),
        },
        Presence::NotVisible => "is neither readable nor provably deleted".to_owned(),
    };
    let todo = match record.presence {
        Presence::NotVisible => "check sharing, scopes and permissions of the connected user",
        Presence::Live
        | Presence::Deleted
        | Presence::MergedInto(_)
        | Presence::Converted { .. } => "",
    };
    let what = format!("{} {} {what}.", side.title(), record.id);
    Some(Obstacle::new(Kind::Absent, what, todo))
}

fn filtered(bound: &Bound, side: Side, record: &Record) -> Option<Obstacle> {
    let only = bound.mapping().only.get(side).as_ref()?;
    let name = format!("{} {}", side.title(), record.id);
    match bound.takes_part(side, &record.fields) {
        Ok(true) => None,
        Ok(false) => {
            let what = format!("{name} does not pass the filter `only: {}`.", only.text);
            Some(Obstacle::new(
                Kind::Filtered,
                what,
                "change the record, or the filter",
            ))
        }
        Err(problem) => Some(Obstacle::new(
            Kind::Filtered,
            format!("{name} cannot be judged by `only`: {}.", problem.detail),
            "correct the value, or the filter",
        )),
    }
}

fn of_field(field: &Field, then: Option<&Field>, planned: &[&Planned], at: Timestamp) -> String {
    let mine = planned.iter().filter(|planned| planned.rule == field.rule);
    let writes: Vec<String> = mine.map(|planned| write(planned)).collect();
    if !writes.is_empty() {
        return writes.join(" ");
    }
    let Some(then) = then else {
        return "It would not be looked at.".to_owned();
    };
    let news = news(&field.obstacles, &then.obstacles);
    if !news.is_empty() {
        return news.join(" ");
    }
    let decided = then.last.as_ref().filter(|event| event.at >= at);
    match decided {
        Some(event) => event.text.clone(),
        None if then.obstacles.is_empty() => "Nothing to do.".to_owned(),
        None => "Nothing, for the reason above.".to_owned(),
    }
}

fn write(planned: &Planned) -> String {
    let to = planned.side;
    let why = words::why_written(&planned.reason, to.other(), to);
    let (after, before) = words::differing(&planned.after, &planned.before);
    let value = words::quoted(&after);
    if before.is_empty() {
        return format!("{why}; {value} would be written to {}.", to.title());
    }
    let before = words::quoted(&before);
    format!(
        "{why}; {value} would be written to {} in place of {before}.",
        to.title()
    )
}

fn whole_record(planned: &Planned) -> String {
    let to = planned.side.title();
    match planned.kind {
        IntentKind::Create => format!("A copy would be made in {to}."),
        IntentKind::Update => format!("The {to} record would be written."),
        IntentKind::Archive => format!("The {to} record would be deleted, as the other one was."),
        IntentKind::Associate => format!("The {to} record would be tied anew."),
    }
}

fn becomes(state: LinkState) -> String {
    format!("The pair would become {}.", state.as_str())
}

/// Reasons that the next run would find.
fn news(before: &[Obstacle], after: &[Obstacle]) -> Vec<String> {
    let known = |found: &&Obstacle| {
        let same = |other: &Obstacle| other.kind == found.kind && other.what == found.what;
        before.iter().any(same)
    };
    let new = after.iter().filter(|found| !known(found));
    new.map(|found| format!("It would end so: {}", found.what))
        .collect()
}
