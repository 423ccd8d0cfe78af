//! What comes in and goes out where many rows are decided at once: by ids, by a filter, or all.
//!
//! A request by filter decides a page of rows and says where the next one goes on, so that none
//! takes longer than a page does.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::dto::Page;
use super::error::ApiError;
use super::review::{DecidedJson, class, id, mapping, one_of, reason, side, word};
use crate::model::{Choice, LinkState};
use crate::review::Chosen;
use crate::store::{ConflictFilter, ConflictState, DeadLetterFilter, LinkFilter};

/// Rows that one request looks at.
pub const ROWS: u32 = 1_000;
/// Rows that one request may name.
const IDS_MAX: usize = 200;
/// The longest value that many conflicts are given at once.
const VALUE_CHARS: usize = 1_000;

/// Where the rows of one request come from.
#[derive(Debug)]
pub enum Place {
    Ids(Vec<String>),
    /// A page of those that the filter leaves.
    Page {
        /// From after this one.
        after: Option<String>,
        /// The filter in words, for the log.
        filter: String,
    },
}

impl Place {
    /// `criteria` are what narrows the rows down.
    fn of(
        what: &str,
        ids: Vec<String>,
        criteria: &[(&str, &Option<String>)],
        all: bool,
        cursor: Option<String>,
    ) -> Result<Self, ApiError> {
        if ids.len() > IDS_MAX {
            return Err(ApiError::bad(format!("ids are up to {IDS_MAX}")));
        }
        // A cursor is checked as that of a list is.
        let after = Page::of(cursor, None)?.cursor;
        let told = criteria.iter().filter_map(|(name, text)| {
            let text = text.as_deref()?;
            Some(format!("{name} {text}"))
        });
        let told: Vec<String> = told.collect();
        match Chosen::of(ids, !told.is_empty(), all)? {
            Chosen::Ids(_) if after.is_some() => {
                let why = "a cursor goes on with a filter, and ids have none";
                Err(ApiError::bad(why))
            }
            Chosen::Ids(mut ids) => {
                for text in &ids {
                    id(what, text)?;
                }
                ids.sort();
                ids.dedup();
                Ok(Self::Ids(ids))
            }
            Chosen::Filtered if told.is_empty() => Ok(Self::page(after, "all".to_owned())),
            Chosen::Filtered => Ok(Self::page(after, told.join(", "))),
        }
    }

    const fn page(after: Option<String>, filter: String) -> Self {
        Self::Page { after, filter }
    }

    /// For the log of the workspace: how these rows were chosen.
    pub fn told(&self, ids: &[String]) -> String {
        match (self, ids) {
            (Self::Ids(_), [_]) => String::new(),
            (Self::Ids(_), ids) => ids.join(" "),
            (Self::Page { filter, .. }, [first, .., last]) => {
                format!("{filter}; {first} to {last}")
            }
            (Self::Page { filter, .. }, [] | [_]) => filter.clone(),
        }
    }
}

/// For the log of a workspace: what was decided about.
pub fn target(kind: &str, ids: &[String]) -> String {
    match ids {
        [id] => id.clone(),
        ids => format!("{} {kind}", ids.len()),
    }
}

/// Where the next request goes on: after the last of these rows, when they fill a page.
pub fn next<T>(rows: &[T], id: impl Fn(&T) -> String) -> Option<String> {
    let is_full = rows.len() >= ROWS as usize;
    rows.last().filter(|_| is_full).map(id)
}

/// What was decided, by ids.
#[derive(Serialize, ToSchema)]
pub struct DecidedManyJson {
    #[serde(flatten)]
    pub decided: DecidedJson,
    /// The `cursor` of the next request; null when the filter leaves no more.
    pub next: Option<String>,
}

/// Which conflicts: `ids`, or filters, or `all`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WhichConflicts {
    /// Up to 200; what cannot be done to one of them is done to none.
    #[schema(max_items = 200)]
    pub ids: Vec<String>,
    /// Every row; needed where there is no filter.
    pub all: bool,
    #[schema(max_length = 200, pattern = "^[^\\x00]*$")]
    pub mapping: Option<String>,
    #[schema(max_length = 200, pattern = "^[^\\x00]*$")]
    pub rule: Option<String>,
    /// open (waits for a person) or decided (a rule decided); open unless given.
    #[schema(pattern = "^(open|decided)$")]
    pub state: Option<String>,
    /// `next` of the answer before.
    #[schema(max_length = 1000, pattern = "^[^\\x00]*$")]
    pub cursor: Option<String>,
}

/// Which dead letters: `ids`, or filters, or `all`; only open ones.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WhichLetters {
    /// Up to 200; what cannot be done to one of them is done to none.
    #[schema(max_items = 200)]
    pub ids: Vec<String>,
    /// Every row; needed where there is no filter.
    pub all: bool,
    #[schema(max_length = 200, pattern = "^[^\\x00]*$")]
    pub mapping: Option<String>,
    /// The class of the failure, such as permanent.
    #[schema(
        pattern = "^(transient|rate|auth|permanent|needs-person|blocked|unknown-outcome|\
                         ours)$"
    )]
    pub class: Option<String>,
    /// The code of the failure, such as REQUIRED_FIELD_MISSING.
    #[schema(max_length = 200, pattern = "^[^\\x00]*$")]
    pub code: Option<String>,
    /// The side of the record: hubspot or salesforce.
    #[schema(pattern = "^(hubspot|salesforce)$")]
    pub side: Option<String>,
    #[schema(max_length = 200, pattern = "^[^\\x00]*$")]
    pub rule: Option<String>,
    /// `next` of the answer before.
    #[schema(max_length = 1000, pattern = "^[^\\x00]*$")]
    pub cursor: Option<String>,
}

