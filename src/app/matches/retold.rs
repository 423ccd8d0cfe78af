//! An inventory read back from its answer for machines, so that one that a service took is shown
//! as one that was taken here. The other direction is in `report`, and a test holds the two
//! together.

use std::collections::BTreeMap;

use serde_json::Value;

use super::found::{Found, Group, Groups, Holds, Letters};
use super::report::Report;
use crate::inventory::{Example, Fate, Fill, Inventory, Listed, Used};
use crate::mapping::Counterpart;
use crate::model::{BySide, HoldReason, MappingName, RecordId, Side, Timestamp};
use crate::sync::{Filled, Matched};

/// `None` where it is the answer of another version.
pub fn retold(answer: &Value) -> Option<Report> {
    Some(Report {
        accounts: both(&answer["accounts"], text)?,
        workspace: text(&answer["workspace"])?,
        made_at: Timestamp::parse(answer["made_at"].as_str()?)?,
        missing: each(&answer["missing"], text)?,
        calls: both(&answer["calls"], Value::as_u64)?,
        found: each(&answer["mappings"], mapping)?,
    })
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn id(value: &Value) -> Option<RecordId> {
    value.as_str().map(RecordId::new)
}

fn maybe<T>(value: &Value, read: impl Fn(&Value) -> Option<T>) -> Option<Option<T>> {
    match value {
        Value::Null => Some(None),
        value => read(value).map(Some),
    }
}

fn each<T>(value: &Value, read: impl FnMut(&Value) -> Option<T>) -> Option<Vec<T>> {
    value.as_array()?.iter().map(read).collect()
}

fn both<T>(value: &Value, mut read: impl FnMut(&Value) -> Option<T>) -> Option<BySide<T>> {
    let mut of = |side: Side| read(&value[side.as_str()]);
    Some(BySide::new(of(Side::HubSpot)?, of(Side::Salesforce)?))
}

type Titles = BySide<BTreeMap<RecordId, String>>;

/// Notes what a record is called, where the answer tells it.
fn entitle(titles: &mut Titles, side: Side, id: &RecordId, title: &Value) -> Option<()> {
    if let Some(title) = maybe(title, text)? {
        titles.get_mut(side).insert(id.clone(), title);
    }
    Some(())
}

fn mapping(value: &Value) -> Option<Found> {
    let name = text(&value["mapping"])?;
    let matches = each(&value["matches"], text)?;
    let mut titles = Titles::default();
    let mut inventory = Inventory::new(MappingName::new(&name), BySide::default());
    inventory.fates = both(&value["fates"], fates)?;
    let (mut rules, mut filled) = (Vec::new(), BTreeMap::new());
    for rule in value["rules"].as_array()? {
        let name = text(&rule["rule"])?;
        inventory
            .fills
            .insert(name.clone(), both(&rule["filled"], fill)?);
        filled.insert(name.clone(), pairs(&rule["pairs"])?);
        rules.push(name);
    }
    let paired_by = each(&value["paired_by"], |one| {
        Some((rule(&matches, &one["match"])?, one["pairs"].as_u64()?))
    })?;
    let why = |created: &Value| text(&created["why"]);
    let mut found = Found {
        objects: both(&value["objects"], text)?,
        rules,
        creates: both(&value["creates"], why)?,
        pairs: value["pairs"].as_u64()?,
        paired_by: paired_by.into_iter().collect(),
        paired: each(&value["paired"], |one| matched(&matches, one, &mut titles))?,
        filled,
        ambiguous: groups(&matches, &value["ambiguous"], &mut titles)?,
        doubles: both(&value["doubles"], |of| groups(&matches, of, &mut titles))?,
        letters: letters(&value["failures"], &mut titles)?,
        holds: holds(&value["holds"], &mut titles)?,
        values: each(&value["without_counterpart"], used)?,
        name,
        matches,
        inventory,
    };
    found.inventory.titles = titles;
    Some(found)
}

/// The match rule of these words; the inner `None` is no rule, as it is for a pair made by hand.
fn rule(matches: &[String], value: &Value) -> Option<Option<u16>> {
    let word = value.as_str()?;
    let place = matches.iter().position(|one| one == word);
    Some(place.and_then(|place| u16::try_from(place).ok()))
}

fn fates(value: &Value) -> Option<BTreeMap<Fate, Listed>> {
    let example = |one: &Value| {
        Some(Example {
            id: id(&one["id"])?,
            title: text(&one["title"])?,
        })
    };
    let fate = |(word, of): (&String, &Value)| {
        let listed = Listed {
            count: of["records"].as_u64()?,
            examples: each(&of["examples"], example)?,
        };
        Some((Fate::parse(word)?, listed))
    };
    value.as_object()?.iter().map(fate).collect()
}

fn fill(value: &Value) -> Option<Fill> {
    Some(Fill {
        of: value["records"].as_u64()?,
        filled: value["filled"].as_u64()?,
    })
}

fn pairs(value: &Value) -> Option<Filled> {
    let count = |name: &str| value[name].as_u64();
    Some(Filled {
        both: count("both_filled")?,
        same: count("correspond")?,
        alone: BySide::new(count("only_hubspot")?, count("only_salesforce")?),
        neither: count("neither")?,
    })
}

fn matched(matches: &[String], value: &Value, titles: &mut Titles) -> Option<Matched> {
    let records = both(value, id)?;
    for side in Side::BOTH {
        entitle(
            titles,
            side,
            records.get(side),
            &value["titles"][side.as_str()],
        )?;
    }
    Some(Matched {
        records,
        rule: rule(matches, &value["match"])?,
    })
}

fn groups(matches: &[String], value: &Value, titles: &mut Titles) -> Option<Groups> {
    let mut members = |side: Side, of: &Value| {
        each(of, |one| {
            let id = id(&one["id"])?;
            entitle(titles, side, &id, &one["title"])?;
            Some(id)
        })
    };
    let group = |one: &Value| {
        let mut of = |side: Side| members(side, &one["records"][side.as_str()]);
        Some(Group {
            rule: rule(matches, &one["match"])??,
            members: BySide::new(of(Side::HubSpot)?, of(Side::Salesforce)?),
            counts: both(&one["counts"], Value::as_u64)?,
        })
    };
    Some(Groups {
        count: value["groups"].as_u64()?,
        records: value["records"].as_u64()?,
        listed: each(&value["listed"], group)?,
    })
}

fn letters(value: &Value, titles: &mut Titles) -> Option<BTreeMap<String, Letters>> {
    let mut letter = |one: &Value| {
        let (side, id) = (Side::parse(one["side"].as_str()?)?, id(&one["id"])?);
        entitle(titles, side, &id, &one["title"])?;
        Some((side, id, text(&one["message"])?))
    };
    let of_code = |one: &Value| {
        let letters = Letters {
            count: one["records"].as_u64()?,
            listed: each(&one["examples"], &mut letter)?,
        };
        Some((text(&one["code"])?, letters))
    };
    Some(each(value, of_code)?.into_iter().collect())
}

fn holds(value: &Value, titles: &mut Titles) -> Option<BTreeMap<(String, HoldReason), Holds>> {
    let mut hold = |one: &Value| {
        let records = both(&one["records"], |value| maybe(value, id))?;
        for side in Side::BOTH {
            if let Some(id) = records.get(side) {
                entitle(titles, side, id, &one["titles"][side.as_str()])?;
            }
        }
        Some((records, text(&one["detail"])?))
    };
    let of_reason = |one: &Value| {
        let reason = HoldReason::parse(one["reason"].as_str()?)?;
        let holds = Holds {
            count: one["values"].as_u64()?,
            listed: each(&one["examples"], &mut hold)?,
        };
        Some(((text(&one["rule"])?, reason), holds))
    };
    Some(each(value, of_reason)?.into_iter().collect())
}

fn used(value: &Value) -> Option<Used> {
    let counterpart = match value["becomes"].as_str()? {
        "found" => Counterpart::Found,
        "left-out" => Counterpart::LeftOut,
        "held" => Counterpart::Held(text(&value["why"])?),
        _ => return None,
    };
    Some(Used {
        rule: text(&value["rule"])?,
        from: Side::parse(value["from"].as_str()?)?,
        value: text(&value["value"])?,
        owner: value["owner"].as_bool()?,
        records: value["records"].as_u64()?,
        examples: each(&value["examples"], id)?,
        counterpart,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::Alone;

    fn record(text: &str) -> RecordId {
        RecordId::new(text)
    }

    fn listed(name: &str) -> Listed {
        let example = Example {
            id: record(name),
            title: format!("{name}, a title"),
        };
        Listed {
            count: 7,
            examples: vec![example],
        }
    }

    fn group() -> Group {
        Group {
            rule: 1,
            members: BySide::new(vec![record("1")], vec![record("003A"), record("003B")]),
            counts: BySide::new(1, 2),
        }
    }

    fn groups() -> Groups {
        Groups {
            count: 3,
            records: 9,
            listed: vec![group()],
        }
    }

    /// Something of everything.
    fn report() -> Report {
        let mut inventory = Inventory::new(MappingName::new("people"), BySide::default());
        inventory.fates.hubspot = Fate::ALL
            .into_iter()
            .map(|fate| (fate, listed(fate.as_str())))
            .collect();
        let alone = Fate::Alone(Alone::Never);
        inventory.fates.salesforce.insert(alone, listed("003A"));
        let fill = BySide::new(Fill { of: 8, filled: 4 }, Fill { of: 3, filled: 0 });
        inventory.fills.insert("email".to_owned(), fill);
        let titles = [("1", "One"), ("2", "")];
        inventory.titles.hubspot = titles
            .map(|(id, title)| (record(id), title.to_owned()))
            .into();
        let filled = Filled {
            both: 4,
            same: 3,
            alone: BySide::new(2, 1),
            neither: 5,
        };
        let pair = Matched {
            records: BySide::new(record("2"), record("003C")),
            rule: Some(1),
        };
        let letters = Letters {
            count: 2,
            listed: vec![(Side::HubSpot, record("1"), "no name".to_owned())],
        };
        let holds = Holds {
            count: 6,
            listed: vec![(BySide::new(Some(record("1")), None), "too long".to_owned())],
        };
        let used = |counterpart| Used {
            rule: "owner".to_owned(),
            from: Side::Salesforce,
            value: "Ann".to_owned(),
            owner: true,
            records: 2,
            examples: vec![record("003A")],
            counterpart,
        };
        let found = Found {
            name: "people".to_owned(),
            objects: BySide::new("contacts".to_owned(), "Contact".to_owned()),
            matches: vec!["a = B".to_owned(), "email = Email".to_owned()],
            rules: vec!["email".to_owned()],
            creates: BySide::new("nothing".to_owned(), "always".to_owned()),
            pairs: 4,
            paired_by: BTreeMap::from([(None, 1), (Some(1), 3)]),
            paired: vec![pair],
            filled: BTreeMap::from([("email".to_owned(), filled)]),
            ambiguous: groups(),
            doubles: BySide::new(Groups::default(), groups()),
            letters: BTreeMap::from([("required-missing".to_owned(), letters)]),
            holds: BTreeMap::from([(("title".to_owned(), HoldReason::Refused), holds)]),
            inventory,
            values: vec![
                used(Counterpart::Held("nobody".to_owned())),
                used(Counterpart::LeftOut),
            ],
        };
        Report {
            accounts: BySide::new("42".to_owned(), "00D1".to_owned()),
            workspace: "acme/production".to_owned(),
            made_at: Timestamp::from_millis(1_772_442_000_000),
            missing: vec!["a field".to_owned()],
            calls: BySide::new(3, 4),
            found: vec![found],
        }
    }

    #[test]
    fn an_inventory_is_read_back_as_it_was_told() {
        let told = report().json();
        let read = retold(&told).expect("it can be read");
        assert_eq!(read.json(), told);
        let [one, two] = [report(), read].map(|report| {
            let found = report.found.into_iter().next().expect("a mapping");
            let ambiguous = found.is_ambiguous(&group());
            (found.inventory, ambiguous)
        });
        assert_eq!(one.0.titles, two.0.titles);
        assert_eq!(one.0.fates, two.0.fates);
        assert!(one.1 && two.1);
    }

    #[test]
    fn an_answer_of_another_version_is_not_half_read() {
        let mut told = report().json();
        told["mappings"][0]["matches"].take();
        assert!(retold(&told).is_none());
    }
}
