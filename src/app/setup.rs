//! What must hold before an engine can start: schemas read, mappings bound, accounts known.
//!
//! Reads both CRMs and writes to neither.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use crate::clock::{Chance, Clock};
use crate::crm::{CrmError, Crms, ErrorKind, HubSpot, Salesforce};
use crate::mapping::{self, Bound, Fault, Lack, Mapping};
use crate::model::{BySide, MappingName, Pauses, Schemas, Side, Timestamp, WorkspaceId};
use crate::pipeline::Site;
use crate::sources::{Heard, Pace};
use crate::store::{Store, StoreError};
use crate::sync::{Frozen, Limits, Mode};

pub struct Parts {
    pub store: Arc<Store>,
    pub workspace: WorkspaceId,
    pub hubspot: HubSpot,
    pub salesforce: Salesforce,
    pub mappings: Vec<Mapping>,
    pub clock: Clock,
    pub chance: Chance,
    pub options: Options,
}

#[derive(Clone, Debug)]
pub struct Options {
    pub mode: Mode,
    pub limits: Limits,
    /// `None`: from the daily allowance, as `poll: auto` promises.
    pub poll_millis: Option<i64>,
    pub scan_millis: i64,
    /// From one comparison of both sides to the next.
    pub drift_millis: i64,
    /// Journal entries older than this go.
    pub journal_millis: i64,
    /// Whether an engine starts although a CRM lacks what some of the records will need.
    pub lacking: Lacking,
    pub busy: Busy,
    /// What both CRMs said of their objects a while ago; `None`: they are asked.
    pub schemas: Option<Box<Schemas>>,
    /// What nothing is written to just now.
    pub pauses: Pauses,
    /// Engines of this process are opened and closed many times a day: opening one is no reason to
    /// look for changes, and it is no run before it works on a record.
    pub comes_and_goes: bool,
    /// No `poll: auto` is faster: a process with many workspaces has to get round to all of them.
    pub least_poll_millis: i64,
    /// When what is done once an hour was done last.
    pub looked_through: Option<Timestamp>,
    /// Who receives webhooks tells of them here.
    pub heard: Arc<Heard>,
}

/// What an engine does that finds the lane in other hands when it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Busy {
    /// It does not start.
    Refused,
    /// It stands by: each step asks again, and the first one after the lane is free begins.
    Awaited,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lacking {
    /// Each such record is left to a person.
    Letters,
    /// Nothing starts, and nothing is stored.
    Refused,
}

/// How long the journal is kept when nobody says otherwise, in days.
pub const JOURNAL_DAYS: i64 = 30;
pub const DAY_MILLIS: i64 = 24 * 3_600_000;

impl Default for Options {
    fn default() -> Self {
        Self {
            mode: Mode::Write,
            limits: Limits { creates: u64::MAX },
            poll_millis: None,
            scan_millis: DAY_MILLIS,
            drift_millis: 7 * DAY_MILLIS,
            journal_millis: JOURNAL_DAYS * DAY_MILLIS,
            lacking: Lacking::Letters,
            busy: Busy::Refused,
            schemas: None,
            pauses: Pauses::new(),
            comes_and_goes: false,
            least_poll_millis: 0,
            looked_through: None,
            heard: Arc::default(),
        }
    }
}

/// Why an engine cannot start. Nothing was written to either CRM.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{side} did not answer as needed: {error}", side = side.title())]
    Crm { side: Side, error: CrmError },
    #[error("the mappings do not fit the two CRMs")]
    Mappings(Vec<Fault>),
    #[error("the CRMs lack {} thing(s) that the mappings need; nothing was changed", .0.len())]
    Lacking(Vec<Lack>),
    #[error(
        "this store belongs to {side} account {found}, but the credentials are for {given}. \
         Use another --data folder, or the credentials of {found}.",
        side = side.title()
    )]
    OtherAccount {
        side: Side,
        found: String,
        given: String,
    },
    #[error(
        "the plan was made for {side} account {planned}, but the credentials are for {given}; \
         nothing was changed",
        side = side.title()
    )]
    PlanOfOther {
        side: Side,
        planned: String,
        given: String,
    },
    #[error("another process is working on this workspace; wait for it or stop it")]
    LaneBusy,
}

/// Reads what the mappings need to know about both CRMs.
pub async fn read_schemas(crms: &Crms, mappings: &[Mapping]) -> Result<Schemas, SetupError> {
    let at = |side: Side| move |error: CrmError| SetupError::Crm { side, error };
    let hubspot = at(Side::HubSpot);
    let salesforce = at(Side::Salesforce);
    let account = crms.hubspot.account().await.map_err(hubspot)?;
    let grants = crms.hubspot.grants().await;
    let organization = crms.salesforce.organization().await.map_err(salesforce)?;
    let mut schemas = Schemas {
        accounts: BySide::new(account.portal_id, organization.id),
        currency: BySide::new(account.currency, organization.currency),
        ..Schemas::default()
    };
    for mapping in mappings {
        let (hs, sf) = (&mapping.objects.hubspot, &mapping.objects.salesforce);
        if !schemas.objects.hubspot.contains_key(hs) {
            let mut object = crms.hubspot.object_schema(hs).await.map_err(hubspot)?;
            object.barred = grants.barred(&object);
            schemas.objects.hubspot.insert(hs.clone(), object);
        }
        if !schemas.objects.salesforce.contains_key(sf) {
            let object = crms
                .salesforce
                .object_schema(sf)
                .await
                .map_err(salesforce)?;
            schemas.objects.salesforce.insert(sf.clone(), object);
        }
    }
    read_ties(crms, mappings, &mut schemas).await?;
    schemas.owners.hubspot = crms.hubspot.owners().await.map_err(hubspot)?;
    schemas.owners.salesforce = crms.salesforce.users().await.map_err(salesforce)?;
    Ok(schemas)
}

