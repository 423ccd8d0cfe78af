//! The answer to `explain`, read back from its JSON: a command that asked a service prints it as
//! it prints one of its own.

use serde_json::Value;

use crate::explain::{
    Event, Explained, Explanation, Field, How, Kind, Loose, Obstacle, Seen, Then,
};
use crate::model::{
    BySide, ConflictId, Fields, Link, LinkId, LinkState, MappingName, Raw, RecordId, RecordKey,
    Revision, RunId, Side, Timestamp,
};

/// What [`super::explained`] told; `None` where it is the answer of another version.
pub fn retold(answer: &Value) -> Option<Explanation> {
    Some(Explanation {
        pairs: each(&answer["pairs"], pair)?,
        loose: each(&answer["unpaired"], loose)?,
    })
}

fn each<T>(list: &Value, one: impl Fn(&Value) -> Option<T>) -> Option<Vec<T>> {
    list.as_array()?.iter().map(one).collect()
}

/// `None` where it is null; the outer one where it cannot be read.
#[allow(
    clippy::option_option,
    reason = "null is an answer, and nonsense is none"
)]
fn maybe<T>(value: &Value, read: impl Fn(&Value) -> Option<T>) -> Option<Option<T>> {
    match value {
        Value::Null => Some(None),
        value => read(value).map(Some),
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn texts(value: &Value) -> Option<Vec<String>> {
    each(value, text)
}

fn time(value: &Value) -> Option<Timestamp> {
    Timestamp::parse(value.as_str()?)
}

fn side(value: &Value) -> Option<Side> {
    Side::parse(value.as_str()?)
}

fn both<T>(value: &Value, read: impl Fn(&Value) -> Option<T>) -> Option<BySide<T>> {
    let of = |side: Side| read(&value[side.as_str()]);
    Some(BySide::new(of(Side::HubSpot)?, of(Side::Salesforce)?))
}

fn fields(value: &Value) -> Option<Fields> {
    let raw = |(name, value): (&String, &Value)| {
        let raw = maybe(value, text)?.map_or(Raw::Null, Raw::Text);
        Some((name.clone(), raw))
    };
    value.as_object()?.iter().map(raw).collect()
}

fn sides(value: &Value) -> Option<BySide<Fields>> {
    both(value, fields)
}

fn link(value: &Value) -> Option<Link> {
    let id = |name: &str| maybe(&value[name], |id| Some(RecordId::new(id.as_str()?)));
    Some(Link {
        id: LinkId::new(value["link"].as_str()?),
        mapping: MappingName::new(value["mapping"].as_str()?),
        group: None,
        records: BySide::new(id("hubspot_id")?, id("salesforce_id")?),
        state: LinkState::parse(value["state"].as_str()?)?,
        note: text(&value["note"])?,
    })
}

fn pair(value: &Value) -> Option<Explained> {
    let revision = |value: &Value| Some(Revision::new(value.as_str()?));
    Some(Explained {
        link: link(value)?,
        earlier: each(&value["earlier"], link)?,
        objects: maybe(&value["objects"], |objects| both(objects, text))?,
        revision: maybe(&value["revision"], revision)?,
        since: maybe(&value["first_agreed_at"], time)?,
        obstacles: each(&value["not_synced"], obstacle)?,
        fields: each(&value["fields"], field)?,
        events: each(&value["events"], event)?,
        next: texts(&value["next"])?,
    })
}

fn loose(value: &Value) -> Option<Loose> {
    Some(Loose {
        key: RecordKey {
            mapping: MappingName::new(value["mapping"].as_str()?),
            side: side(&value["side"])?,
            id: RecordId::new(value["id"].as_str()?),
        },
        obstacles: each(&value["not_synced"], obstacle)?,
        next: texts(&value["next"])?,
    })
}

fn obstacle(value: &Value) -> Option<Obstacle> {
    Some(Obstacle {
        kind: Kind::parse(value["kind"].as_str()?)?,
        since: maybe(&value["since"], time)?,
        what: text(&value["what"])?,
        todo: maybe(&value["do"], text)?.unwrap_or_default(),
    })
}

fn field(value: &Value) -> Option<Field> {
    let history = |value: &Value| Some((each(&value["entries"], event)?, value["total"].as_u64()?));
    Some(Field {
        rule: text(&value["rule"])?,
        names: BySide::new(
            texts(&value["hubspot_fields"])?,
            texts(&value["salesforce_fields"])?,
        ),
        terms: texts(&value["terms"])?,
        base: maybe(&value["base"], sides)?,
        agreed_at: maybe(&value["agreed_at"], time)?,
        seen: Seen {
            sides: sides(&value["seen"])?,
            at: maybe(&value["seen_at"], time)?,
            how: How::parse(value["seen_by"].as_str()?)?,
        },
        last: maybe(&value["last"], event)?,
        obstacles: each(&value["not_synced"], obstacle)?,
        then: maybe(&value["then"], then)?,
        history: maybe(&value["history"], history)?,
        next: maybe(&value["next"], text)?,
    })
}

fn then(value: &Value) -> Option<Then> {
    match value["state"].as_str()? {
        "agreed" => Some(Then::Agreed(sides(&value["base"])?)),
        "not-yet" => Some(Then::NotYet(maybe(&value["first_at"], time)?)),
        "untold" => Some(Then::Untold),
        _ => None,
    }
}

fn event(value: &Value) -> Option<Event> {
    let wrote = |value: &Value| Some((side(&value["side"])?, fields(&value["fields"])?));
    let conflict = |value: &Value| Some(ConflictId::new(value.as_str()?));
    Some(Event {
        at: time(&value["at"])?,
        run: RunId::new(value["run"].as_str()?),
        revision: Revision::new(value["revision"].as_str()?),
        decision: text(&value["decision"])?,
        reason: text(&value["reason"])?,
        detail: text(&value["detail"])?,
        base: maybe(&value["base"], sides)?,
        inputs: sides(&value["inputs"])?,
        winner: maybe(&value["winner"], side)?,
        wrote: maybe(&value["wrote"], wrote)?,
        loser: maybe(&value["loser"], fields)?,
        conflict: maybe(&value["conflict"], conflict)?,
        text: text(&value["text"])?,
    })
}
