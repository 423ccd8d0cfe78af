//! Which rows an action is about: ids, a filter, or plainly all.
//!
//! An action never reaches everything because nothing was named.

use std::collections::BTreeMap;

use clap::Args;

use crate::model::{ErrorClass, LinkState, Side};
use crate::review::{Chosen, ChosenRefusal};

use super::output::Advice;

/// More than one screen, and what a list shows unless told otherwise.
pub const LIST_ROWS: u32 = 100;

/// Names rows by id, or all that a filter leaves. The filters are each command's own.
#[derive(Debug, Args)]
pub struct ChosenArgs {
    /// Ids, as the list shows them.
    #[arg(value_name = "ID")]
    pub ids: Vec<String>,
    /// Every row that the filters leave; needed when there is no filter.
    #[arg(long)]
    pub all: bool,
}

impl ChosenArgs {
    /// Refuses an action that names nothing, or names rows in two ways.
    ///
    /// # Errors
    /// When there are neither ids nor a filter nor `--all`, or ids and one of the others.
    pub fn settled(&self, filtered: bool) -> anyhow::Result<()> {
        let refusal = match Chosen::of(self.ids.clone(), filtered, self.all) {
            Ok(_) => return Ok(()),
            Err(refusal) => refusal,
        };
        let todo = match refusal {
            ChosenRefusal::Both => "leave out one of them: a filter acts on all rows it matches",
            ChosenRefusal::Nothing => "name ids, a filter such as --mapping, or --all",
        };
        Err(Advice::new(refusal.to_string(), todo).into())
    }
}

/// An id that no row has.
pub fn unknown(kind: &str, id: &str, list: &str) -> anyhow::Error {
    let what = format!("there is no {kind} `{id}`; nothing was changed");
    Advice::new(what, format!("`{list}` shows the ids")).into()
}

pub fn side(text: &str) -> Result<Side, String> {
    Side::parse(text).ok_or_else(|| "use hubspot or salesforce".to_owned())
}

pub fn class(text: &str) -> Result<ErrorClass, String> {
    let known = "transient, rate, auth, permanent, needs-person, blocked, unknown-outcome or ours";
    ErrorClass::parse(text).ok_or_else(|| format!("use {known}"))
}

pub fn link_state(text: &str) -> Result<LinkState, String> {
    let known = "creating-hubspot, creating-salesforce, linked, suspended, frozen, tombstoned, \
                 unlinked or detached";
    LinkState::parse(text).ok_or_else(|| format!("use {known}"))
}

/// A side as a person reads it, from its word in JSON.
pub fn titled(side: &str) -> &str {
    match Side::parse(side) {
        Some(known) => known.title(),
        None => side,
    }
}

/// Fields as a person reads them: `name=value`, blanks shown as such.
pub fn fields_text(fields: &BTreeMap<String, Option<String>>) -> String {
    let shown = fields.iter().map(|(name, value)| {
        let value = value.as_deref().unwrap_or("(blank)");
        format!("{name}={value}")
    });
    shown.collect::<Vec<_>>().join(", ")
}
