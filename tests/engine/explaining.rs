//! `explain`: what the store can tell of a pair afterwards, and that it is what happened.

use std::collections::BTreeMap;

use tandem::app::{LookError, look_live};
use tandem::explain::{Explained, Explanation, Field, Kind, Question, Refusal, Then, explain};
use tandem::model::{Bases, BySide, Fields, Raw, Side, Timestamp};
use tandem::review::{explained, retold};
use tandem::sync::Mode;

use crate::world::{Setup, World};
use crate::{PEOPLE, linked};

async fn ask(
    world: &World,
    (object, id): (&str, &str),
    field: Option<&str>,
    at: Option<Timestamp>,
) -> Result<Explanation, Refusal> {
    let now = world.clock.now();
    let at = at.map(|at| at.to_string());
    let question = Question::read(object, id, field, at.as_deref(), now)?;
    let found = explain(&world.store, &world.workspace, &question, now).await?;
    // Whoever asked a service reads all of it back.
    let told = explained(&question, &found);
    let back = retold(&told).expect("it can be read back");
    assert_eq!(explained(&question, &back), told);
    Ok(found)
}

async fn pair(world: &World, object: &str, id: &str) -> Explained {
    let found = ask(world, (object, id), None, None).await.unwrap();
    let mut pairs = found.pairs;
    assert_eq!(pairs.len(), 1, "{pairs:?}");
    pairs.remove(0)
}

fn rule<'a>(pair: &'a Explained, name: &str) -> &'a Field {
    let found = pair.fields.iter().find(|field| field.rule == name);
    found.expect("the rule is explained")
}

fn last(pair: &Explained, name: &str) -> String {
    let last = rule(pair, name).last.as_ref();
    last.expect("something was decided").text.clone()
}

#[tokio::test]
async fn a_field_both_sides_changed_tells_who_won_by_which_rule_and_what_was_kept() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    world.edit_salesforce("Contact", &salesforce, &[("Title", "CFO")]);
    world.settle().await;

    let asked = ["contacts", "Contact", "contact"];
    for object in asked {
        for id in [&hubspot, &salesforce, &salesforce[..15].to_owned()] {
            let pair = pair(&world, object, id).await;
            let conflict = world.conflicts().await.remove(0);
            let text = last(&pair, "jobtitle");
            for word in [
                "Salesforce won",
                "`conflict: salesforce`",
                "\"CEO\" was kept",
            ] {
                assert!(text.contains(word), "{word} in: {text}");
            }
            let field = rule(&pair, "jobtitle");
            let event = field.last.as_ref().unwrap();
            assert_eq!(event.conflict.as_ref(), Some(&conflict.id));
            assert_eq!(event.base, Some(sides("jobtitle", "Title", "CTO")));
            assert_eq!(field.seen.sides, sides("jobtitle", "Title", "CFO"));
            assert_eq!(field.agreed_at, Some(event.at));
            assert_eq!(pair.obstacles, []);
        }
    }
}

fn sides(hubspot: &str, salesforce: &str, value: &str) -> BySide<Fields> {
    let one = |name: &str| Fields::from([(name.to_owned(), Raw::text(value))]);
    BySide::new(one(hubspot), one(salesforce))
}

#[tokio::test]
async fn values_that_never_moved_have_no_decision_but_a_time() {
    let (world, hubspot, _) = linked(PEOPLE).await;
    let pair = pair(&world, "contacts", &hubspot).await;
    let field = rule(&pair, "firstname");
    assert!(field.last.is_none());
    assert_eq!(field.agreed_at, pair.since);
    assert!(pair.since.is_some());
}

