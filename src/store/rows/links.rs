//! Rows of links, bases, holds and intents.

use serde::Serialize;
use sqlx::FromRow;

use crate::model::{
    Bases, BySide, Hold, HoldReason, Intent, IntentId, IntentKind, Link, LinkId, LinkState,
    MappingName, RecordId, Revision, RunId, Timestamp,
};
use crate::store::doc;

use super::{Fault, side_of};

#[derive(Serialize, FromRow)]
pub(in crate::store) struct LinkDb {
    pub link_id: String,
    mapping: String,
    link_group: Option<String>,
    hubspot_id: Option<String>,
    salesforce_id: Option<String>,
    state: String,
    pub open_key: String,
    note: String,
}

impl LinkDb {
    pub fn of(link: &Link) -> Self {
        let id = |record: &Option<RecordId>| record.as_ref().map(|id| id.as_str().to_owned());
        let open_key = if link.state.is_open() {
            String::new()
        } else {
            link.id.as_str().to_owned()
        };
        Self {
            link_id: link.id.as_str().to_owned(),
            mapping: link.mapping.as_str().to_owned(),
            link_group: link.group.clone(),
            hubspot_id: id(&link.records.hubspot),
            salesforce_id: id(&link.records.salesforce),
            state: link.state.as_str().to_owned(),
            open_key,
            note: link.note.clone(),
        }
    }
}

#[derive(Serialize)]
pub(in crate::store) struct LinkPartRow {
    link_id: String,
    note: String,
}

impl LinkPartRow {
    pub fn of((link, note): &(LinkId, String)) -> Self {
        Self {
            link_id: link.as_str().to_owned(),
            note: note.clone(),
        }
    }
}

impl TryFrom<LinkDb> for Link {
    type Error = Fault;

    fn try_from(row: LinkDb) -> Result<Self, Fault> {
        let state = LinkState::parse(&row.state)
            .ok_or_else(|| format!("no link state is named {:?}", row.state))?;
        Ok(Self {
            id: LinkId::new(row.link_id),
            mapping: MappingName::new(row.mapping),
            group: row.link_group,
            records: BySide::new(
                row.hubspot_id.map(RecordId::new),
                row.salesforce_id.map(RecordId::new),
            ),
            state,
            note: row.note,
        })
    }
}

#[derive(Serialize, FromRow)]
pub(in crate::store) struct BasesDb {
    link_id: String,
    doc: String,
}

impl BasesDb {
    pub fn of(link: &LinkId, bases: &Bases) -> Self {
        Self {
            link_id: link.as_str().to_owned(),
            doc: doc::bases_text(bases),
        }
    }
}

impl TryFrom<BasesDb> for (LinkId, Bases) {
    type Error = Fault;

    fn try_from(row: BasesDb) -> Result<Self, Fault> {
        let bases = doc::bases_from(&row.doc)
            .map_err(|why| format!("the bases of link {}: {why}", row.link_id))?;
        Ok((LinkId::new(row.link_id), bases))
    }
}

#[derive(Serialize, FromRow)]
pub(in crate::store) struct HoldDb {
    link_id: String,
    rule: String,
    reason: String,
    detail: String,
    sides: String,
    rule_hash: String,
    since: i64,
}

impl HoldDb {
    pub fn of(hold: &Hold) -> Self {
        Self {
            link_id: hold.link.as_str().to_owned(),
            rule: hold.rule.clone(),
            reason: hold.reason.as_str().to_owned(),
            detail: hold.detail.clone(),
            sides: doc::sides_text(&hold.sides),
            rule_hash: hold.rule_hash.clone(),
            since: hold.since.micros(),
        }
    }
}

impl TryFrom<HoldDb> for Hold {
    type Error = Fault;

    fn try_from(row: HoldDb) -> Result<Self, Fault> {
        let reason = HoldReason::parse(&row.reason)
            .ok_or_else(|| format!("no hold reason is named {:?}", row.reason))?;
        Ok(Self {
            link: LinkId::new(row.link_id),
            rule: row.rule,
            reason,
            detail: row.detail,
            sides: doc::sides_from(&row.sides)?,
            rule_hash: row.rule_hash,
            since: Timestamp::from_micros(row.since),
        })
    }
}

#[derive(Serialize)]
pub(in crate::store) struct HoldCloseRow {
    pub link_id: String,
    pub rule: String,
}

#[derive(Serialize, FromRow)]
pub(in crate::store) struct IntentDb {
    intent_id: String,
    link_id: String,
    mapping: String,
    revision: String,
    run_id: String,
    side: String,
    kind: String,
    target: String,
    rules: String,
    send_before: i64,
    created_at: i64,
}

impl IntentDb {
    pub fn of(intent: &Intent) -> Self {
        Self {
            intent_id: intent.id.as_str().to_owned(),
            link_id: intent.link.as_str().to_owned(),
            mapping: intent.mapping.as_str().to_owned(),
            revision: intent.revision.as_str().to_owned(),
            run_id: intent.run.as_str().to_owned(),
            side: intent.side.as_str().to_owned(),
            kind: intent.kind.as_str().to_owned(),
            target: intent.target.clone(),
            rules: doc::rules_text(&intent.rules),
            send_before: intent.send_before.micros(),
            created_at: intent.created_at.micros(),
        }
    }
}

impl TryFrom<IntentDb> for Intent {
    type Error = Fault;

    fn try_from(row: IntentDb) -> Result<Self, Fault> {
        let kind = IntentKind::parse(&row.kind)
            .ok_or_else(|| format!("no intent is named {:?}", row.kind))?;
        Ok(Self {
            id: IntentId::new(row.intent_id),
            link: LinkId::new(row.link_id),
            mapping: MappingName::new(row.mapping),
            revision: Revision::new(row.revision),
            run: RunId::new(row.run_id),
            side: side_of(&row.side)?,
            kind,
            target: row.target,
            rules: doc::rules_from(&row.rules)?,
            send_before: Timestamp::from_micros(row.send_before),
            created_at: Timestamp::from_micros(row.created_at),
        })
    }
}
