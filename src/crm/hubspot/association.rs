//! Associations: which records a record is tied to, under which labels.
//!
//! Ties have their own, lower limits and move no stamp of either record.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::error::ItemError;
use super::wire::{Many, Paging, or_default};
use super::{Bucket, HubSpot, Op, VERSION, hold};
use crate::crm::json::{Lenient, listed};
use crate::crm::{CrmError, ErrorKind, Sent};
use crate::model::RecordId;

const READ: Op = Op::read("associations").via(Bucket::Associations);
const WRITE: Op = Op::write("associate").via(Bucket::Associations);
const READ_BATCH: usize = 1_000;
const WRITE_BATCH: usize = 2_000;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AssociationType {
    /// `HUBSPOT_DEFINED`, `USER_DEFINED`, ... as HubSpot spells it.
    pub category: String,
    pub type_id: u64,
    /// `None` for the unlabelled type, which every tie has.
    pub label: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Association {
    pub to: RecordId,
    /// Ordered, each once.
    pub types: Vec<AssociationType>,
}

/// Types HubSpot defines itself (hubspot.md 7.2): from, to, id, and whether it is the primary one.
const DEFINED: [(&str, &str, u64, bool); 26] = [
    ("contacts", "companies", 279, false),
    ("contacts", "companies", 1, true),
    ("companies", "contacts", 280, false),
    ("companies", "contacts", 2, true),
    ("contacts", "contacts", 449, false),
    ("companies", "companies", 450, false),
    ("deals", "contacts", 3, false),
    ("contacts", "deals", 4, false),
    ("deals", "companies", 341, false),
    ("deals", "companies", 5, true),
    ("companies", "deals", 342, false),
    ("companies", "deals", 6, true),
    ("deals", "deals", 451, false),
    ("tickets", "contacts", 16, false),
    ("contacts", "tickets", 15, false),
    ("tickets", "companies", 339, false),
    ("tickets", "companies", 26, true),
    ("companies", "tickets", 340, false),
    ("companies", "tickets", 25, true),
    ("tickets", "deals", 28, false),
    ("deals", "tickets", 27, false),
    ("tickets", "tickets", 452, false),
    ("leads", "contacts", 608, false),
    ("leads", "contacts", 578, true),
    ("leads", "companies", 610, false),
    ("leads", "companies", 580, true),
];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Tied {
    #[serde(deserialize_with = "or_default")]
    from: Named,
    #[serde(deserialize_with = "listed")]
    to: Vec<Tie>,
    #[serde(deserialize_with = "or_default")]
    paging: Paging,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Named {
    id: Lenient,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Tie {
    to_object_id: Lenient,
    #[serde(deserialize_with = "listed")]
    association_types: Vec<WireType>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WireType {
    category: Lenient,
    type_id: Lenient,
    label: Lenient,
}

impl WireType {
    fn read(self) -> Option<AssociationType> {
        Some(AssociationType {
            category: self.category.0.unwrap_or_else(|| HUBSPOT.to_owned()),
            type_id: self.type_id.0?.parse().ok()?,
            label: self.label.0,
        })
    }
}

const HUBSPOT: &str = "HUBSPOT_DEFINED";
/// The label by which mapping files name a primary type.
const PRIMARY: &str = "Primary";

impl HubSpot {
    /// The ties of each record, all pages; a record without any is absent. Ordered by id.
    pub async fn associations(
        &self,
        from_object: &str,
        to_object: &str,
        ids: &[RecordId],
    ) -> Result<BTreeMap<RecordId, Vec<Association>>, CrmError> {
        let url = self
            .ties_url(from_object, to_object, &["batch", "read"])
            .await?;
        let mut ties: BTreeMap<RecordId, BTreeMap<RecordId, BTreeSet<AssociationType>>> =
            BTreeMap::new();
        let asked: BTreeSet<&RecordId> = ids.iter().collect();
        let mut open: Vec<(String, Option<String>)> = asked
            .into_iter()
            .map(|id| (id.as_str().to_owned(), None))
            .collect();
        let mut asked_before = BTreeSet::new();
        while !open.is_empty() {
            let rest = open.split_off(open.len().min(READ_BATCH));
            let call = std::mem::replace(&mut open, rest);
            for tied in self.read_ties(&url, &call).await? {
                let Some(from) = tied.from.id.0 else { continue };
                if let Some(after) = tied.paging.next.after.0 {
                    let next = (from.clone(), Some(after));
                    // A cursor met twice would lead round in a circle.
                    if !asked_before.insert(next.clone()) {
                        return Err(CrmError::broken("the ties go round in a circle", Sent::Yes));
                    }
                    open.push(next);
                }
                let known = ties.entry(RecordId::new(from)).or_default();
                for tie in tied.to {
                    let Some(to) = tie.to_object_id.0 else {
                        continue;
                    };
                    let types = tie.association_types.into_iter().filter_map(WireType::read);
                    known.entry(RecordId::new(to)).or_default().extend(types);
                }
            }
        }
        Ok(ties
            .into_iter()
            .filter(|(_, to)| !to.is_empty())
            .map(|(from, to)| (from, to.into_iter().map(association).collect()))
            .collect())
    }

    async fn read_ties(
        &self,
        url: &Url,
        call: &[(String, Option<String>)],
    ) -> Result<Vec<Tied>, CrmError> {
        let inputs: Vec<Value> = call
            .iter()
            .map(|(id, after)| match after {
                Some(after) => json!({"id": id, "after": after}),
                None => json!({"id": id}),
            })
            .collect();
        let reply = self
            .post(READ, url.clone(), &json!({"inputs": inputs}))
            .await?;
        let many: Many<Tied> = reply.json()?;
        let now = self.now();
        for item in &many.errors {
            let error = super::error::from_item(item, now).error;
            if error.kind != ErrorKind::NotFound {
                return Err(error);
            }
        }
        many.results
            .ok_or_else(|| reply.broken("the list of associations is missing"))
    }

    /// The type that carries a label, or the one without. Types hardly ever change, so they are
    /// read once, and again only when a label is not among them.
    pub async fn association_type(
        &self,
        from: &str,
        to: &str,
        label: Option<&str>,
    ) -> Result<AssociationType, CrmError> {
        let of = (from.to_owned(), to.to_owned());
        let known = hold(&self.inner.ties)
            .get(&of)
            .and_then(|types| named(types, label));
        if let Some(kind) = known {
            return Ok(kind);
        }
        let types = self.association_types(from, to).await?;
        let kind = named(&types, label);
        hold(&self.inner.ties).insert(of, types);
        kind.ok_or_else(|| CrmError::unknown_label(from, to, label.unwrap_or("(none)")))
    }

    /// The types a tie in this direction may have: HubSpot's own and the account's labels.
    pub async fn association_types(
        &self,
        from: &str,
        to: &str,
    ) -> Result<Vec<AssociationType>, CrmError> {
        let url = self.ties_url(from, to, &["labels"]).await?;
        let reply = self.get(READ, url).await?;
        let many: Many<WireType> = reply.json()?;
        let listed = many
            .results
            .ok_or_else(|| reply.broken("the list of labels is missing"))?;
        let mut types: BTreeMap<u64, AssociationType> = DEFINED
            .iter()
            .filter(|known| known.0 == from && known.1 == to)
            .map(|&(_, _, type_id, primary)| {
                let known = AssociationType {
                    category: HUBSPOT.to_owned(),
                    type_id,
                    label: primary.then(|| PRIMARY.to_owned()),
                };
                (type_id, known)
            })
            .collect();
        for listed in listed.into_iter().filter_map(WireType::read) {
            types.insert(listed.type_id, listed);
        }
        Ok(types.into_values().collect())
    }

    /// Ties pairs, one answer for each in order. The labels named for a pair replace the ones it
    /// has, so name all of them, each in an entry of its own.
    pub async fn associate(
        &self,
        from: &str,
        to: &str,
        pairs: &[(RecordId, RecordId, AssociationType)],
    ) -> Vec<Result<(), CrmError>> {
        let mut wanted: BTreeMap<(&RecordId, &RecordId), Vec<Value>> = BTreeMap::new();
        for (left, right, kind) in pairs {
            wanted.entry((left, right)).or_default().push(json!({
                "associationCategory": kind.category,
                "associationTypeId": kind.type_id,
            }));
        }
        let inputs: Vec<((&RecordId, &RecordId), Value)> = wanted
            .into_iter()
            .map(|((left, right), types)| {
                let from = json!({"id": left.as_str()});
                let to = json!({"id": right.as_str()});
                (
                    (left, right),
                    json!({"from": from, "to": to, "types": types}),
                )
            })
            .collect();
        let answers = self.write_ties(from, to, "create", &inputs).await;
        if answers.values().any(Result::is_err) {
            // The account may have another type under this label by now.
            hold(&self.inner.ties).remove(&(from.to_owned(), to.to_owned()));
        }
        pairs
            .iter()
            .map(|(left, right, _)| answer(&answers, left, right))
            .collect()
    }

    /// Takes one label from each pair and leaves the rest of the tie; one answer for each in order.
    pub async fn unlabel(
        &self,
        from: &str,
        to: &str,
        pairs: &[(RecordId, RecordId, AssociationType)],
    ) -> Vec<Result<(), CrmError>> {
        let wanted: BTreeMap<(&RecordId, &RecordId), Value> = pairs
            .iter()
            .map(|(left, right, kind)| {
                let types = json!([{
                    "associationCategory": kind.category,
                    "associationTypeId": kind.type_id,
                }]);
                let (from, to) = (json!({"id": left.as_str()}), json!({"id": right.as_str()}));
                (
                    (left, right),
                    json!({"from": from, "to": to, "types": types}),
                )
            })
            .collect();
        let inputs: Vec<((&RecordId, &RecordId), Value)> = wanted.into_iter().collect();
        let answers = self.write_ties(from, to, "labels/archive", &inputs).await;
        pairs
            .iter()
            .map(|(left, right, _)| answer(&answers, left, right))
            .collect()
    }

    /// Unties pairs, all labels at once; one answer for each in order.
    pub async fn dissociate(
        &self,
        from: &str,
        to: &str,
        pairs: &[(RecordId, RecordId)],
    ) -> Vec<Result<(), CrmError>> {
        let wanted: BTreeSet<(&RecordId, &RecordId)> =
            pairs.iter().map(|(left, right)| (left, right)).collect();
        let inputs: Vec<((&RecordId, &RecordId), Value)> = wanted
            .into_iter()
            .map(|(left, right)| {
                let from = json!({"id": left.as_str()});
                let to = json!([{"id": right.as_str()}]);
                ((left, right), json!({"from": from, "to": to}))
            })
            .collect();
        let answers = self.write_ties(from, to, "archive", &inputs).await;
        pairs
            .iter()
            .map(|(left, right)| answer(&answers, left, right))
            .collect()
    }

    async fn write_ties<'a>(
        &self,
        from: &str,
        to: &str,
        verb: &str,
        inputs: &[((&'a RecordId, &'a RecordId), Value)],
    ) -> Answers<'a> {
        let mut answers = BTreeMap::new();
        for chunk in inputs.chunks(WRITE_BATCH) {
            match self.write_ties_call(from, to, verb, chunk).await {
                Ok(items) => {
                    for (pair, _) in chunk {
                        answers.insert(*pair, blame(pair, chunk.len(), &items));
                    }
                }
                Err(error) => {
                    let error = error.whole_call();
                    answers.extend(chunk.iter().map(|(pair, _)| (*pair, Err(error.clone()))));
                }
            }
        }
        answers
    }

    async fn write_ties_call(
        &self,
        from: &str,
        to: &str,
        verb: &str,
        chunk: &[((&RecordId, &RecordId), Value)],
    ) -> Result<Vec<ItemError>, CrmError> {
        let path: Vec<&str> = std::iter::once("batch").chain(verb.split('/')).collect();
        let url = self.ties_url(from, to, &path).await?;
        let inputs: Vec<&Value> = chunk.iter().map(|(_, input)| input).collect();
        let reply = self.post(WRITE, url, &json!({"inputs": inputs})).await?;
        if reply.body.is_empty() {
            return Ok(Vec::new());
        }
        let many: Many<Value> = reply.json()?;
        let now = self.now();
        let items = many.errors.iter();
        Ok(items
            .map(|item| super::error::from_item(item, now))
            .collect())
    }

    async fn ties_url(&self, from: &str, to: &str, rest: &[&str]) -> Result<Url, CrmError> {
        let (from, to) = (self.segment(from).await?, self.segment(to).await?);
        let mut path = vec!["crm", "associations", VERSION, from.as_str(), to.as_str()];
        path.extend(rest);
        self.url(&path)
    }
}

fn named(types: &[AssociationType], label: Option<&str>) -> Option<AssociationType> {
    let wanted = |kind: &&AssociationType| match (label, &kind.label) {
        (Some(label), Some(theirs)) => theirs.eq_ignore_ascii_case(label),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    types.iter().find(wanted).cloned()
}

type Answers<'a> = BTreeMap<(&'a RecordId, &'a RecordId), Result<(), CrmError>>;

fn answer(answers: &Answers<'_>, left: &RecordId, right: &RecordId) -> Result<(), CrmError> {
    answers
        .get(&(left, right))
        .cloned()
        .unwrap_or_else(|| Err(CrmError::row_missing()))
}

/// Ties can be made twice without harm, so a pair that no error names counts as done; an error
/// that names nobody leaves all in doubt, and the next scan looks.
fn blame(
    (left, right): &(&RecordId, &RecordId),
    pairs: usize,
    items: &[ItemError],
) -> Result<(), CrmError> {
    let names = |item: &&ItemError| {
        let is = |id: &String| id == left.as_str() || id == right.as_str();
        item.ids.iter().any(is)
    };
    if let Some(item) = items.iter().find(names) {
        return Err(item.error.clone());
    }
    match items.iter().find(|item| item.ids.is_empty()) {
        Some(item) if pairs == 1 => Err(item.error.clone()),
        Some(item) => Err(CrmError {
            sent: Sent::Unknown,
            whole_call: true,
            ..item.error.clone()
        }),
        None => Ok(()),
    }
}

fn association((to, types): (RecordId, BTreeSet<AssociationType>)) -> Association {
    Association {
        to,
        types: types.into_iter().collect(),
    }
}