/// No write tells of it, so without an entry of its own the record before it would be lost.
#[tokio::test]
async fn an_edit_made_alike_on_both_sides_is_told_and_what_was_before_is_found() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    let before = world.clock.now();
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    world.edit_salesforce("Contact", &salesforce, &[("Title", "CEO")]);
    world.settle().await;

    let now = pair(&world, "contacts", &hubspot).await;
    assert!(last(&now, "jobtitle").contains("by themselves"), "{now:?}");
    let question = ask(&world, ("contacts", &hubspot), Some("Title"), Some(before)).await;
    let then = question.unwrap().pairs.remove(0);
    assert_eq!(then.fields.len(), 1);
    let agreed = Then::Agreed(sides("jobtitle", "Title", "CTO"));
    assert_eq!(then.fields[0].then, Some(agreed));
}

/// The journal is walked back against what the store held after every round.
#[tokio::test]
async fn every_agreed_record_of_the_past_is_rebuilt_as_it_was() {
    let without_phone = PEOPLE.replace("  phone: { to: Phone, conflict: hubspot }\n", "");
    let asking = PEOPLE.replace("jobtitle: Title", "jobtitle: { to: Title, conflict: ask }");
    for seed in 0..6 {
        let mut chance = fastrand::Rng::with_seed(seed);
        let (mut world, hubspot, salesforce) = linked(&without_phone).await;
        let mut past = vec![snapshot(&world).await];
        for round in 0..24 {
            world.pass(5_000);
            if round == 8 {
                world.remap(&[&asking]).await;
                world.scan().await;
            }
            let fields = [
                ("firstname", "FirstName"),
                ("jobtitle", "Title"),
                ("phone", "Phone"),
            ];
            let (property, field) = fields[chance.usize(0..3)];
            let mut value = || ["", "A", "B", "+49 30 1"][chance.usize(0..4)].to_owned();
            let (one, other) = (value(), value());
            let which = chance.usize(0..4);
            if which != 1 {
                world.edit_hubspot("contacts", &hubspot, &[(property, &one)]);
            }
            if which != 0 {
                let other = if which == 2 { &one } else { &other };
                world.edit_salesforce("Contact", &salesforce, &[(field, other)]);
            }
            world.settle().await;
            past.push(snapshot(&world).await);
        }
        for (at, bases) in &past {
            let found = ask(&world, ("contacts", &hubspot), None, Some(*at)).await;
            let pair = found.unwrap().pairs.remove(0);
            let agreed: BTreeMap<&str, &BySide<Fields>> = pair
                .fields
                .iter()
                .filter_map(|field| match field.then.as_ref() {
                    Some(Then::Agreed(sides)) => Some((field.rule.as_str(), sides)),
                    Some(Then::NotYet(_)) => None,
                    other => panic!("seed {seed}, {at}: {} is {other:?}", field.rule),
                })
                .collect();
            let held: BTreeMap<&str, &BySide<Fields>> = bases
                .iter()
                .map(|(rule, halves)| (rule.as_str(), &halves.sides))
                .collect();
            assert_eq!(agreed, held, "seed {seed}, {at}");
        }
    }
}

async fn snapshot(world: &World) -> (Timestamp, Bases) {
    let link = world.link().await;
    let id = [link.id.clone()];
    let mut bases = world.store.bases(&world.workspace, &id).await.unwrap();
    let at = world.clock.now();
    world.pass(1_000);
    (at, bases.remove(&link.id).unwrap_or_default())
}

#[tokio::test]
async fn before_the_pair_first_agreed_there_was_nothing() {
    let (world, hubspot, _) = linked(PEOPLE).await;
    let early = pair(&world, "contacts", &hubspot).await.since.unwrap();
    let at = early.plus_millis(-1);
    let found = ask(&world, ("contacts", &hubspot), None, Some(at)).await;
    for field in &found.unwrap().pairs[0].fields {
        assert!(matches!(field.then, Some(Then::NotYet(_))), "{field:?}");
    }
    let later = world.clock.now().plus_millis(1);
    let future = ask(&world, ("contacts", &hubspot), None, Some(later)).await;
    assert!(matches!(future, Err(Refusal::Future { .. })));
}

