//! Earlier revisions of a mapping, for intents that were planned under them.
//!
//! A mapping may be edited while a write has no answer yet. What became of that write is judged by
//! the rules it was planned with; only then is the record planned by the new ones.

use std::collections::BTreeMap;

use super::desk::Desk;
use super::unit::Batch;
use crate::mapping::{self, Bound, SourceFile};
use crate::model::{Intent, Revision, Side, Ties};
use crate::store::StoreError;

/// The revisions that the open intents of a batch need besides the current one.
#[derive(Default)]
pub struct Revisions(BTreeMap<Revision, Bound>);

impl Revisions {
    pub async fn load(desk: &Desk<'_>, bound: &Bound, batch: &Batch) -> Result<Self, StoreError> {
        let mut found = BTreeMap::new();
        let intents = batch.units.iter().flat_map(|unit| unit.intents.iter());
        for revision in intents.map(|intent| &intent.revision) {
            if *revision == bound.mapping().revision || found.contains_key(revision) {
                continue;
            }
            let (store, ws) = (&desk.site.store, &desk.site.workspace);
            let text = store.revision_text(ws, revision).await?;
            if let Some(old) = text.and_then(|text| bind(desk, bound, text)) {
                found.insert(revision.clone(), old);
            }
        }
        Ok(Self(found))
    }

    /// The mapping an intent is judged by: its own revision, or the current one where that is no
    /// longer to be had. Rules that are not in there as they were are compared as raw text.
    pub fn of<'a>(&'a self, current: &'a Bound, intent: &Intent) -> &'a Bound {
        self.0.get(&intent.revision).unwrap_or(current)
    }

    /// Every field that one of the revisions compares.
    pub fn fields(&self, current: &Bound, side: Side) -> Vec<String> {
        let mut fields = current.read_fields(side).to_vec();
        for old in self.0.values() {
            fields.extend_from_slice(old.read_fields(side));
        }
        fields.sort();
        fields.dedup();
        fields
    }

    pub fn ties(&self, current: &Bound) -> Ties {
        self.0
            .values()
            .fold(current.ties(), |ties, old| ties.and(old.ties()))
    }
}

/// The stored text loads by itself, except that its references name the other mappings.
fn bind(desk: &Desk<'_>, current: &Bound, text: String) -> Option<Bound> {
    let name = &current.mapping().name;
    let others = desk.site.mappings.values().map(Bound::mapping);
    let mut files: Vec<SourceFile> = others
        .filter(|other| other.name != *name)
        .map(|other| SourceFile {
            path: other.name.as_str().to_owned(),
            text: other.text.clone(),
        })
        .collect();
    files.push(SourceFile {
        path: name.as_str().to_owned(),
        text,
    });
    let loaded = mapping::load(&files, &BTreeMap::new()).ok()?;
    let old = loaded.mappings.iter().find(|found| found.name == *name)?;
    let same = |side: Side| old.objects.get(side) == current.mapping().objects.get(side);
    if !Side::BOTH.into_iter().all(same) {
        return None;
    }
    mapping::bind(old, &desk.site.schemas).ok()
}
