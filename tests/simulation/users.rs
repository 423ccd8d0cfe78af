//! What users do in their browsers, drawn from the seed: few records, few fields, few values.

use serde_json::Value;
use tandem::model::Side;
use tandem::sim::salesforce::LateCommit;

use crate::cast::{Deletes, Kind, Pair, Rule, SET};
use crate::invariants::runs::UNMAPPED;
use crate::ledger::Edit;
use crate::shots::{Place, Shots};
use crate::stage::Stage;

/// HubSpot's type of contact to company, primary.
const PRIMARY: u32 = 1;
/// People beyond this many on one side are not added.
const RECORDS_MAX: usize = 4;
/// Longer than a Salesforce title may be.
const TOO_LONG: usize = 140;

/// One thing that somebody does.
pub fn act(stage: &mut Stage) {
    let side = if stage.dice.coin() {
        Side::HubSpot
    } else {
        Side::Salesforce
    };
    match stage.dice.below(20) {
        8..12 if stage.cast.deletes == Deletes::Archive => delete(stage, side),
        0..12 => edit(stage, side),
        12 => add(stage, side),
        13 => delete(stage, side),
        14 | 15 => undelete(stage, side),
        16 => touch(stage, side),
        17 if stage.cast.references => associate(stage, side),
        17 => edit_late(stage),
        18 if stage.dice.one_in(4) => stage.salesforce.expire_tokens(),
        _ => edit(stage, side),
    }
    let shots = stage.shots();
    stage.ledger.note_values(&shots);
}

fn some_pair(stage: &mut Stage) -> &'static Pair {
    let cast = stage.cast;
    &cast.pairs[stage.dice.below(cast.pairs.len())]
}

