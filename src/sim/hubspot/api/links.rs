//! Associations between records, single and in batch, and their labels (`hubspot.md 7.1`).

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::super::assoc_types::{AssocType, Role};
use super::super::failure::Failure;
use super::super::kind::ObjectKind;
use super::super::record::Source;
use super::super::state::State;
use super::super::value::text_of;
use super::objects::{SentId, SentType};
use super::route::{LinkBatchCall, Pair};
use super::{Call, Reply};

const MAX_READ: usize = 1_000;
const MAX_WRITE: usize = 2_000;
const MAX_PAGE: usize = 500;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ReadBody {
    inputs: Vec<ReadInput>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ReadInput {
    id: Json,
    after: Option<Json>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WriteBody {
    inputs: Vec<WriteInput>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WriteInput {
    from: SentId,
    to: Targets,
    types: Vec<SentType>,
}

/// One target, or for an archive a list of them. The list is tried first, because a struct can
/// also be read from a list.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Targets {
    Many(Vec<SentId>),
    One(SentId),
}

impl Default for Targets {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl Targets {
    fn texts(&self) -> Vec<String> {
        let ids: Vec<&SentId> = match self {
            Self::One(id) => vec![id],
            Self::Many(ids) => ids.iter().collect(),
        };
        ids.iter()
            .map(|id| text_of(&id.id).unwrap_or_default())
            .collect()
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LabelBody {
    label: String,
    #[serde(default)]
    inverse_label: Option<String>,
}

type End = (ObjectKind, u64);

impl State {
    pub(super) fn list_links(
        &self,
        from: ObjectKind,
        id: &str,
        to: ObjectKind,
        call: &Call,
    ) -> Result<Reply, Failure> {
        let limit = call.limit(MAX_PAGE, MAX_PAGE)?;
        let id = self
            .locate(from, id, None)?
            .ok_or_else(Failure::not_found)?;
        let (rows, next) = self.page(from, id, to, call.param("after"), limit);
        let mut body = json!({"results": rows});
        if let Some(next) = next {
            body["paging"] = json!({"next": {"after": next}});
        }
        Ok(Reply::ok(body))
    }

    /// One page of a record's links, and the cursor of the next.
    fn page(
        &self,
        from: ObjectKind,
        id: u64,
        to: ObjectKind,
        after: Option<&str>,
        limit: usize,
    ) -> (Vec<Json>, Option<String>) {
        let start: u64 = after.and_then(|text| text.parse().ok()).unwrap_or(0);
        let links = self.links(from, id, to);
        let mut links = links.into_iter().filter(|(id, _)| *id >= start);
        let book = &self.associations.types;
        let rows = links
            .by_ref()
            .take(limit)
            .map(|(to_id, types)| {
                let known = types.iter().filter_map(|id| book.find(from, to, *id));
                let types: Vec<Json> = known.map(AssocType::to_json).collect();
                json!({"toObjectId": to_id.to_string(), "associationTypes": types})
            })
            .collect();
        (rows, links.next().map(|(id, _)| id.to_string()))
    }

    fn ends(&self, pair: &Pair) -> Result<(End, End), Failure> {
        let from = self.locate(pair.from, &pair.from_id, None)?;
        let to = self.locate(pair.to, &pair.to_id, None)?;
        match from.zip(to) {
            Some((from, to)) => Ok(((pair.from, from), (pair.to, to))),
            None => Err(Failure::not_found()),
        }
    }

    pub(super) fn link(&mut self, pair: &Pair, call: &Call) -> Result<Reply, Failure> {
        let sent: Vec<SentType> = call.json()?;
        let types = self.check_types(pair.from, pair.to, &sent)?;
        let (from, to) = self.ends(pair)?;
        self.write_link(from, to, &types);
        Ok(Reply::json(201, self.pair_json(from, to, &types)))
    }

    fn write_link(&mut self, from: End, to: End, types: &[u32]) {
        self.relate(from, to, Source::Integration, |all| {
            all.link(from, to, types)
        });
        self.log.counters.associations_written += 1;
    }

    fn pair_json(&self, from: End, to: End, types: &[u32]) -> Json {
        let book = &self.associations.types;
        let known = types.iter().filter_map(|id| book.find(from.0, to.0, *id));
        let labels: Vec<&String> = known.filter_map(|t| t.label.as_ref()).collect();
        json!({"fromObjectTypeId": from.0.type_id(), "fromObjectId": from.1.to_string(),
            "toObjectTypeId": to.0.type_id(), "toObjectId": to.1.to_string(), "labels": labels})
    }

    pub(super) fn link_default(&mut self, pair: &Pair) -> Result<Reply, Failure> {
        let (from, to) = self.ends(pair)?;
        let rows = self.write_default(from, to)?;
        Ok(self.envelope(rows, Vec::new(), 200))
    }

    /// Links two records without a label; one row per direction.
    fn write_default(&mut self, from: End, to: End) -> Result<Vec<Json>, Failure> {
        let book = &self.associations.types;
        let plain = book.with_role(from.0, to.0, Role::Plain).cloned();
        let plain = plain.ok_or_else(|| no_type(from.0, to.0))?;
        self.relate(from, to, Source::Integration, |all| all.add(from, to, &[]));
        self.log.counters.associations_written += 1;
        let row = |from: End, to: End, id: u32| {
            json!({"from": {"id": from.1.to_string()}, "to": {"id": to.1.to_string()},
                "associationSpec": {"associationCategory": plain.category(),
                    "associationTypeId": id}})
        };
        Ok(vec![
            row(from, to, plain.id),
            row(to, from, plain.inverse()),
        ])
    }

    pub(super) fn unlink(&mut self, pair: &Pair) -> Result<Reply, Failure> {
        let (from, to) = self.ends(pair)?;
        self.relate(from, to, Source::Integration, |all| all.unlink(from, to));
        self.log.counters.associations_written += 1;
        Ok(Reply::nothing())
    }

    /// The type ids of a request; each must exist in the direction asked for.
    fn check_types(
        &self,
        from: ObjectKind,
        to: ObjectKind,
        sent: &[SentType],
    ) -> Result<Vec<u32>, Failure> {
        let book = &self.associations.types;
        if sent.is_empty() {
            return Err(Failure::validation(
                "At least one association type is required",
            ));
        }
        let check = |one: &SentType| {
            let id = one.association_type_id;
            let found = book.find(from, to, id);
            let found = found.filter(|t| t.category() == one.association_category);
            found.map(|t| t.id).ok_or_else(|| match book.by_id(id) {
                Some(other) if other.from != from => Failure::validation(format!(
                    "invalid from object type {} for associations to be created. expected: {}",
                    from.type_id(),
                    other.from.type_id()
                )),
                Some(_) | None => no_type(from, to),
            })
        };
        sent.iter().map(check).collect()
    }

    pub(super) fn link_batch(
        &mut self,
        from: ObjectKind,
        to: ObjectKind,
        which: LinkBatchCall,
        dated: bool,
        call: &Call,
    ) -> Result<Reply, Failure> {
        if which == LinkBatchCall::Read {
            return self.read_links(from, to, &call.json()?);
        }
        let body: WriteBody = call.json()?;
        refuse_many(body.inputs.len(), MAX_WRITE)?;
        let mut checked = Vec::new();
        for input in &body.inputs {
            let types = match which {
                LinkBatchCall::Create | LinkBatchCall::ArchiveLabels => {
                    self.check_types(from, to, &input.types)?
                }
                LinkBatchCall::Default | LinkBatchCall::Archive | LinkBatchCall::Read => Vec::new(),
            };
            checked.push((input, types));
        }
        let mut results = Vec::new();
        let mut missing: Vec<String> = Vec::new();
        for (input, types) in checked {
            let from_text = text_of(&input.from.id).unwrap_or_default();
            for to_text in input.to.texts() {
                let from_id = self.locate(from, &from_text, None)?;
                let to_id = self.locate(to, &to_text, None)?;
                let (Some(from_id), Some(to_id)) = (from_id, to_id) else {
                    missing.push(if from_id.is_none() {
                        from_text.clone()
                    } else {
                        to_text
                    });
                    continue;
                };
                let rows = self.link_one(which, (from, from_id), (to, to_id), &types)?;
                results.extend(rows);
            }
        }
        Ok(self.finish_links(which, dated, from, results, missing))
    }

    fn link_one(
        &mut self,
        which: LinkBatchCall,
        from: End,
        to: End,
        types: &[u32],
    ) -> Result<Vec<Json>, Failure> {
        match which {
            LinkBatchCall::Create => {
                self.write_link(from, to, types);
                Ok(vec![self.pair_json(from, to, types)])
            }
            LinkBatchCall::Default => self.write_default(from, to),
            LinkBatchCall::Archive => {
                self.relate(from, to, Source::Integration, |all| all.unlink(from, to));
                self.log.counters.associations_written += 1;
                Ok(Vec::new())
            }
            LinkBatchCall::ArchiveLabels => {
                self.relate(from, to, Source::Integration, |all| {
                    all.remove_types(from, to, types);
                });
                self.log.counters.associations_written += 1;
                Ok(Vec::new())
            }
            LinkBatchCall::Read => Ok(Vec::new()),
        }
    }

    fn finish_links(
        &self,
        which: LinkBatchCall,
        dated: bool,
        from: ObjectKind,
        mut results: Vec<Json>,
        missing: Vec<String>,
    ) -> Reply {
        let archive = matches!(which, LinkBatchCall::Archive | LinkBatchCall::ArchiveLabels);
        if archive && !dated {
            return Reply::nothing();
        }
        results.reverse();
        let errors = if missing.is_empty() || archive {
            Vec::new()
        } else {
            vec![Failure::some_not_found(from, missing).to_item(None)]
        };
        let status = if which == LinkBatchCall::Create {
            201
        } else {
            200
        };
        self.envelope(results, errors, status)
    }

    fn read_links(
        &self,
        from: ObjectKind,
        to: ObjectKind,
        body: &ReadBody,
    ) -> Result<Reply, Failure> {
        refuse_many(body.inputs.len(), MAX_READ)?;
        let mut results = Vec::new();
        let mut missing = Vec::new();
        for input in &body.inputs {
            let text = text_of(&input.id).unwrap_or_default();
            let Some(id) = self.locate(from, &text, None)? else {
                missing.push(text);
                continue;
            };
            let after = input.after.as_ref().and_then(text_of);
            let (rows, next) = self.page(from, id, to, after.as_deref(), MAX_PAGE);
            if rows.is_empty() {
                continue;
            }
            let mut row = json!({"from": {"id": text}, "to": rows});
            if let Some(next) = next {
                row["paging"] = json!({"next": {"after": next}});
            }
            results.push(row);
        }
        results.reverse();
        let errors = if missing.is_empty() {
            Vec::new()
        } else {
            vec![Failure::some_not_found(from, missing).to_item(None)]
        };
        Ok(self.envelope(results, errors, 200))
    }

    pub(super) fn labels(&self, from: ObjectKind, to: ObjectKind) -> Reply {
        let types = self.associations.types.between(from, to);
        let rows: Vec<Json> = types.map(AssocType::to_json).collect();
        Reply::ok(json!({"results": rows}))
    }

    pub(super) fn add_label(
        &mut self,
        from: ObjectKind,
        to: ObjectKind,
        call: &Call,
    ) -> Result<Reply, Failure> {
        let body: LabelBody = call.json()?;
        let book = &mut self.associations.types;
        let taken = |t: &AssocType| t.label.as_deref() == Some(body.label.as_str());
        if body.label.trim().is_empty() || book.between(from, to).any(taken) {
            return Err(Failure::validation(format!(
                "The label \"{}\" is empty or exists already",
                body.label
            )));
        }
        let new = book.add_label(from, to, &body.label, body.inverse_label.as_deref());
        let rows: Vec<Json> = new.iter().map(AssocType::to_json).collect();
        Ok(Reply::ok(json!({"results": rows})))
    }
}

fn no_type(from: ObjectKind, to: ObjectKind) -> Failure {
    Failure::validation(format!(
        "One or more association types are not valid between {} and {}",
        from.type_id(),
        to.type_id()
    ))
}

fn refuse_many(count: usize, max: usize) -> Result<(), Failure> {
    if count <= max {
        return Ok(());
    }
    Err(Failure::validation(format!(
        "The maximum number of inputs in a batch request is {max}, got {count}"
    )))
}
