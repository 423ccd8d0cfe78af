//! What would take back a run's writes, found in the journal.
//!
//! Of several writes to one rule of one record the first says what was there before, and the last
//! what must still be there for the value to go back. Nothing is decided here about values that
//! people changed since: the engine sees those when it carries the plan out.

use std::collections::BTreeMap;

use crate::mapping::Mapping;
use crate::model::{
    BySide, Fields, IntentKind, JournalId, Link, LinkId, LinkState, MappingName, PlannedWrite,
    RecordId, Side, Timestamp, Undoes, WorkspaceId,
};
use crate::store::{JournalEntry, Store, StoreError, WritesOf};
use crate::sync::{ARCHIVED, CREATED, UNDONE};

/// Entries that are read at once.
const PAGE: u32 = 2_000;

/// Which writes are to be taken back.
#[derive(Clone, Debug)]
pub struct Undo {
    pub of: WritesOf,
    pub mapping: Option<MappingName>,
    pub rule: Option<String>,
    /// A record on either side.
    pub record: Option<RecordId>,
    /// Records that were created go too, where nobody has touched them.
    pub archive_created: bool,
}

/// A write that cannot be taken back, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spared {
    pub mapping: MappingName,
    pub side: Side,
    pub record: Option<RecordId>,
    pub rule: String,
    pub why: String,
}

/// All that was written to one rule of one record's side.
struct Wrote {
    entry: JournalEntry,
    side: Side,
    before: Fields,
    base: Option<BySide<Fields>>,
    after: Fields,
    created: bool,
}

/// The plan that takes it all back, and what it cannot take back.
pub async fn undo(
    store: &Store,
    ws: &WorkspaceId,
    undo: &Undo,
    mappings: &[Mapping],
) -> Result<(Vec<PlannedWrite>, Vec<Spared>), StoreError> {
    let mut gathered = Gathered::default();
    let mut after: Option<JournalId> = None;
    loop {
        let page = store
            .journal_writes(ws, &undo.of, after.as_ref(), PAGE)
            .await?;
        after = page.last().map(|entry| entry.id.clone());
        let full = page.len() == PAGE as usize;
        for entry in page {
            gathered.take(undo, entry);
        }
        if !full {
            break;
        }
    }
    let ids: Vec<LinkId> = gathered.links();
    let mut links = BTreeMap::new();
    for some in ids.chunks(PAGE as usize) {
        let found = store.links_by_id(ws, some).await?;
        links.extend(found.into_iter().map(|link| (link.id.clone(), link)));
    }
    Ok(gathered.plan(undo, &links, mappings))
}

#[derive(Default)]
struct Gathered {
    wrote: BTreeMap<(LinkId, Side, String), Wrote>,
    /// Pairs of which we deleted one record, with that record's side.
    archived: BTreeMap<LinkId, (JournalEntry, Side)>,
}

impl Gathered {
    fn take(&mut self, undo: &Undo, entry: JournalEntry) {
        let wanted = undo
            .mapping
            .as_ref()
            .is_none_or(|name| *name == entry.mapping);
        let Some(link) = entry.link.clone().filter(|_| wanted) else {
            return;
        };
        match (entry.decision.as_str(), entry.wrote.clone()) {
            ("tombstone", _) if entry.detail == ARCHIVED => {
                if let Some(gone) = entry.winner {
                    self.archived.insert(link, (entry, gone.other()));
                }
            }
            ("write", Some((side, after))) if entry.reason == "applied" => {
                let rule = undo.rule.as_ref().is_none_or(|rule| *rule == entry.rule);
                if rule {
                    self.wrote(link, side, after, entry);
                }
            }
            _ => {}
        }
    }

    fn wrote(&mut self, link: LinkId, side: Side, after: Fields, entry: JournalEntry) {
        let place = (link, side, entry.rule.clone());
        if let Some(known) = self.wrote.get_mut(&place) {
            known.after.extend(after);
            return;
        }
        // An undone rule had its base moved back before it was written.
        let undone = entry.detail == UNDONE;
        let base = if undone {
            Some(entry.inputs.clone())
        } else {
            entry.base.clone()
        };
        let wrote = Wrote {
            side,
            before: entry.inputs.get(side).clone(),
            base,
            after,
            created: entry.detail == CREATED,
            entry,
        };
        self.wrote.insert(place, wrote);
    }

    fn links(&self) -> Vec<LinkId> {
        let written = self.wrote.keys().map(|(link, ..)| link);
        let mut links: Vec<LinkId> = written.chain(self.archived.keys()).cloned().collect();
        links.sort();
        links.dedup();
        links
    }

