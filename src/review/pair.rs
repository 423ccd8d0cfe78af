//! Which record belongs to which, as a person says: two records are linked by hand, or links are
//! taken apart.
//!
//! Reads what has to be known and answers with changes for one commit.

use crate::clock::Ids;
use crate::explain::active_mappings;
use crate::model::{
    BySide, Link, LinkId, LinkState, MappingName, RecordId, RecordKey, Side, Timestamp, WorkspaceId,
};
use crate::store::{
    Changes, ConflictClose, DeadLetterClose, DeadLetterOf, DeadLetterState, RuleScope, Store,
    StoreError,
};

use super::marks_of;

const UNPAIRED: &str = "unpaired by hand";
/// HubSpot's ids are numbers of at most so many digits.
const HUBSPOT_DIGITS: usize = 19;
/// Salesforce's ids in full; the 15 characters of the older form do not name a record in places
/// that ignore case.
const SALESFORCE_CHARS: usize = 18;
/// As much of a wrong id as is shown again.
const SHOWN: usize = 40;

/// Why two records cannot be linked.
#[derive(Debug, thiserror::Error)]
pub enum PairRefusal {
    #[error("`{0}` is not a HubSpot record id")]
    NotHubSpots(String),
    #[error("`{0}` is not a Salesforce record id of 18 characters")]
    NotSalesforces(String),
    #[error("no run has used a mapping `{name}`; nothing was changed")]
    UnknownMapping {
        name: MappingName,
        /// The mappings that there are.
        known: Vec<MappingName>,
    },
    #[error("the stored revision of `{0}` cannot be read by this version")]
    Unreadable(MappingName),
    /// A record has one open link under a mapping, and a HubSpot record one in a group.
    #[error(
        "{} already links HubSpot {} and Salesforce {} under `{}`; nothing was changed",
        .0.id, record(.0, Side::HubSpot), record(.0, Side::Salesforce), .0.mapping
    )]
    Linked(Box<Link>),
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn record(link: &Link, side: Side) -> &str {
    let id = link.records.get(side).as_ref();
    id.map_or("(none yet)", RecordId::as_str)
}

/// Two records that belong together.
#[derive(Clone, Debug)]
pub struct Pairing {
    mapping: MappingName,
    records: BySide<RecordId>,
}

impl Pairing {
    /// Reads what was typed.
    ///
    /// # Errors
    /// One of the ids cannot be an id.
    pub fn read(mapping: &str, hubspot: &str, salesforce: &str) -> Result<Self, PairRefusal> {
        let digits = (1..=HUBSPOT_DIGITS).contains(&hubspot.len())
            && hubspot.bytes().all(|byte| byte.is_ascii_digit());
        if !digits {
            return Err(PairRefusal::NotHubSpots(shown(hubspot)));
        }
        let letters = salesforce.len() == SALESFORCE_CHARS
            && salesforce.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !letters {
            return Err(PairRefusal::NotSalesforces(shown(salesforce)));
        }
        Ok(Self {
            mapping: MappingName::new(mapping),
            records: BySide::new(RecordId::new(hubspot), RecordId::new(salesforce)),
        })
    }
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

/// Links the two; the next look at them compares them as at first contact.
///
/// # Errors
/// No run uses the mapping, or one of the records has a link already.
pub async fn pair(
    store: &Store,
    ws: &WorkspaceId,
    wanted: &Pairing,
    ids: &Ids,
    now: Timestamp,
) -> Result<(Link, Changes), PairRefusal> {
    let name = &wanted.mapping;
    let group = group_of(store, ws, name).await?;
    refuse_second_link(store, ws, wanted, group.as_deref()).await?;
    let link = Link {
        id: LinkId::from_uuid(&ids.next()),
        mapping: name.clone(),
        group,
        records: wanted.records.clone().map(Some),
        state: LinkState::Linked,
        note: "paired by hand".to_owned(),
    };
    let key = |side: Side| RecordKey {
        mapping: name.clone(),
        side,
        id: wanted.records.get(side).clone(),
    };
    let changes = Changes {
        links: vec![link.clone()],
        marks: marks_of(&link, now),
        tombstones_lifted: Side::BOTH.map(key).to_vec(),
        ..Changes::default()
    };
    Ok((link, changes))
}

/// The group of the mapping, as the last run used it.
async fn group_of(
    store: &Store,
    ws: &WorkspaceId,
    name: &MappingName,
) -> Result<Option<String>, PairRefusal> {
    let active = store.active_revisions(ws).await?;
    if !active.contains_key(name) {
        return Err(PairRefusal::UnknownMapping {
            name: name.clone(),
            known: active.into_keys().collect(),
        });
    }
    let mappings = active_mappings(store, ws).await?;
    let found = mappings.into_iter().find(|mapping| mapping.name == *name);
    let found = found.ok_or_else(|| PairRefusal::Unreadable(name.clone()))?;
    Ok(found.group)
}

async fn refuse_second_link(
    store: &Store,
    ws: &WorkspaceId,
    wanted: &Pairing,
    group: Option<&str>,
) -> Result<(), PairRefusal> {
    let mut links = Vec::new();
    for side in Side::BOTH {
        let ids = [wanted.records.get(side).clone()];
        let found = store.links_by_record(ws, &wanted.mapping, side, &ids);
        links.extend(found.await?);
    }
    if let Some(group) = group {
        let ids = [wanted.records.hubspot.clone()];
        links.extend(store.links_of_group(ws, group, &ids).await?);
    }
    match links.into_iter().find(|link| link.state.is_open()) {
        Some(link) => Err(PairRefusal::Linked(Box::new(link))),
        None => Ok(()),
    }
}

/// Takes links apart; both records stay as they are. Also closes what waited for a person on these
/// links: without the link it has no meaning.
pub async fn unpair(
    store: &Store,
    ws: &WorkspaceId,
    links: &[Link],
) -> Result<Changes, StoreError> {
    let ids: Vec<LinkId> = links.iter().map(|link| link.id.clone()).collect();
    let holds = store.holds(ws, &ids).await?;
    let conflict = |link: &LinkId| ConflictClose {
        link: link.clone(),
        rule: None,
        why: UNPAIRED.to_owned(),
    };
    let letter = |link: &LinkId| DeadLetterClose {
        of: DeadLetterOf::Link(link.clone()),
        rules: RuleScope::All,
        state: DeadLetterState::Closed,
        why: UNPAIRED.to_owned(),
    };
    let held = holds.into_iter().map(|hold| (hold.link, hold.rule));
    Ok(Changes {
        links_parted: ids
            .iter()
            .map(|link| (link.clone(), UNPAIRED.to_owned()))
            .collect(),
        holds_closed: held.collect(),
        conflicts_closed: ids.iter().map(conflict).collect(),
        dead_letters_closed: ids.iter().map(letter).collect(),
        ..Changes::default()
    })
}
