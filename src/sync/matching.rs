//! Finds the partner of a record that has no link: by our own creation key, then by match rules.
//!
//! Exactly one candidate on both sides makes a pair; several are for a person. Look-ups go to the
//! table that every read fills, never to a search index.

use std::collections::{BTreeMap, BTreeSet};

use super::desk::{Desk, Planning};
use super::fold::load_state;
use super::load::ReadError;
use super::report;
use super::screen::{leave_matches_to_peers, screen};
use super::survivor;
use super::unit::{Batch, End, Unit};
use crate::crm::salesforce::full_id;
use crate::mapping::Bound;
use crate::model::{
    BySide, ErrorClass, Failure, Link, LinkId, LinkState, Presence, RecordId, Side,
};
use crate::pipeline::{AMBIGUOUS, Setback};
use crate::store::StoreError;

type Keys = BTreeMap<(u16, String), BTreeSet<RecordId>>;

pub async fn find_partners(
    desk: &mut Desk<'_>,
    bound: &Bound,
    batch: &mut Batch,
) -> Result<(), ReadError> {
    for unit in batch.open().filter(|unit| unit.link.is_none()) {
        screen(bound, unit);
    }
    if !batch.open().any(|unit| unit.link.is_none()) {
        return Ok(());
    }
    survivor::leave_to_old_links(desk, bound, batch).await?;
    by_key(desk, bound, batch).await?;
    for side in Side::BOTH {
        by_rules(desk, bound, batch, side).await?;
    }
    leave_matches_to_peers(desk, bound, batch).await?;
    Ok(())
}

/// A creation key that names a record of the connected account links the two at once. Keys of
/// other accounts, as a sandbox copy carries them, are ignored.
async fn by_key(desk: &mut Desk<'_>, bound: &Bound, batch: &mut Batch) -> Result<(), StoreError> {
    for side in Side::BOTH {
        let Some(field) = bound.key_field(side) else {
            continue;
        };
        let other = side.other();
        let named: BTreeMap<RecordId, RecordId> = batch
            .units
            .iter()
            .filter(|unit| unit.open() && unit.link.is_none() && unit.source() == side)
            .filter_map(|unit| {
                let key = unit.fields(side)?.get(field)?.as_text()?;
                Some((unit.records.get(side).clone()?, named_by(desk, other, key)?))
            })
            .collect();
        let partners: Vec<RecordId> = named.values().cloned().collect();
        let links = open_links(desk, bound, other, &partners).await?;
        for unit in batch
            .open()
            .filter(|unit| unit.link.is_none() && unit.source() == side)
        {
            let Some(id) = unit.records.get(side).clone() else {
                continue;
            };
            let Some(partner) = named.get(&id) else {
                continue;
            };
            match links.get(partner) {
                None => pair(desk, bound, unit, side, partner.clone()),
                Some(link) if link.state == LinkState::Creating(side) => {
                    // The create's intent is still open; the next pass settles it by reading.
                    adopt(unit, link.clone(), side, id);
                    let at = desk.site.clock.now();
                    let why = "a create whose reply was lost turned up";
                    unit.finish(End::Again(waiting("adopted", why, at)));
                }
                Some(link) => {
                    let end = taken(desk, unit, side, partner, link);
                    unit.finish(end);
                }
            }
        }
    }
    merge_units(batch);
    load_state(desk, batch).await
}

/// The record a key names, when it belongs to the account we are connected to.
pub fn named_by(desk: &Desk<'_>, side: Side, key: &str) -> Option<RecordId> {
    let rest = key.strip_prefix(side.as_str())?.strip_prefix(':')?;
    let (account, id) = rest.split_once(':')?;
    let ours = account == desk.site.accounts.get(side);
    (ours && may_be_id(side, id)).then(|| RecordId::new(id))
}

/// Anybody can type into the key field, and one malformed id fails a whole read.
fn may_be_id(side: Side, id: &str) -> bool {
    match side {
        Side::HubSpot => !id.is_empty() && id.len() < 20 && id.bytes().all(|b| b.is_ascii_digit()),
        Side::Salesforce => full_id(id).is_some_and(|full| full == id),
    }
}

/// The text that a created record carries: whose copy it is.
pub fn creation_key(accounts: &BySide<String>, source: Side, id: &RecordId) -> String {
    format!("{source}:{}:{id}", accounts.get(source))
}