fn some_rule(stage: &mut Stage, pair: &'static Pair) -> &'static Rule {
    loop {
        let rule = &pair.rules[stage.dice.below(pair.rules.len())];
        // E-mail addresses decide who is who; they change seldom.
        if rule.kind != Kind::Email || stage.dice.one_in(8) {
            return rule;
        }
    }
}

fn value(stage: &mut Stage, rule: &Rule, side: Side) -> String {
    stage.next_value += 1;
    let unique = stage.next_value;
    let few = stage.dice.below(3);
    let number = if stage.pooled { few as u32 } else { unique };
    if rule.kind != Kind::Email && rule.name != "lastname" && stage.dice.one_in(10) {
        return String::new();
    }
    match rule.kind {
        Kind::Phone => format!("+1415555{number:04}"),
        Kind::Email => format!("P{few}+{unique}@Example.com"),
        Kind::Set => some_set(stage, side),
        Kind::Shouted if side == Side::Salesforce => format!("V{number}"),
        Kind::Text | Kind::Shouted | Kind::OneWay => {
            if stage.cast.filter && rule.name == "jobtitle" && stage.dice.one_in(3) {
                return "out".to_owned();
            }
            format!("v{number}")
        }
    }
}

fn some_set(stage: &mut Stage, side: Side) -> String {
    let mut chosen = Vec::new();
    for (here, there) in SET {
        if stage.dice.coin() {
            chosen.push(if side == Side::HubSpot { here } else { there });
        }
    }
    chosen.join(";")
}

fn set(stage: &Stage, side: Side, pair: &Pair, id: &str, field: &str, value: &str) -> bool {
    match side {
        Side::HubSpot => stage
            .hubspot
            .edit(pair.objects.hubspot, id, &[(field, value)])
            .is_ok(),
        Side::Salesforce => {
            let value = salesforce_value(value);
            stage
                .salesforce
                .edit(pair.objects.salesforce, id, &[(field, value)])
                .is_ok()
        }
    }
}

fn salesforce_value(text: &str) -> Value {
    match text {
        "" => Value::Null,
        text => Value::from(text),
    }
}

/// Somebody types one value.
pub fn edit(stage: &mut Stage, side: Side) {
    let pair = some_pair(stage);
    let rule = some_rule(stage, pair);
    let shots = stage.shots();
    let Some(id) = stage.dice.pick(&shots.ids(pair.mapping, side, true)) else {
        return;
    };
    let mut text = value(stage, rule, side);
    let refusable = rule.name == "jobtitle" && !stage.cast.shouts && side == Side::HubSpot;
    if refusable && stage.dice.one_in(12) {
        text = format!("{text}{}", "x".repeat(TOO_LONG));
    }
    put(stage, side, pair, rule, &id, text);
}

fn put(stage: &mut Stage, side: Side, pair: &'static Pair, rule: &Rule, id: &str, text: String) {
    let field = rule.fields.get(side);
    let place = (side, id.to_owned());
    let saw = stage
        .shots()
        .get(side, id)
        .map_or("", |shot| shot.get(field))
        .to_owned();
    if saw == text || !set(stage, side, pair, id, field, &text) {
        return;
    }
    let shots = stage.shots();
    stage.ledger.note_values(&shots);
    let held = shots
        .get(side, id)
        .map_or("", |shot| shot.get(field))
        .to_owned();
    if held == saw {
        return;
    }
    stage.counts.add("edits", 1);
    if text.len() > TOO_LONG {
        stage.ledger.poisoned.insert(place.clone());
        stage.counts.add("refusable values", 1);
    }
    let seam = stage.seams;
    stage
        .trace
        .say(|| format!("    a user: {side} {id}.{field}: {saw:?} -> {held:?}"));
    let (nothing, fresh) = moves(stage, &place, rule.name, field, &held);
    let link = stage.mirror.link_of(side, id).map(|link| link.id.clone());
    stage.ledger.edited(Edit {
        place,
        mapping: pair.mapping,
        rule: rule_name(pair, rule),
        field,
        value: held,
        saw,
        seam,
        nothing,
        fresh,
        overtaken: false,
        agreed_since: None,
        link,
    });
}

/// Whether an edit moves nothing, and whether nothing was agreed before it. Comparing by value sees
/// no edit where a field holds what was agreed, whatever it held meanwhile.
fn moves(stage: &Stage, place: &Place, rule: &str, field: &str, held: &str) -> (bool, bool) {
    let agreed = stage.mirror.agreed(place.0, &place.1, rule, field);
    let fresh = agreed.is_none();
    (agreed.unwrap_or_default() == held, fresh)
}

fn rule_name(pair: &'static Pair, rule: &Rule) -> &'static str {
    let found = pair.rules.iter().find(|one| one.name == rule.name);
    found.map_or("", |one| one.name)
}

/// Somebody adds a record, often one that the other side has too.
pub fn add(stage: &mut Stage, side: Side) {
    let pair = some_pair(stage);
    if stage.shots().ids(pair.mapping, side, true).len() >= RECORDS_MAX {
        return;
    }
    stage.next_value += 1;
    let few = stage.dice.below(5);
    let unique = stage.next_value;
    let id = if pair.mapping == "companies" {
        let (name, domain) = (format!("F{unique}"), format!("f{few}.example.com"));
        match side {
            Side::HubSpot => stage
                .hubspot
                .create("companies", &[("name", &name), ("domain", &domain)]),
            Side::Salesforce => stage.salesforce.create(
                "Account",
                &[("Name", name.into()), ("Website", domain.into())],
            ),
        }
    } else {
        let email = format!("p{few}@example.com");
        let title = if stage.dice.coin() {
            format!("t{unique}")
        } else {
            String::new()
        };
        match side {
            Side::HubSpot => stage.hubspot.create(
                "contacts",
                &[("email", &email), ("lastname", "New"), ("jobtitle", &title)],
            ),
            Side::Salesforce => stage.salesforce.create(
                "Contact",
                &[
                    ("Email", email.into()),
                    ("LastName", "New".into()),
                    ("Title", salesforce_value(&title)),
                ],
            ),
        }
    };
    if let Ok(id) = id {
        stage.counts.add("records added", 1);
        stage
            .trace
            .say(|| format!("    a user adds {side} {} {id}", pair.mapping));
        stage.ledger.added.insert((side, id));
    }
}

fn delete(stage: &mut Stage, side: Side) {
    let pair = some_pair(stage);
    let Some(id) = stage
        .dice
        .pick(&stage.shots().ids(pair.mapping, side, true))
    else {
        return;
    };
    let done = match side {
        Side::HubSpot => stage.hubspot.archive(pair.objects.hubspot, &id).is_ok(),
        Side::Salesforce => stage
            .salesforce
            .delete(pair.objects.salesforce, &id)
            .is_ok(),
    };
    if done {
        stage.counts.add("records deleted", 1);
        stage
            .trace
            .say(|| format!("    a user deletes {side} {id}"));
        stage.ledger.deleted.insert((side, id), stage.seams);
        // What goes along with a company is deleted by the same hand.
        for (place, shot) in &stage.shots().0 {
            if !shot.live {
                stage
                    .ledger
                    .deleted
                    .entry(place.clone())
                    .or_insert(stage.seams);
            }
        }
    }
}

fn undelete(stage: &mut Stage, side: Side) {
    let pair = some_pair(stage);
    let Some(id) = stage
        .dice
        .pick(&stage.shots().ids(pair.mapping, side, false))
    else {
        return;
    };
    let done = match side {
        Side::HubSpot => stage.hubspot.restore(pair.objects.hubspot, &id).is_ok(),
        Side::Salesforce => stage
            .salesforce
            .undelete(pair.objects.salesforce, &id)
            .is_ok(),
    };
    if done {
        stage.counts.add("records restored", 1);
        if stage.ledger.ours.remove(&(side, id.clone())) {
            *stage.ledger.archived.get_mut(side) -= 1;
        }
        stage
            .trace
            .say(|| format!("    a user restores {side} {id}"));
    }
}

/// A stamp moves and no mapped value does.
fn touch(stage: &mut Stage, side: Side) {
    let pair = some_pair(stage);
    let Some(id) = stage
        .dice
        .pick(&stage.shots().ids(pair.mapping, side, true))
    else {
        return;
    };
    stage.next_value += 1;
    let text = format!("{UNMAPPED}-{}", stage.next_value);
    stage.trace.say(|| format!("    {side} {id} is touched"));
    let _ = match side {
        Side::HubSpot => stage
            .hubspot
            .edit(pair.objects.hubspot, &id, &[("address", &text)]),
        Side::Salesforce => stage.salesforce.internal_bump(pair.objects.salesforce, &id),
    };
    stage.counts.add("stamps moved", 1);
}

/// Somebody says for which company a person works.
fn associate(stage: &mut Stage, side: Side) {
    let shots = stage.shots();
    let person = stage.dice.pick(&shots.ids("contacts", side, true));
    let firm = stage.dice.pick(&shots.ids("companies", side, true));
    let (Some(person), Some(firm)) = (person, firm) else {
        return;
    };
    stage
        .trace
        .say(|| format!("    a user: {side} {person} works for {firm}"));
    stage.counts.add("associations", 1);
    let _ = match side {
        Side::HubSpot => {
            let (from, to) = (("contacts", person.as_str()), ("companies", firm.as_str()));
            stage.hubspot.associate(from, to, PRIMARY)
        }
        Side::Salesforce => {
            stage
                .salesforce
                .edit("Contact", &person, &[("AccountId", firm.into())])
        }
    };
}

/// A transaction takes its stamp now and can be seen only minutes later.
fn edit_late(stage: &mut Stage) {
    let ids = stage.shots().ids("contacts", Side::Salesforce, true);
    let (Some(id), true) = (stage.dice.pick(&ids), stage.late.is_empty()) else {
        return;
    };
    stage.next_value += 1;
    let phone = format!("+1415556{:04}", stage.next_value);
    let late = stage
        .salesforce
        .begin_late_commit("Contact", &id, &[("Phone", phone.into())]);
    if let Ok(late) = late {
        let wait = stage.dice.between(5_000, 420_000);
        let until = stage.clock.now().plus_millis(wait);
        stage.counts.add("late commits", 1);
        stage
            .trace
            .say(|| format!("    a user: {id}.Phone, to be seen in {wait} ms"));
        stage.late.push((late, until));
    }
}

/// The transaction of [`edit_late`] ends: from here on everybody sees what it wrote.
pub fn commit_late(stage: &mut Stage, late: LateCommit) {
    let before = stage.shots();
    let Ok(id) = stage.salesforce.commit(late) else {
        return;
    };
    let after = stage.shots();
    stage.ledger.note_values(&after);
    let side = Side::Salesforce;
    let value = |shots: &Shots| {
        shots
            .get(side, &id)
            .map_or("", |shot| shot.get("Phone"))
            .to_owned()
    };
    let (saw, value) = (value(&before), value(&after));
    let seam = stage.seams;
    stage
        .trace
        .say(|| format!("    {side} {id}.Phone can be seen now: {saw:?} -> {value:?}"));
    if saw != value {
        let place = (side, id);
        let (nothing, fresh) = moves(stage, &place, "phone", "Phone", &value);
        let link = stage.mirror.link_of(side, &place.1);
        let link = link.map(|link| link.id.clone());
        stage.ledger.edited(Edit {
            place,
            mapping: "contacts",
            rule: "phone",
            field: "Phone",
            value,
            saw,
            seam,
            nothing,
            fresh,
            overtaken: false,
            agreed_since: None,
            link,
        });
    }
}

/// An edit that every schedule of one comparison makes.
#[derive(Clone, Debug)]
pub struct Scripted {
    pub side: Side,
    pub record: usize,
    pub rule: &'static str,
    pub value: String,
}

/// Makes the next edit of the script.
pub fn next_of_script(stage: &mut Stage) {
    if stage.script.is_empty() {
        return;
    }
    let next = stage.script.remove(0);
    let pair = &stage.cast.pairs[0];
    let ids = stage.shots().ids(pair.mapping, next.side, true);
    let rule = pair.rules.iter().find(|rule| rule.name == next.rule);
    if let (Some(id), Some(rule)) = (ids.get(next.record), rule) {
        put(stage, next.side, pair, rule, id, next.value);
    }
}