#[tokio::test]
async fn a_held_value_says_why_since_when_and_what_to_do() {
    let asking = PEOPLE.replace("jobtitle: Title", "jobtitle: { to: Title, conflict: ask }");
    let (mut world, hubspot, salesforce) = linked(&asking).await;
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    world.edit_salesforce("Contact", &salesforce, &[("Title", "CFO")]);
    world.settle().await;
    let pair = pair(&world, "contacts", &hubspot).await;
    let field = rule(&pair, "jobtitle");
    let [held] = field.obstacles.as_slice() else {
        panic!("one reason is expected: {field:?}");
    };
    assert_eq!(held.kind, Kind::Held);
    assert!(held.since.is_some());
    let conflict = world.conflicts().await.remove(0);
    assert!(held.todo.contains(conflict.id.as_str()), "{held:?}");
    assert_eq!(field.seen.sides.hubspot["jobtitle"], Raw::text("CEO"));
    assert_eq!(field.base, Some(sides("jobtitle", "Title", "CTO")));
}

#[tokio::test]
async fn the_history_of_a_field_is_found_by_any_of_its_names_and_bounded() {
    let (mut world, hubspot, _) = linked(PEOPLE).await;
    for round in 0..60 {
        world.pass(11 * 60_000);
        let title = format!("Title {round}");
        world.edit_hubspot("contacts", &hubspot, &[("jobtitle", &title)]);
        world.settle().await;
    }
    for name in ["jobtitle", "Title", "TITLE"] {
        let found = ask(&world, ("contacts", &hubspot), Some(name), None).await;
        let pair = found.unwrap().pairs.remove(0);
        let [field] = pair.fields.as_slice() else {
            panic!("one rule is meant: {pair:?}");
        };
        let (events, total) = field.history.as_ref().expect("a history");
        assert!(events.len() == 50 && *total >= 60, "{total}");
        assert!(
            events[0]
                .text
                .contains("\"Title 59\" was written to Salesforce")
        );
        assert!(events.windows(2).all(|pair| pair[0].at >= pair[1].at));
    }
    let unmapped = ask(&world, ("contacts", &hubspot), Some("jobtitel"), None).await;
    let pair = unmapped.unwrap().pairs.remove(0);
    assert_eq!(pair.obstacles[0].kind, Kind::NoRule);
    assert!(pair.obstacles[0].todo.contains("`jobtitle`"), "{pair:?}");
}

#[tokio::test]
async fn a_record_without_a_partner_says_what_the_mapping_says() {
    let never = PEOPLE.replace("create: both", "create: never");
    let mut world = World::new(Setup::with(&[&never])).await;
    let alone = world.add_hubspot("contacts", &[("email", "alone@example.com")]);
    world.open().await;
    world.settle().await;
    let found = ask(&world, ("contacts", &alone), None, None).await.unwrap();
    assert!(found.pairs.is_empty());
    let [loose] = found.loose.as_slice() else {
        panic!("one mapping knows it: {found:?}");
    };
    assert_eq!(loose.obstacles[0].kind, Kind::Unpaired);
    let what = &loose.obstacles[0].what;
    assert!(
        what.contains("email and Email") && what.contains("`create: never`"),
        "{what}"
    );

    let unknown = ask(&world, ("contacts", "987654321"), None, None).await;
    assert!(matches!(unknown, Err(Refusal::UnknownRecord { .. })));
    let object = ask(&world, ("contact_s", "1"), None, None).await;
    let Err(Refusal::UnknownObject { close, .. }) = object else {
        panic!("no such object");
    };
    assert_eq!(close.as_deref(), Some("contacts"));
}

#[tokio::test]
async fn records_that_match_several_name_the_letter_that_says_so() {
    let mut world = World::new(Setup::with(&[PEOPLE])).await;
    let (hubspot, _) = crate::add_ada(&world);
    world.add_salesforce(
        "Contact",
        &[("Email", "ada@example.com"), ("LastName", "Lind")],
    );
    world.open().await;
    world.settle().await;
    let found = ask(&world, ("contacts", &hubspot), None, None)
        .await
        .unwrap();
    let letters = world.letters().await;
    let obstacle = &found.loose[0].obstacles[0];
    assert_eq!(obstacle.kind, Kind::DeadLetter);
    let mine = letters.iter().filter(|one| one.task.record_id() == hubspot);
    let names: Vec<String> = mine.map(|one| format!("replay {}", one.id)).collect();
    assert!(obstacle.todo.contains(&names[0]), "{obstacle:?}");
}