/// A create whose reply was lost: the record turned up, so the link is complete. Its intent is
/// settled by the pass that follows.
pub fn adopt(unit: &mut Unit, mut link: Link, side: Side, id: RecordId) {
    *link.records.get_mut(side) = Some(id);
    unit.records = link.records.clone();
    unit.link = Some(link);
    unit.set_state(LinkState::Linked, "");
}

pub async fn by_rules(
    desk: &mut Desk<'_>,
    bound: &Bound,
    batch: &mut Batch,
    side: Side,
) -> Result<(), StoreError> {
    let mut keys: BTreeSet<(u16, String)> = BTreeSet::new();
    for unit in batch
        .open()
        .filter(|unit| unit.link.is_none() && unit.source() == side)
    {
        keys.extend(keys_of(bound, unit, side));
    }
    if keys.is_empty() {
        return Ok(());
    }
    let keys: Vec<(u16, String)> = keys.into_iter().collect();
    let own = candidates(desk, bound, side, &keys).await?;
    let other = candidates(desk, bound, side.other(), &keys).await?;
    let partners: Vec<RecordId> = other.values().flatten().cloned().collect();
    let links = open_links(desk, bound, side.other(), &partners).await?;
    for unit in batch
        .open()
        .filter(|unit| unit.link.is_none() && unit.source() == side)
    {
        for key in keys_of(bound, unit, side) {
            let theirs = other.get(&key).cloned().unwrap_or_default();
            if theirs.is_empty() {
                continue;
            }
            let ours = own.get(&key).map_or(1, |set| set.len().max(1));
            choose(desk, bound, unit, side, &theirs, ours, &links);
            break;
        }
    }
    merge_units(batch);
    Ok(())
}

/// One candidate on each side is a pair. Anything else is for a person, with the names on it.
fn choose(
    desk: &mut Desk<'_>,
    bound: &Bound,
    unit: &mut Unit,
    side: Side,
    theirs: &BTreeSet<RecordId>,
    ours: usize,
    links: &BTreeMap<RecordId, Link>,
) {
    match theirs.first() {
        Some(partner) if theirs.len() == 1 => match links.get(partner) {
            Some(link) => {
                let end = taken(desk, unit, side, partner, link);
                unit.finish(end);
            }
            None if ours == 1 => pair(desk, bound, unit, side, partner.clone()),
            None => unit.finish(ambiguous(side, theirs, ours)),
        },
        Some(_) | None => unit.finish(ambiguous(side, theirs, ours)),
    }
}

pub fn keys_of(bound: &Bound, unit: &Unit, side: Side) -> Vec<(u16, String)> {
    let Some(fields) = unit.fields(side) else {
        return Vec::new();
    };
    (0_u16..)
        .zip(bound.match_keys(side, fields))
        .filter_map(|(rule, key)| key.map(|key| (rule, key)))
        .collect()
}

pub async fn candidates(
    desk: &Desk<'_>,
    bound: &Bound,
    side: Side,
    keys: &[(u16, String)],
) -> Result<Keys, StoreError> {
    let (store, ws) = (&desk.site.store, &desk.site.workspace);
    let mut found = Keys::new();
    for (rule, key, id) in store
        .match_lookup(ws, &bound.mapping().name, side, keys)
        .await?
    {
        found.entry((rule, key)).or_default().insert(id);
    }
    Ok(found)
}

pub async fn open_links(
    desk: &Desk<'_>,
    bound: &Bound,
    side: Side,
    ids: &[RecordId],
) -> Result<BTreeMap<RecordId, Link>, StoreError> {
    let links = links_of(desk, bound, side, ids).await?;
    Ok(links
        .into_iter()
        .filter(|link| link.state.is_open())
        .filter_map(|link| link.records.get(side).clone().map(|id| (id, link)))
        .collect())
}

/// All links of these records, closed ones too; of a HubSpot record also those of the group.
pub async fn links_of(
    desk: &Desk<'_>,
    bound: &Bound,
    side: Side,
    ids: &[RecordId],
) -> Result<Vec<Link>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let (store, ws) = (&desk.site.store, &desk.site.workspace);
    match &bound.mapping().group {
        Some(group) if side == Side::HubSpot => store.links_of_group(ws, group, ids).await,
        Some(_) | None => {
            let name = &bound.mapping().name;
            store.links_by_record(ws, name, side, ids).await
        }
    }
}

