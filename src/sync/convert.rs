//! A Lead that was converted lives on as a Contact: the link of the Lead's mapping is replaced by
//! one of the Contact's mapping in the same group.
//!
//! What both sides agreed on about the Lead stays agreed where the Contact holds the same; where it
//! holds something else, that is Salesforce's change. Accounts and opportunities that came of it
//! are marked. As with merges, only the store changes here.

use std::collections::BTreeMap;

use super::desk::Desk;
use super::follow::{
    CONVERTED, FOLLOWED, Trail, alias, blanks, close_letters, detach, leave_to_person, mark,
    may_follow, soon, trails,
};
use super::gone;
use super::kin::{Claim, Kin, claim};
use super::load::ReadError;
use super::matching::new_link;
use super::report::{Note, journal};
use super::unit::{Batch, End, Unit};
use crate::mapping::{Bound, References, Rule};
use crate::merge::{self, RuleInput};
use crate::model::{
    Bases, BySide, Fields, Halves, Link, LinkState, Presence, Raw, RecordId, RecordKey, Side,
};
use crate::pipeline::{Site, rule_fields};
use crate::store::{ConflictClose, DeadLetterClose, DeadLetterOf, DeadLetterState, RuleScope};

const SIDE: Side = Side::Salesforce;

pub async fn converted(
    desk: &mut Desk<'_>,
    bound: &Bound,
    batch: &mut Batch,
) -> Result<(), ReadError> {
    let mut wanted: Vec<(usize, RecordId)> = Vec::new();
    let mut from = BTreeMap::new();
    let site = desk.site;
    let peer = contacts_of(site, bound);
    for (at, unit) in batch.units.iter_mut().enumerate() {
        let Some((id, contact)) = becomes(unit).filter(|_| may_follow(unit)) else {
            continue;
        };
        match (contact, peer) {
            (Some(contact), Some(_)) => {
                from.insert(id.clone(), contact);
                wanted.push((at, id));
            }
            (contact, _) => not_followed(bound, unit, contact.as_ref()),
        }
    }
    let Some(peer) = peer.filter(|_| !wanted.is_empty()) else {
        return Ok(());
    };
    let trails = trails(desk, peer, SIDE, &from).await?;
    let mut kin = Kin::load(desk, peer, SIDE, trails.values()).await?;
    // The older pair first, should two Leads have become one Contact.
    wanted.sort_by_key(|(at, _)| batch.units[*at].link.as_ref().map(|link| link.id.clone()));
    for (at, id) in wanted {
        let unit = &mut batch.units[at];
        match trails.get(&id) {
            Some(trail) if trail.end.presence == Presence::Live => {
                replace(desk, bound, peer, unit, trail, &mut kin);
            }
            Some(trail) if trail.end.presence == Presence::Deleted => {
                gone::bury(
                    desk,
                    bound,
                    unit,
                    "converted, and the Contact deleted",
                    SIDE,
                );
            }
            Some(_) | None => not_followed(bound, unit, from.get(&id)),
        }
    }
    Ok(())
}

/// The mapping of the group that pairs Contacts with the same HubSpot object.
fn contacts_of<'a>(site: &'a Site, bound: &'a Bound) -> Option<&'a Bound> {
    site.peers(bound).find(|peer| {
        peer.object(SIDE) == "Contact" && peer.object(SIDE.other()) == bound.object(SIDE.other())
    })
}

fn becomes(unit: &Unit) -> Option<(RecordId, Option<RecordId>)> {
    let record = unit.read.get(SIDE).as_ref()?;
    match &record.presence {
        Presence::Converted { contact } => Some((record.id.clone(), contact.clone())),
        Presence::Live | Presence::Deleted | Presence::MergedInto(_) | Presence::NotVisible => None,
    }
}

fn not_followed(bound: &Bound, unit: &mut Unit, contact: Option<&RecordId>) {
    let into = contact.map_or_else(String::new, |id| format!(" into Contact {id}"));
    let what = format!(
        "was converted{into}, and no mapping of its group can go on with that; pair the Contact \
         by hand"
    );
    leave_to_person(bound, unit, SIDE, CONVERTED, &what);
}

fn replace(
    desk: &Desk<'_>,
    bound: &Bound,
    peer: &Bound,
    unit: &mut Unit,
    trail: &Trail,
    kin: &mut Kin,
) {
    let Some(old) = unit.link.clone() else { return };
    mark_offspring(desk, unit);
    if old.records.hubspot.is_none() {
        // Its copy was never made; the Contact gets one of its own if its mapping says so.
        unit.set_state(LinkState::Unlinked, CONVERTED);
        return unit.finish(End::Done);
    }
    match claim(&old, &unit.bases, SIDE, trail, kin) {
        Claim::Keep { displaced } => {
            unit.changes.links.extend(displaced);
            let link = pair_contact(desk, bound, peer, unit, &old, trail);
            kin.take(&trail.end.id, Some(&link));
        }
        Claim::Yield(to) => {
            let what = format!("was converted into Contact {}", trail.end.id);
            detach(desk, bound, unit, SIDE, (CONVERTED, &what), &to);
            alias(bound, unit, SIDE, &old, trail);
        }
        Claim::Wait => unit.finish(soon(desk)),
        Claim::Unclear(_) => not_followed(bound, unit, Some(&trail.end.id)),
    }
}