#[tokio::test]
async fn a_deleted_record_says_that_the_pair_is_over_and_since_when() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.salesforce.delete("Contact", &salesforce).unwrap();
    world.settle().await;
    let pair = pair(&world, "contacts", &hubspot).await;
    let kinds: Vec<Kind> = pair.obstacles.iter().map(|found| found.kind).collect();
    assert!(
        kinds.contains(&Kind::Pair) && kinds.contains(&Kind::Tombstone),
        "{pair:?}"
    );
    assert_eq!(pair.events[0].winner, Some(Side::Salesforce));
}

#[tokio::test]
async fn a_mapping_that_is_no_longer_run_is_said_to_be_off() {
    let (mut world, hubspot, _) = linked(PEOPLE).await;
    let other = crate::world::SHIPPED[0];
    world.remap(&[other]).await;
    let pair = pair(&world, "contacts", &hubspot).await;
    assert_eq!(pair.obstacles[0].kind, Kind::MappingOff);
    assert_eq!(
        rule(&pair, "jobtitle").base,
        Some(sides("jobtitle", "Title", "CTO"))
    );
}

const HUBSPOT_READS: &str = "/contacts/batch/read";
const READS: &str = "/composite/sobjects/Contact";
const DENIED: &str = r#"{"status":"error","category":"INVALID_AUTHENTICATION",
    "message":"Authentication credentials not found."}"#;

/// A pair that is looked at by an engine that writes nothing; HubSpot's id.
async fn observed() -> (World, String) {
    let (mut world, hubspot, _) = linked(PEOPLE).await;
    world.close().await;
    world.mode = Mode::Observe;
    world.open().await;
    (world, hubspot)
}

async fn look(world: &mut World, id: &str) -> Result<(), LookError> {
    let now = world.clock.now();
    let question = Question::read("contacts", id, None, None, now).unwrap();
    let found = explain(&world.store, &world.workspace, &question, now).await;
    let engine = world.engine.as_mut().expect("the engine runs");
    look_live(engine, &question, &mut found.unwrap()).await
}

#[tokio::test]
async fn a_live_look_with_refused_credentials_is_refused_also_in_the_run_that_it_plays() {
    let (mut world, id) = observed().await;
    world.to_hubspot.down(401, DENIED);
    let told = look(&mut world, &id).await;
    assert!(matches!(told, Err(LookError::Refused(_))), "{told:?}");

    let (mut world, id) = observed().await;
    let wire = world.to_hubspot.clone();
    // Both records have been read by then.
    world
        .to_salesforce
        .before("POST", READS, move || wire.down(401, DENIED));
    let told = look(&mut world, &id).await;
    assert!(matches!(told, Err(LookError::Refused(_))), "{told:?}");
    assert_eq!(world.to_salesforce.waiting(), 0);
}

#[tokio::test]
async fn a_live_look_ends_when_its_minute_is_over() {
    let (mut world, id) = observed().await;
    look(&mut world, &id).await.expect("it is quick");
    for in_the_run in [false, true] {
        let (mut world, id) = observed().await;
        let (clock, sent) = (world.clock.clone(), world.to_salesforce.sent());
        let slow = move || clock.advance_millis(61_000);
        match in_the_run {
            false => world.to_hubspot.before("POST", HUBSPOT_READS, slow),
            true => world.to_salesforce.before("POST", READS, slow),
        }
        let told = look(&mut world, &id).await;
        let late = matches!(&told, Err(LookError::Incomplete(why)) if why.contains("too long"));
        assert!(late, "{told:?}");
        let read = world.to_salesforce.sent() - sent;
        assert_eq!(read, u64::from(in_the_run), "nothing else was read");
    }
}
