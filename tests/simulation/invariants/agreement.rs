//! I1 to I4: both sides agree, nothing is lost, nothing is written in vain, bases are true.

use tandem::model::{Fields, IntentKind, Link, LinkState, RecordId, Side};
use tandem::store::ConflictState;

use super::{Rest, holds_record};
use crate::cast::{Cast, Kind, Rule, same};
use crate::ledger::Edit;
use crate::mirror::{Partner, Pending};
use crate::stage::Stage;

fn id_on(link: &Link, side: Side) -> &str {
    link.records.get(side).as_ref().map_or("", RecordId::as_str)
}

/// I1. Otherwise a user sees two different values in the two CRMs, and nobody says so.
pub fn both_sides_agree(stage: &mut Stage, rest: &Rest) -> Result<(), String> {
    for link in rest
        .links
        .iter()
        .filter(|link| link.state == LinkState::Linked)
    {
        let (hubspot, salesforce) = (id_on(link, Side::HubSpot), id_on(link, Side::Salesforce));
        let here = rest.shots.get(Side::HubSpot, hubspot);
        let there = rest.shots.get(Side::Salesforce, salesforce);
        let (Some(here), Some(there)) = (here, there) else {
            return Err(format!(
                "the link {hubspot}/{salesforce} names a record that never was"
            ));
        };
        let explained = rest.letter_of(link).is_some();
        if here.live != there.live && !explained {
            return Err(format!(
                "of {hubspot}/{salesforce} one is deleted and both are linked"
            ));
        }
        for rule in &stage.cast.pair(link.mapping.as_str()).rules {
            let (h, s) = (
                here.get(rule.fields.hubspot),
                there.get(rule.fields.salesforce),
            );
            let held = rest
                .holds
                .iter()
                .any(|hold| hold.link == link.id && hold.rule == rule.name);
            let drifts = rule.kind == Kind::OneWay;
            if !same(rule.kind, h, s) && !held && !explained && !drifts {
                let name = rule.name;
                return Err(format!("{name} of {hubspot}/{salesforce}: {h:?} and {s:?}"));
            }
        }
    }
    Ok(())
}

/// I2. Otherwise calls are spent, stamps move and automations run for nothing.
pub fn nothing_is_written_in_vain(stage: &mut Stage, pending: &Pending) -> Result<(), String> {
    for intent in pending
        .intents
        .iter()
        .filter(|intent| intent.kind == IntentKind::Update)
    {
        for intended in &intent.rules {
            let rule = rule_of(stage.cast, intent.mapping.as_str(), &intended.rule);
            let Some(rule) = rule else { continue };
            let text = |fields: &Fields, name: &str| {
                fields
                    .get(name)
                    .and_then(|raw| raw.as_text())
                    .unwrap_or_default()
                    .to_owned()
            };
            let vain = !intended.after.is_empty()
                && intended.after.keys().all(|name| {
                    let (before, after) =
                        (text(&intended.before, name), text(&intended.after, name));
                    match rule.kind {
                        // Another letter case is an edit: it is carried, for who may keep it.
                        Kind::Shouted => before == after,
                        kind => same(kind, &before, &after),
                    }
                });
            if vain {
                return Err(format!(
                    "{} {}.{} is to be written as it is: {:?}",
                    intent.side, intent.target, rule.name, intended.after
                ));
            }
        }
    }
    Ok(())
}