fn pair(desk: &mut Desk<'_>, bound: &Bound, unit: &mut Unit, side: Side, partner: RecordId) {
    *unit.records.get_mut(side.other()) = Some(partner);
    unit.link = Some(new_link(
        desk,
        bound,
        unit.records.clone(),
        LinkState::Linked,
    ));
    unit.link_dirty = true;
}

pub fn new_link(
    desk: &Planning<'_>,
    bound: &Bound,
    records: BySide<Option<RecordId>>,
    state: LinkState,
) -> Link {
    let mapping = bound.mapping();
    Link {
        id: LinkId::from_uuid(&desk.site.ids.next()),
        mapping: mapping.name.clone(),
        group: mapping.group.clone(),
        records,
        state,
        note: String::new(),
    }
}

/// Both records of a new pair were marked: one unit, planned once, completed together.
fn merge_units(batch: &mut Batch) {
    let mut homes: BTreeMap<(Side, RecordId), usize> = BTreeMap::new();
    for (at, pair) in batch.units.iter().enumerate() {
        if !pair.open() || pair.link.is_none() {
            continue;
        }
        for side in Side::BOTH {
            if let Some(id) = pair.records.get(side).clone() {
                homes.entry((side, id)).or_insert(at);
            }
        }
    }
    let mut slots: Vec<Option<Unit>> = batch.units.drain(..).map(Some).collect();
    for at in 0..slots.len() {
        let Some(home) = slots[at].as_ref().and_then(|unit| home_of(unit, &homes)) else {
            continue;
        };
        if let Some(mut single) = slots[at].take()
            && let Some(pair) = &mut slots[home]
        {
            pair.claimed.append(&mut single.claimed);
            for side in Side::BOTH {
                if pair.read.get(side).is_none() {
                    *pair.read.get_mut(side) = single.read.get_mut(side).take();
                }
            }
        }
    }
    batch.units.extend(slots.into_iter().flatten());
}

/// Where the pair is that a single record turned out to belong to.
fn home_of(single: &Unit, homes: &BTreeMap<(Side, RecordId), usize>) -> Option<usize> {
    let side = single.source();
    let id = single.records.get(side).clone()?;
    let alone = single.open() && single.link.is_none();
    homes.get(&(side, id)).copied().filter(|_| alone)
}

/// The partner was not read when it was chosen. If it has gone or changed its key since the table
/// was filled, the choice is taken back and made again from what is known now.
pub fn verify(desk: &Desk<'_>, bound: &Bound, unit: &mut Unit, theirs: &Kept) {
    let (Some(hubspot), Some(salesforce)) = (&unit.read.hubspot, &unit.read.salesforce) else {
        return;
    };
    let keys = [
        bound.match_keys(Side::HubSpot, &hubspot.fields),
        bound.match_keys(Side::Salesforce, &salesforce.fields),
    ];
    let live = hubspot.presence == Presence::Live && salesforce.presence == Presence::Live;
    let shared = keys[0]
        .iter()
        .zip(&keys[1])
        .any(|(one, two)| one.is_some() && one == two);
    let keyed = Side::BOTH
        .into_iter()
        .any(|side| carries_key(desk, bound, unit, side));
    if live && (shared || keyed) {
        return;
    }
    if keyed {
        let end = names_nobody(desk, bound, unit, theirs);
        unit.link = None;
        unit.link_dirty = false;
        return unit.finish(end);
    }
    for side in Side::BOTH {
        if let Some(record) = unit.read.get(side) {
            unit.changes
                .match_keys
                .push(crate::pipeline::keys_of(bound, side, record));
        }
    }
    unit.link = None;
    unit.link_dirty = false;
    let at = desk.site.clock.now();
    unit.finish(End::Again(waiting(
        "match-changed",
        "the partner changed meanwhile",
        at,
    )));
}

/// Records that the group's other mappings have links for.
pub type Kept = BTreeSet<(Side, RecordId)>;

