//! The words of an inventory, the same on the terminal and on a page.

use crate::app::matches::{Found, Group};
use crate::inventory::{Alone, Fate, Used};
use crate::mapping::Counterpart;
use crate::model::{BySide, HoldReason, RecordId, Side};

/// Members of a group that are shown before the rest is counted.
const SHOWN_MEMBERS: usize = 4;

pub const fn fate(fate: Fate) -> &'static str {
    match fate {
        Fate::Paired => "paired",
        Fate::Elsewhere => "paired under another mapping of the group",
        Fate::Created => "would be created on the other side",
        Fate::Person => "need a person",
        Fate::Waiting => "wait for another record",
        Fate::Alone(Alone::Condition) => "stay alone: `create` does not hold for them",
        Fate::Alone(Alone::Never) => "stay alone: `create` says never",
        Fate::Alone(Alone::OneWay) => "stay alone: nothing goes to the other side",
        Fate::Alone(Alone::Peer) => "stay alone: match under another mapping",
        Fate::Outside => "outside the filter (`only`)",
    }
}

/// What a dead letter of this code means for a first run.
pub fn failure(code: &str) -> &str {
    match code {
        "already-linked" => "cannot be paired: what they match is paired with another record",
        "required-missing" => "cannot be created: a value is missing that the other side needs",
        "no-key-field" => "cannot be created: the other side has no key field",
        "key-names-nobody" => {
            "cannot be paired: the key they carry names a record that is not there"
        }
        other => other,
    }
}

pub const fn hold(reason: HoldReason) -> &'static str {
    match reason {
        HoldReason::Ask => "the two differ, and the rule asks a person",
        HoldReason::Refused => "would be refused",
        HoldReason::Unmapped => "has no counterpart",
        HoldReason::Unreadable => "cannot be read, or does not fit",
        HoldReason::Unresolved => "follows once the other record is paired",
        HoldReason::Altered | HoldReason::NotKept => "was not kept as it was written",
        HoldReason::Guard => "a guard stopped it",
        HoldReason::Oscillation => "was written back and forth",
        HoldReason::Undone => "was taken back",
    }
}

/// What becomes of a value without a counterpart.
pub fn counterpart(used: &Used) -> String {
    match (&used.counterpart, used.owner) {
        (Counterpart::Held(why), _) => why.clone(),
        (Counterpart::LeftOut | Counterpart::Found, true) => "the owner there stays".to_owned(),
        (Counterpart::LeftOut | Counterpart::Found, false) => "left out".to_owned(),
    }
}

/// `1 record`, `2 records`.
pub fn count(number: u64, one: &str, many: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        number => format!("{number} {many}"),
    }
}

/// The members of a group on one side.
pub fn members(found: &Found, group: &Group, side: Side) -> String {
    let all = *group.counts.get(side);
    let shown = group.members.get(side).iter().take(SHOWN_MEMBERS);
    let mut names: Vec<String> = shown.map(|id| found.named(side, id)).collect();
    let more = all.saturating_sub(names.len() as u64);
    if more > 0 {
        names.push(format!("and {more} more"));
    }
    names.join("\n")
}

/// The records of a pair, or the one there is.
pub fn pair(found: &Found, records: &BySide<Option<RecordId>>) -> String {
    let named = |side: Side| {
        let id = records.get(side).as_ref()?;
        Some(format!("{} {}", side.title(), found.named(side, id)))
    };
    let (hubspot, salesforce) = (named(Side::HubSpot), named(Side::Salesforce));
    hubspot.or(salesforce).unwrap_or_default()
}

/// A row for each value of the records that travel that has no counterpart: owners, or all others.
pub fn without_counterpart(found: &Found, owners: bool) -> Vec<Vec<String>> {
    let of_kind = found.values.iter().filter(|used| used.owner == owners);
    let rows = of_kind.map(|used| {
        vec![
            used.rule.clone(),
            used.from.title().to_owned(),
            used.value.clone(),
            used.records.to_string(),
            counterpart(used),
        ]
    });
    rows.collect()
}