    fn plan(
        self,
        undo: &Undo,
        links: &BTreeMap<LinkId, Link>,
        mappings: &[Mapping],
    ) -> (Vec<PlannedWrite>, Vec<Spared>) {
        let (mut plan, mut spared) = (Vec::new(), Vec::new());
        let mut created: BTreeMap<(LinkId, Side), JournalEntry> = BTreeMap::new();
        for (link, (entry, side)) in self.archived {
            let known = links.get(&link);
            if named(undo, known) {
                let why = "was deleted; restore it from the recycle bin of its CRM, and the pair \
                           goes on";
                spared.push(spare(&entry, side, known, why));
            }
        }
        for ((link, side, _), wrote) in &self.wrote {
            if wrote.created {
                created.insert((link.clone(), *side), wrote.entry.clone());
            }
        }
        for ((id, side), entry) in &created {
            let known = links.get(id);
            if !named(undo, known) {
                continue;
            }
            let row = row(entry, *side, known, IntentKind::Archive);
            match row.filter(|_| undo.archive_created) {
                Some(row) => plan.push(row),
                None => {
                    let why = "was created and stays; --archive-created removes it where nobody \
                               has touched it";
                    spared.push(Spared {
                        rule: String::new(),
                        ..spare(entry, *side, known, why)
                    });
                }
            }
        }
        for ((id, side, _), wrote) in self.wrote {
            let known = links.get(&id);
            if !named(undo, known) || created.contains_key(&(id.clone(), side)) {
                continue;
            }
            match restore(&wrote, known, mappings) {
                Ok(Some(row)) => plan.push(row),
                Ok(None) => {}
                Err(why) => spared.push(spare(&wrote.entry, side, known, &why)),
            }
        }
        (plan, spared)
    }
}

fn named(undo: &Undo, link: Option<&Link>) -> bool {
    let is = |id: &RecordId| {
        let records = link.map(|link| &link.records);
        records.is_some_and(|records| {
            let mut sides = Side::BOTH.into_iter();
            sides.any(|side| records.get(side).as_ref() == Some(id))
        })
    };
    undo.record.as_ref().is_none_or(is)
}

fn spare(entry: &JournalEntry, side: Side, link: Option<&Link>, why: &str) -> Spared {
    Spared {
        mapping: entry.mapping.clone(),
        side,
        record: link.and_then(|link| link.records.get(side).clone()),
        rule: entry.rule.clone(),
        why: why.to_owned(),
    }
}

/// The write that puts the old value back; `None` where nothing differs.
fn restore(
    wrote: &Wrote,
    link: Option<&Link>,
    mappings: &[Mapping],
) -> Result<Option<PlannedWrite>, String> {
    let entry = &wrote.entry;
    let mapping = mappings
        .iter()
        .find(|mapping| mapping.name == entry.mapping);
    let rule = mapping.and_then(|mapping| mapping.rule(&entry.rule));
    let Some(rule) = rule else {
        return Err("its rule is not in the mapping any more".to_owned());
    };
    let Some(row) = row(entry, wrote.side, link, IntentKind::Update) else {
        return Err("its pair was taken apart since".to_owned());
    };
    let mut back = wrote.before.clone();
    back.retain(|name, raw| wrote.after.get(name).is_some_and(|now| now != raw));
    if back.is_empty() {
        return Ok(None);
    }
    Ok(Some(PlannedWrite {
        rule: entry.rule.clone(),
        rule_hash: rule.hash.clone(),
        before: wrote.after.clone(),
        after: back,
        undoes: Some(Undoes {
            base: wrote.base.clone(),
        }),
        ..row
    }))
}

/// `None` when the pair is not linked any more.
fn row(
    entry: &JournalEntry,
    side: Side,
    link: Option<&Link>,
    kind: IntentKind,
) -> Option<PlannedWrite> {
    let link = link.filter(|link| link.state == LinkState::Linked)?;
    Some(PlannedWrite {
        mapping: entry.mapping.clone(),
        side,
        kind,
        record: link.records.get(side).clone(),
        source: link.records.get(side.other()).clone(),
        rule: String::new(),
        rule_hash: String::new(),
        from: Fields::new(),
        before: Fields::new(),
        after: Fields::new(),
        reason: UNDONE.to_owned(),
        versions: BySide::<Option<Timestamp>>::default(),
        owner: None,
        undoes: Some(Undoes::default()),
    })
}
