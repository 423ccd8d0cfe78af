//! The answer to `explain` for machines: complete, with the words of the store.

use serde_json::{Value, json};

use crate::explain::{Event, Explained, Explanation, Field, Loose, Obstacle, Question, Then};
use crate::model::{BySide, Fields, Link, RecordId, Side, Timestamp};

use super::fields_json;

pub fn explained(question: &Question, found: &Explanation) -> Value {
    json!({
        "object": question.object,
        "id": question.id,
        "field": question.field,
        "at": question.at.map(time),
        "pairs": found.pairs.iter().map(pair).collect::<Vec<_>>(),
        "unpaired": found.loose.iter().map(loose).collect::<Vec<_>>(),
    })
}

fn time(at: Timestamp) -> String {
    at.to_string()
}

fn sides(values: &BySide<Fields>) -> Value {
    json!({
        "hubspot": fields_json(&values.hubspot),
        "salesforce": fields_json(&values.salesforce),
    })
}

fn link(link: &Link) -> Value {
    json!({
        "link": link.id.as_str(),
        "mapping": link.mapping.as_str(),
        "hubspot_id": link.records.hubspot.as_ref().map(RecordId::as_str),
        "salesforce_id": link.records.salesforce.as_ref().map(RecordId::as_str),
        "state": link.state.as_str(),
        "note": link.note,
    })
}

fn pair(pair: &Explained) -> Value {
    let mut object = link(&pair.link);
    object["objects"] = json!(pair.objects.as_ref().map(|objects| json!({
        "hubspot": objects.hubspot, "salesforce": objects.salesforce,
    })));
    object["revision"] = json!(pair.revision.as_ref().map(|revision| revision.as_str()));
    object["first_agreed_at"] = json!(pair.since.map(time));
    object["not_synced"] = obstacles(&pair.obstacles);
    object["fields"] = pair.fields.iter().map(field).collect();
    object["events"] = pair.events.iter().map(event).collect();
    object["next"] = json!(pair.next);
    object["earlier"] = pair.earlier.iter().map(link).collect();
    object
}

fn loose(loose: &Loose) -> Value {
    json!({
        "mapping": loose.key.mapping.as_str(),
        "side": loose.key.side.as_str(),
        "id": loose.key.id.as_str(),
        "not_synced": obstacles(&loose.obstacles),
        "next": loose.next,
    })
}

fn obstacles(found: &[Obstacle]) -> Value {
    let object = |obstacle: &Obstacle| {
        json!({
            "kind": obstacle.kind.as_str(),
            "since": obstacle.since.map(time),
            "what": obstacle.what,
            "do": Some(&obstacle.todo).filter(|todo| !todo.is_empty()),
        })
    };
    found.iter().map(object).collect()
}

fn field(field: &Field) -> Value {
    let history = field.history.as_ref().map(|(events, count)| {
        json!({
            "entries": events.iter().map(event).collect::<Vec<_>>(),
            "total": count,
        })
    });
    json!({
        "rule": field.rule,
        "hubspot_fields": field.names.hubspot,
        "salesforce_fields": field.names.salesforce,
        "terms": field.terms,
        "seen": sides(&field.seen.sides),
        "seen_at": field.seen.at.map(time),
        "seen_by": field.seen.how.as_str(),
        "base": field.base.as_ref().map(sides),
        "agreed_at": field.agreed_at.map(time),
        "last": field.last.as_ref().map(event),
        "not_synced": obstacles(&field.obstacles),
        "then": field.then.as_ref().map(then),
        "history": history,
        "next": field.next,
    })
}

fn then(then: &Then) -> Value {
    match then {
        Then::Agreed(values) => json!({"state": "agreed", "base": sides(values)}),
        Then::NotYet(first) => json!({"state": "not-yet", "first_at": first.map(time)}),
        Then::Untold => json!({"state": "untold"}),
    }
}

fn event(event: &Event) -> Value {
    json!({
        "at": time(event.at),
        "run": event.run.as_str(),
        "revision": event.revision.as_str(),
        "decision": event.decision,
        "reason": event.reason,
        "detail": event.detail,
        "base": event.base.as_ref().map(sides),
        "inputs": sides(&event.inputs),
        "winner": event.winner.map(Side::as_str),
        "wrote": event.wrote.as_ref().map(|(side, fields)| json!({
            "side": side.as_str(), "fields": fields_json(fields),
        })),
        "loser": event.loser.as_ref().map(fields_json),
        "conflict": event.conflict.as_ref().map(|conflict| conflict.as_str()),
        "text": event.text,
    })
}