/// Of the records that the batch is newly paired with, those that a peer has a link for: a copy of
/// a Lead carries the Lead's key and is no business of the mapping of Contacts.
pub async fn kept_by_peers(
    desk: &Desk<'_>,
    bound: &Bound,
    batch: &Batch,
) -> Result<Kept, StoreError> {
    let mut kept = Kept::new();
    for side in Side::BOTH {
        let ids = batch.ids(side, |unit| unit.link_dirty);
        if ids.is_empty() {
            continue;
        }
        for peer in desk.site.peers(bound) {
            let (store, ws) = (&desk.site.store, &desk.site.workspace);
            let name = &peer.mapping().name;
            let links = store.links_by_record(ws, name, side, &ids).await?;
            let records = links
                .into_iter()
                .filter_map(|link| link.records.get(side).clone());
            kept.extend(records.map(|id| (side, id)));
        }
    }
    Ok(kept)
}

/// The copy of a record that was deleted stays as it is. A key that names no record of this object
/// was meant otherwise, and its bearer would be left alone without a word.
fn names_nobody(desk: &Desk<'_>, bound: &Bound, unit: &Unit, theirs: &Kept) -> End {
    let is = |side: Side, presence: &Presence| {
        let record = unit.read.get(side).as_ref();
        record.is_some_and(|record| record.presence == *presence)
    };
    let bearer = Side::BOTH
        .into_iter()
        .filter(|side| carries_key(desk, bound, unit, *side))
        .find(|side| is(*side, &Presence::Live) && is(side.other(), &Presence::NotVisible));
    let named = |side: Side| unit.records.get(side.other()).as_ref();
    let peers =
        |side: Side| named(side).is_some_and(|id| theirs.contains(&(side.other(), id.clone())));
    let Some(side) = bearer.filter(|side| !peers(*side)) else {
        return End::Done;
    };
    let field = bound.key_field(side).unwrap_or_default();
    let text = |raw: &crate::model::Raw| raw.as_text().map(str::to_owned);
    let key = unit
        .fields(side)
        .and_then(|fields| text(fields.get(field)?));
    let objects = &bound.mapping().objects;
    report::person(
        "key-names-nobody",
        format!(
            "its creation key `{}` names no record of {} {}: it names one of another object, or \
             one that is hidden or gone for good. Clear the field `{field}` of {} {}, and the \
             record is matched like any other; or pair it by hand with `tandem links pair`.",
            key.unwrap_or_default(),
            side.other().title(),
            objects.get(side.other()),
            side.title(),
            unit.records.get(side).as_ref().map_or("", RecordId::as_str),
        ),
    )
}

fn carries_key(desk: &Desk<'_>, bound: &Bound, unit: &Unit, side: Side) -> bool {
    let key = bound
        .key_field(side)
        .and_then(|field| unit.fields(side)?.get(field)?.as_text())
        .and_then(|key| named_by(desk, side.other(), key));
    key.is_some() && key == *unit.records.get(side.other())
}

pub fn waiting(code: &str, message: &str, at: crate::model::Timestamp) -> Setback {
    let failure = Failure {
        class: ErrorClass::Blocked,
        code: code.to_owned(),
        message: message.to_owned(),
        fields: Vec::new(),
    };
    Setback {
        failure,
        retry_after: Some(at),
        stale: false,
    }
}

fn ambiguous(side: Side, theirs: &BTreeSet<RecordId>, ours: usize) -> End {
    let names: Vec<&str> = theirs.iter().take(10).map(RecordId::as_str).collect();
    report::person(
        AMBIGUOUS,
        format!(
            "{ours} {} record(s) match {} {} record(s): {}. Pair the right two with \
             `tandem links pair`, or change the key of the others.",
            side.title(),
            theirs.len(),
            side.other().title(),
            names.join(", "),
        ),
    )
}

pub fn taken(desk: &Desk<'_>, unit: &Unit, side: Side, partner: &RecordId, link: &Link) -> End {
    if link.records.get(side) == unit.records.get(side) {
        // A create that was settled a moment ago completed this very link: look again under it.
        let now = desk.site.clock.now();
        return End::Again(waiting(
            "linked-meanwhile",
            "the pair was just completed",
            now,
        ));
    }
    let held = link.records.get(side).as_ref();
    let holder = held.map_or("a record being created", RecordId::as_str);
    let told = format!(
        "matches {} {partner}, which is linked to {} {holder} already. Merge the two {} \
         records, or pair them differently with `tandem links`.",
        side.other().title(),
        side.title(),
        side.title(),
    );
    match held {
        Some(_) => report::person("already-linked", told),
        // What is being created may turn out to be this very record, so that comes first.
        None => End::Failed(report::setback(
            ErrorClass::Transient,
            "already-linked",
            told,
        )),
    }
}