/// The objects and labels that ties are made of, where the mappings name any. What is not there is
/// for the check to report, in its place in the file.
async fn read_ties(
    crms: &Crms,
    mappings: &[Mapping],
    schemas: &mut Schemas,
) -> Result<(), SetupError> {
    let at = |side: Side| move |error: CrmError| SetupError::Crm { side, error };
    let rules = mappings
        .iter()
        .flat_map(|mapping| mapping.associations().map(move |rule| (mapping, rule)));
    let rules: Vec<_> = rules.collect();
    for (mapping, rule) in rules {
        let Some(reference) = rule.reference() else {
            continue;
        };
        if let Some((to, label)) = reference.label()
            && !label.eq_ignore_ascii_case("primary")
        {
            let pair = (mapping.objects.hubspot.clone(), to.to_owned());
            if let Entry::Vacant(place) = schemas.labels.entry(pair) {
                let (from, to) = place.key();
                let types = crms.hubspot.association_types(from, to).await;
                let types = types.map_err(at(Side::HubSpot))?;
                let labels = types.into_iter().filter_map(|kind| kind.label);
                place.insert(labels.collect());
            }
        }
        if let Some(object) = reference.junction()
            && !schemas.objects.salesforce.contains_key(object)
        {
            match crms.salesforce.object_schema(object).await {
                Ok(schema) => {
                    schemas.objects.salesforce.insert(object.to_owned(), schema);
                }
                Err(error) if error.kind == ErrorKind::NotFound => {}
                Err(error) => return Err(at(Side::Salesforce)(error)),
            }
        }
    }
    Ok(())
}

pub(super) fn check_lacks(
    mappings: &[Mapping],
    schemas: &Schemas,
    lacking: Lacking,
) -> Result<(), SetupError> {
    if lacking == Lacking::Letters {
        return Ok(());
    }
    let lacks = mapping::lacks(mappings, schemas);
    if lacks.is_empty() {
        Ok(())
    } else {
        Err(SetupError::Lacking(lacks))
    }
}

/// A plan is carried out on the accounts it was made for.
pub(super) fn check_plan(mode: &Mode, accounts: &BySide<String>) -> Result<(), SetupError> {
    let Some(planned) = mode.frozen().and_then(Frozen::accounts) else {
        return Ok(());
    };
    for side in Side::BOTH {
        if planned.get(side) != accounts.get(side) {
            return Err(SetupError::PlanOfOther {
                side,
                planned: planned.get(side).clone(),
                given: accounts.get(side).clone(),
            });
        }
    }
    Ok(())
}

/// A store remembers which accounts it was filled from; links of another one would be wrong.
/// Whether it knows both already.
pub(super) async fn check_accounts(
    store: &Store,
    workspace: &WorkspaceId,
    accounts: &BySide<String>,
) -> Result<bool, SetupError> {
    let known = store.connections(workspace).await?;
    for side in Side::BOTH {
        let given = accounts.get(side);
        if let Some(connection) = known.get(side)
            && connection.account_id != *given
        {
            let found = connection.account_id.clone();
            return Err(SetupError::OtherAccount {
                side,
                found,
                given: given.clone(),
            });
        }
    }
    Ok(known.hubspot.is_some() && known.salesforce.is_some())
}

pub(super) async fn remember_accounts(
    store: &Store,
    workspace: &WorkspaceId,
    accounts: &BySide<String>,
) -> Result<(), SetupError> {
    for side in Side::BOTH {
        let given = accounts.get(side);
        store.put_connection(workspace, side, given, "").await?;
    }
    Ok(())
}

pub(super) fn bind_all(
    mappings: &[Mapping],
    schemas: &Schemas,
) -> Result<BTreeMap<MappingName, Bound>, SetupError> {
    let mut bound = BTreeMap::new();
    let mut faults = Vec::new();
    for mapping in mappings {
        match mapping::bind(mapping, schemas) {
            Ok(one) => {
                bound.insert(mapping.name.clone(), one);
            }
            Err(mut more) => faults.append(&mut more),
        }
    }
    if faults.is_empty() {
        Ok(bound)
    } else {
        Err(SetupError::Mappings(faults))
    }
}

/// From one look for changes to the next: so many objects of a side may take 5 % of the day's
/// calls, and wait no longer than 15 minutes.
pub(super) fn auto_poll_millis(daily: Option<u64>, objects: usize) -> i64 {
    const SLOWEST_MILLIS: i64 = 15 * 60_000;
    const FASTEST_MILLIS: i64 = 10_000;
    let share = i64::try_from(daily.unwrap_or(100_000) / 20)
        .unwrap_or(i64::MAX)
        .max(1);
    let polls = i64::try_from(objects).unwrap_or(1).max(1);
    (DAY_MILLIS.saturating_mul(polls) / share).clamp(FASTEST_MILLIS, SLOWEST_MILLIS)
}

pub(super) fn pace(crms: &Crms, site: &Site, options: &Options) -> Pace {
    let poll_millis = BySide::from_fn(|side| {
        let daily = match side {
            Side::HubSpot => crms.hubspot.usage().daily_limit,
            Side::Salesforce => crms.salesforce.usage().daily_limit,
        };
        let auto = auto_poll_millis(daily, site.leaders(side).len());
        let wish = options.poll_millis.unwrap_or(auto);
        wish.max(options.least_poll_millis)
    });
    Pace {
        poll_millis,
        scan_millis: options.scan_millis,
        scan_chunk_millis: 0,
        heard: Arc::clone(&options.heard),
    }
}
