//! What a plan comes to in numbers, before and after it is carried out, for commands and the
//! service alike.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::plan_file::row_json;
use super::{Engine, PlanFile};
use crate::mapping::Mapping;
use crate::model::{
    BySide, IntentKind, MappingName, PlannedWrite, RecordId, Revision, Side, WorkspaceId,
};
use crate::sync::{Fate, Row};

/// Records of one mapping to which the same is done.
pub type Total = (String, Side, IntentKind);

impl Engine {
    /// What a run that only plans would write.
    pub fn plan_file(&self) -> PlanFile {
        let (site, forecast) = (&self.site, &self.tally.forecast);
        let (made, looking) = (self.calls_of_sides(), self.looking_calls());
        let calls = BySide::from_fn(|side| {
            made.get(side).saturating_sub(*looking.get(side)) + forecast.calls.get(side)
        });
        let mappings = site.mappings.iter();
        PlanFile {
            workspace: site.workspace.clone(),
            accounts: site.accounts.clone(),
            made_at: site.clock.now(),
            run: site.run.clone(),
            mappings: mappings
                .map(|(name, bound)| (name.clone(), bound.mapping().revision.clone()))
                .collect(),
            calls,
            writes: self.tally.planned.rows().cloned().collect(),
        }
    }
}

impl PlanFile {
    /// The rows that would send something: a new record has no value in most fields.
    pub fn says(&self) -> impl Iterator<Item = &PlannedWrite> {
        self.writes.iter().filter(|write| write.says())
    }

    /// Records by what would happen to them.
    pub fn totals(&self) -> BTreeMap<Total, u64> {
        let mut seen: BTreeSet<(Total, String)> = BTreeSet::new();
        for write in self.says() {
            let total = (write.mapping.to_string(), write.side, write.kind);
            seen.insert((total, named(write)));
        }
        let mut counts = BTreeMap::new();
        for (total, _) in seen {
            *counts.entry(total).or_insert(0) += 1;
        }
        counts
    }

    /// Records that would be deleted.
    pub fn deletes(&self) -> usize {
        let gone = |write: &&PlannedWrite| write.kind == IntentKind::Archive;
        self.says().filter(gone).count()
    }

    /// Values that would be emptied.
    pub fn blanks(&self) -> usize {
        self.says().filter(|write| write.blanks()).count()
    }

    /// Why the plan does not fit this workspace and these mappings, if it does not.
    pub fn misfit(&self, workspace: &WorkspaceId, mappings: &[Mapping]) -> Option<String> {
        if self.workspace != *workspace {
            let made = &self.workspace;
            return Some(format!(
                "the plan is of workspace {made}, and this is {workspace}"
            ));
        }
        let mappings: BTreeMap<&MappingName, &Revision> = mappings
            .iter()
            .map(|mapping| (&mapping.name, &mapping.revision))
            .collect();
        for (name, revision) in &self.mappings {
            match mappings.get(name) {
                Some(now) if *now == revision => {}
                Some(_) => {
                    return Some(format!(
                        "mapping `{name}` was edited since the plan was made"
                    ));
                }
                None => return Some(format!("there is no mapping `{name}` any more")),
            }
        }
        let new = mappings
            .keys()
            .find(|name| !self.mappings.contains_key(**name))?;
        Some(format!("mapping `{new}` was added since the plan was made"))
    }
}

/// The record that a write is about; one that does not exist yet by where it comes from.
pub fn named(write: &PlannedWrite) -> String {
    let id = |id: &Option<RecordId>| id.as_ref().map(|id| id.as_str().to_owned());
    match (write.kind, id(&write.record), id(&write.source)) {
        (IntentKind::Create, _, Some(source)) => {
            format!("new, from {} {source}", write.side.other().title())
        }
        (_, Some(record), _) => record,
        (_, None, source) => source.unwrap_or_default(),
    }
}

/// The word for a fate in JSON, and what stands behind it.
pub fn fate_word(fate: &Fate) -> (&'static str, &str) {
    match fate {
        Fate::Waiting => (
            "not-reached",
            "its record was not reached; the next run looks at it",
        ),
        Fate::Taken => ("under-way", "no answer yet; the next run settles it"),
        Fate::LeftOut => ("left-out", "not in this part of the plan"),
        Fate::Written => ("written", ""),
        Fate::Already => ("already", "both sides hold it already"),
        Fate::Moved(why) => ("moved", why),
        Fate::Held(why) => ("held", why),
        Fate::Failed(why) => ("failed", why),
    }
}

/// Rows that would have sent something, by what became of them.
pub fn fates(rows: &[Row]) -> BTreeMap<&'static str, u64> {
    let mut counts = BTreeMap::new();
    for row in rows.iter().filter(|row| row.write.says()) {
        *counts.entry(fate_word(&row.fate).0).or_insert(0) += 1;
    }
    counts
}

/// A row with what became of it.
pub fn fate_json(row: &Row) -> Value {
    let (fate, why) = fate_word(&row.fate);
    let mut object = row_json(&row.write);
    object["fate"] = json!(fate);
    object["why"] = json!(why);
    object
}

/// Whether somebody should look at what became of a row.
pub fn is_left(row: &Row) -> bool {
    let quiet = matches!(row.fate, Fate::Written | Fate::Already | Fate::LeftOut);
    row.write.says() && !quiet
}

/// Why a row of a plan that takes writes back stays as it is.
pub fn why_spared(fate: &Fate) -> &str {
    match fate {
        Fate::Moved(_) => "somebody changed it since, or it is back already",
        Fate::Already => "it is back already",
        Fate::Held(why) | Fate::Failed(why) => why,
        Fate::Waiting => "its record could not be read",
        Fate::LeftOut | Fate::Taken | Fate::Written => "",
    }
}