fn rule_of(cast: &'static Cast, mapping: &str, name: &str) -> Option<&'static Rule> {
    cast.pair(mapping)
        .rules
        .iter()
        .find(|rule| rule.name == name)
}

/// I3. Otherwise somebody's work vanishes, and nobody can tell that it ever was.
pub fn no_edit_is_lost(stage: &mut Stage, rest: &Rest) -> Result<(), String> {
    let mut unknown = [0_u64; 2];
    let mut lost = None;
    for edit in &stage.ledger.edits {
        match fate(stage, rest, edit) {
            Found::Accounted => {}
            Found::Overtaken => unknown[usize::from(edit.place.0 == Side::Salesforce)] += 1,
            Found::Lost => lost = lost.or(Some(edit.clone())),
        }
    }
    stage.counts.add("edits unknown on hubspot", unknown[0]);
    stage.counts.add("edits unknown on salesforce", unknown[1]);
    match lost {
        None => Ok(()),
        Some(edit) => Err(format!(
            "{:?}, typed into {} {}.{} at seam {} over {:?}, is nowhere",
            edit.value, edit.place.0, edit.place.1, edit.field, edit.seam, edit.saw
        )),
    }
}

enum Found {
    Accounted,
    /// One of our writes replaced it between our read and our write. The platform was not asked
    /// for its history, so nothing names the value.
    Overtaken,
    Lost,
}

fn fate(stage: &Stage, rest: &Rest, edit: &Edit) -> Found {
    let (side, id) = (edit.place.0, edit.place.1.as_str());
    let pair = stage.cast.pair(edit.mapping);
    let Some(rule) = pair.rules.iter().find(|rule| rule.name == edit.rule) else {
        return Found::Accounted;
    };
    let shot = rest.shots.get(side, id);
    let visible =
        shot.is_some_and(|shot| !shot.live || same(rule.kind, &edit.value, shot.get(edit.field)));
    // The elements of a set have lives of their own; a one-way destination is the source's.
    let not_asked = rule.kind == Kind::Set || rule.kind == Kind::OneWay && side == Side::Salesforce;
    let partners = stage.mirror.partners_since(side, id, edit.seam);
    let links = rest
        .links
        .iter()
        .filter(|link| holds_record(link, side, id))
        .count();
    let competes = |partner: &Partner| stage.ledger.competes(edit, partner);
    let contested = edit.fresh || links > 1 || partners.is_empty() || partners.iter().any(competes);
    // A blank is an edit to the pair that had agreed on something else, and none to a later pair.
    let now = stage.mirror.link_of(side, id).map(|link| &link.id);
    let parted = edit.value.is_empty() && edit.link.as_ref() != now;
    if visible
        || edit.nothing
        || parted
        || not_asked
        || stage.ledger.superseded(edit, &partners, rule.kind)
        || kept(rest, rule, edit, contested)
    {
        Found::Accounted
    } else if edit.overtaken
        || told_unknown(rest, rule, edit)
        || stage.ledger.replaced_there(edit, &partners, rule.kind)
    {
        Found::Overtaken
    } else {
        Found::Lost
    }
}

/// The journal says of a write without a reply that nobody can tell whose value stood there after
/// it. Somebody who types just what that write was to bring cannot be told from it.
fn told_unknown(rest: &Rest, rule: &Rule, edit: &Edit) -> bool {
    let (side, id) = (edit.place.0, edit.place.1.as_str());
    rest.journal.iter().any(|entry| {
        let link = rest
            .links
            .iter()
            .find(|link| Some(&link.id) == entry.link.as_ref());
        let wrote = entry.wrote.as_ref().filter(|(to, _)| *to == side);
        let value = wrote.and_then(|(_, fields)| fields.get(edit.field)?.as_text());
        entry.rule == rule.name
            && (entry.decision.as_str(), entry.reason.as_str()) == ("audit", "unknown")
            && link.is_some_and(|link| holds_record(link, side, id))
            && value.is_some_and(|value| same(rule.kind, &edit.value, value))
    })
}

/// The value is kept where a person finds it. In a conflict only when somebody contested it: who
/// edits alone has to win.
fn kept(rest: &Rest, rule: &Rule, edit: &Edit, contested: bool) -> bool {
    let (side, id) = (edit.place.0, edit.place.1.as_str());
    let in_fields = |fields: &Fields| {
        Side::BOTH.into_iter().any(|side| {
            let raw = fields.get(*rule.fields.get(side));
            raw.is_some_and(|raw| same(rule.kind, &edit.value, raw.as_text().unwrap_or_default()))
        })
    };
    let ours = |link: &tandem::model::LinkId| {
        let link = rest.links.iter().find(|one| one.id == *link);
        link.is_some_and(|link| holds_record(link, side, id))
    };
    let in_conflict = rest.conflicts.iter().any(|row| {
        let open = row.state == ConflictState::Open;
        ours(&row.link)
            && row.rule == rule.name
            && (in_fields(&row.loser)
                || open
                    && Side::BOTH
                        .into_iter()
                        .any(|side| in_fields(row.inputs.get(side))))
    });
    let in_hold = rest.holds.iter().any(|hold| {
        ours(&hold.link)
            && hold.rule == rule.name
            && Side::BOTH
                .into_iter()
                .any(|side| in_fields(hold.sides.get(side)))
    });
    contested && in_conflict || in_hold
}

/// I4. Otherwise an edit is taken for what was agreed, and is overwritten as if it were old.
pub fn bases_were_held(stage: &mut Stage, pending: &Pending) -> Result<(), String> {
    for (id, bases) in &pending.bases {
        let link = pending.links.iter().find(|link| link.id == *id);
        let Some(link) = link.or_else(|| stage.mirror.links.get(id)) else {
            return Err(format!("bases of the unknown link {id}"));
        };
        for (rule, halves) in bases {
            for side in Side::BOTH {
                let place = (side, id_on(link, side).to_owned());
                for (field, raw) in halves.sides.get(side) {
                    let value = raw.as_text().unwrap_or_default();
                    let ledger = &stage.ledger;
                    if !ledger.ever_held(&place, field, value)
                        && !ledger.took_and_lost(&place, field, value)
                    {
                        return Err(format!(
                            "the base of {rule} says that {side} {}.{field} held {value:?}",
                            place.1
                        ));
                    }
                }
            }
        }
    }
    Ok(())
}

/// I4. Otherwise the next edit meets no base, and is judged as if the two had never met.
pub fn first_contact_ends_in_a_base(stage: &mut Stage, rest: &Rest) -> Result<(), String> {
    for link in rest
        .links
        .iter()
        .filter(|link| link.state == LinkState::Linked)
    {
        let known = |rule: &str| {
            let based = stage.mirror.bases.get(&link.id);
            based.is_some_and(|bases| bases.contains_key(rule))
                || rest
                    .holds
                    .iter()
                    .any(|hold| hold.link == link.id && hold.rule == rule)
        };
        let rules = &stage.cast.pair(link.mapping.as_str()).rules;
        if let Some(rule) = rules.iter().find(|rule| !known(rule.name))
            && rest.letter_of(link).is_none()
        {
            return Err(format!(
                "{} of the link {} has no base and no hold",
                rule.name, link.id
            ));
        }
    }
    Ok(())
}

/// I1, for whom a person works for. Otherwise the two CRMs name two employers.
pub fn both_sides_name_one_parent(stage: &mut Stage, rest: &Rest) -> Result<(), String> {
    if !stage.cast.references {
        return Ok(());
    }
    let linked = |link: &&Link| link.state == LinkState::Linked;
    for link in rest
        .links
        .iter()
        .filter(linked)
        .filter(|link| link.mapping.as_str() == "contacts")
    {
        let shot = |side: Side| rest.shots.get(side, id_on(link, side));
        let (Some(here), Some(there)) = (shot(Side::HubSpot), shot(Side::Salesforce)) else {
            continue;
        };
        let counterpart = rest.links.iter().filter(linked).find_map(|firm| {
            holds_record(firm, Side::HubSpot, &here.parent)
                .then(|| id_on(firm, Side::Salesforce).to_owned())
        });
        let explained = rest.holds.iter().any(|hold| hold.link == link.id)
            || rest.letter_of(link).is_some()
            || !rest.letters.is_empty()
            || !stage.ledger.deleted.is_empty();
        let agree = counterpart.unwrap_or_default() == there.parent;
        if here.live && there.live && !agree && !explained {
            return Err(format!(
                "{} works for {:?} and {} for {:?}",
                id_on(link, Side::HubSpot),
                here.parent,
                id_on(link, Side::Salesforce),
                there.parent
            ));
        }
    }
    Ok(())
}