/// The account and the opportunity of the conversion belong to other mappings.
fn mark_offspring(desk: &Desk<'_>, unit: &mut Unit) {
    for (field, object) in [
        ("ConvertedAccountId", "Account"),
        ("ConvertedOpportunityId", "Opportunity"),
    ] {
        let text = unit.fields(SIDE).and_then(|f| f.get(field)?.as_text());
        let Some(id) = text.map(RecordId::new) else {
            continue;
        };
        let theirs = desk.site.mappings.values();
        for bound in theirs.filter(|bound| bound.object(SIDE) == object) {
            let key = key(bound, SIDE, id.clone());
            unit.changes.marks.push(mark(desk, key));
        }
    }
}

fn key(bound: &Bound, side: Side, id: RecordId) -> RecordKey {
    RecordKey {
        mapping: bound.mapping().name.clone(),
        side,
        id,
    }
}

fn pair_contact(
    desk: &Desk<'_>,
    bound: &Bound,
    peer: &Bound,
    unit: &mut Unit,
    old: &Link,
    trail: &Trail,
) -> Link {
    let contact = trail.end.id.clone();
    let records = BySide::new(old.records.hubspot.clone(), Some(contact.clone()));
    let mut link = new_link(desk, peer, records, LinkState::Linked);
    FOLLOWED.clone_into(&mut link.note);
    let bases = carried(bound, peer, &unit.bases, &trail.end.fields);
    unit.changes.bases.push((link.id.clone(), bases));
    unit.changes.links.push(link.clone());
    unit.set_state(LinkState::Unlinked, CONVERTED);
    let holds = std::mem::take(&mut unit.holds);
    let closed = holds.into_iter().map(|hold| (hold.link, hold.rule));
    unit.changes.holds_closed.extend(closed);
    unit.changes.conflicts_closed.push(ConflictClose {
        link: old.id.clone(),
        rule: None,
        why: "the Lead was converted".to_owned(),
    });
    close_letters(unit, old, "the Lead was converted");
    let contact_key = key(peer, SIDE, contact);
    unit.changes.dead_letters_closed.push(DeadLetterClose {
        of: DeadLetterOf::Task(crate::model::Task::Record(contact_key.clone())),
        rules: RuleScope::All,
        state: DeadLetterState::Closed,
        why: "the Contact took the place of its Lead".to_owned(),
    });
    alias(bound, unit, SIDE, old, trail);
    let mut note = Note::new("", "follow", CONVERTED);
    note.inputs = BySide::from_fn(|side| unit.fields(side).cloned().unwrap_or_default());
    note.detail = format!("replaced by {} with Contact {}", link.id, trail.end.id);
    journal(desk, bound, unit, note);
    unit.changes.unblock.push(contact_key.clone());
    unit.changes.marks.push(mark(desk, contact_key));
    unit.finish(End::Done);
    link
}

/// The bases of the Lead's rules, for the Contact's rules over the same HubSpot properties.
fn carried(bound: &Bound, peer: &Bound, bases: &Bases, contact: &Fields) -> Bases {
    let mut carried = Bases::new();
    for rule in &peer.mapping().rules {
        let same = |old: &&Rule| old.sides.hubspot == rule.sides.hubspot;
        let old = bound.mapping().rules.iter().find(same);
        let base = old.and_then(|old| {
            let base = bases.get(&old.name)?;
            (base.rule_hash == old.hash && rule.reference().is_none()).then_some(base)
        });
        let sides = base.and_then(|base| halves(peer, rule, &base.sides.hubspot, contact));
        if let Some(sides) = sides {
            let rule_hash = rule.hash.clone();
            carried.insert(rule.name.clone(), Halves { sides, rule_hash });
        }
    }
    carried
}

/// What the two would have agreed on: HubSpot's half as it was, and the Contact's value if it is
/// the same, else what HubSpot's half comes to there. A value that the conversion did not take
/// along is not emptied in HubSpot. `None`: nothing can be said, and the rule is met as new.
fn halves(peer: &Bound, rule: &Rule, hubspot: &Fields, contact: &Fields) -> Option<BySide<Fields>> {
    let none = References::default();
    let held = rule_fields(rule, SIDE, contact);
    let blank = |fields: &Fields| fields.values().all(Raw::is_blank);
    if blank(&held) && !blank(hubspot) {
        return Some(blanks(rule));
    }
    let sides = BySide::new(hubspot.clone(), held);
    let now = BySide::from_fn(|side| peer.canon(rule, side, sides.get(side), &none));
    let carried = BySide::from_fn(|side| {
        let from = side.other();
        let value = now.get(from).clone()?;
        peer.carry(rule, from, sides.get(from), &value, &none)
    });
    let sent = carried.salesforce.clone();
    let input = RuleInput::new(rule.name.clone(), &rule.policy, now, carried);
    if merge::corresponds(&input).is_some() {
        return Some(sides);
    }
    let mut then = blanks(rule).salesforce;
    then.extend(
        peer.render(rule, SIDE, &sent.ok()?, &Fields::new(), &none)
            .ok()?,
    );
    Some(BySide::new(sides.hubspot, then))
}