/// Which links: `ids`, or filters, or `all`; only open ones.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WhichLinks {
    /// Up to 200; what cannot be done to one of them is done to none.
    #[schema(max_items = 200)]
    pub ids: Vec<String>,
    /// Every row; needed where there is no filter.
    pub all: bool,
    #[schema(max_length = 200, pattern = "^[^\\x00]*$")]
    pub mapping: Option<String>,
    #[schema(pattern = "^(creating-(hubspot|salesforce)|linked|suspended|frozen)$")]
    pub state: Option<String>,
    /// `next` of the answer before.
    #[schema(max_length = 1000, pattern = "^[^\\x00]*$")]
    pub cursor: Option<String>,
}

/// What both sides shall hold.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTakes {
    /// hubspot, salesforce, or a value; `=VALUE` where a value could be taken for a side. Empty
    /// for a blank. A value fits one rule: with a filter, name the mapping and the rule.
    #[schema(max_length = 1000, pattern = "^[^\\x00]*$")]
    pub choice: String,
    pub which: WhichConflicts,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReplays {
    pub which: WhichLetters,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDiscards {
    /// Why; kept with each letter.
    #[schema(max_length = 1000, pattern = "^[^\\x00]*[^\\s\\x00]")]
    pub reason: String,
    pub which: WhichLetters,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUnpairs {
    pub which: WhichLinks,
}

/// Two records that belong together.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPair {
    /// A mapping that is at work in the workspace.
    #[schema(max_length = 200, pattern = "^[^\\x00]*$")]
    pub mapping: String,
    #[schema(pattern = "^[0-9]{1,19}$")]
    pub hubspot_id: String,
    /// With all 18 characters.
    #[schema(pattern = "^[A-Za-z0-9]{18}$")]
    pub salesforce_id: String,
}

impl NewTakes {
    /// The choice, and the conflicts it is for.
    pub fn checked(self) -> Result<(Choice, Place, ConflictFilter), ApiError> {
        let Self { choice, which } = self;
        if choice.contains('\0') || choice.chars().count() > VALUE_CHARS {
            let why = format!("choice is hubspot, salesforce or up to {VALUE_CHARS} characters");
            return Err(ApiError::bad(why));
        }
        let choice = Choice::parse(&choice);
        let of_one_rule = which.mapping.is_some() && which.rule.is_some();
        let (place, filter) = which.checked()?;
        if matches!((&choice, &place), (Choice::Value(_), Place::Page { .. })) && !of_one_rule {
            let why = "a value fits one rule; name the mapping and the rule, or ids";
            return Err(ApiError::bad(why));
        }
        Ok((choice, place, filter))
    }
}

impl WhichConflicts {
    fn checked(self) -> Result<(Place, ConflictFilter), ApiError> {
        let criteria = [
            ("mapping", &self.mapping),
            ("rule", &self.rule),
            ("state", &self.state),
        ];
        let place = Place::of("conflict", self.ids, &criteria, self.all, self.cursor)?;
        let filter = ConflictFilter {
            mapping: mapping(self.mapping)?,
            rule: word("rule", self.rule)?,
            state: one_of(self.state.as_deref(), undecided, "open or decided")?,
            ..ConflictFilter::default()
        };
        Ok((place, filter))
    }
}

fn undecided(text: &str) -> Option<ConflictState> {
    ConflictState::parse(text).filter(|state| *state != ConflictState::Closed)
}

impl WhichLetters {
    pub fn checked(self) -> Result<(Place, DeadLetterFilter), ApiError> {
        let criteria = [
            ("mapping", &self.mapping),
            ("class", &self.class),
            ("code", &self.code),
            ("side", &self.side),
            ("rule", &self.rule),
        ];
        let place = Place::of("dead letter", self.ids, &criteria, self.all, self.cursor)?;
        let filter = DeadLetterFilter {
            mapping: mapping(self.mapping)?,
            class: class(self.class.as_deref())?,
            code: word("code", self.code)?,
            side: side(self.side.as_deref())?,
            rule: word("rule", self.rule)?,
            limit: ROWS,
            ..DeadLetterFilter::default()
        };
        Ok((place, filter))
    }
}

impl NewDiscards {
    pub fn checked(self) -> Result<(String, Place, DeadLetterFilter), ApiError> {
        let reason = reason(&self.reason)?;
        let (place, filter) = self.which.checked()?;
        Ok((reason, place, filter))
    }
}

impl WhichLinks {
    pub fn checked(self) -> Result<(Place, LinkFilter), ApiError> {
        let criteria = [("mapping", &self.mapping), ("state", &self.state)];
        let place = Place::of("open link", self.ids, &criteria, self.all, self.cursor)?;
        let open = |text: &str| LinkState::parse(text).filter(|state| state.is_open());
        let known = "creating-hubspot, creating-salesforce, linked, suspended or frozen";
        let filter = LinkFilter {
            mapping: mapping(self.mapping)?,
            state: one_of(self.state.as_deref(), open, known)?,
        };
        Ok((place, filter))
    }
}
