//! Batches of records: whole or in part, by whether the inputs carry trace ids
//! (`hubspot.md 4.7`).

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::super::failure::Failure;
use super::super::kind::ObjectKind;
use super::super::record::Source;
use super::super::render::Wanted;
use super::super::stamp;
use super::super::state::{State, non_unique};
use super::super::table::Key;
use super::super::value::text_of;
use super::super::write::Draft;
use super::objects::{PlannedLink, SentLink, SentProperties, texts};
use super::route::BatchCall;
use super::{Call, Reply};

const MAX_INPUTS: usize = 100;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct BatchBody {
    inputs: Vec<Input>,
    properties: Vec<String>,
    properties_with_history: Vec<String>,
    id_property: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Input {
    id: Json,
    id_property: Option<String>,
    properties: SentProperties,
    associations: Vec<SentLink>,
    object_write_trace_id: Option<String>,
}

/// What one input comes to once it is judged.
enum Step {
    Create(Draft, Vec<PlannedLink>),
    Update(u64, Draft),
    /// An id that was merged away: left out of the answer without a word.
    Dropped,
}

/// What a batch answers with, gathered input by input.
#[derive(Default)]
struct Outcome {
    results: Vec<Json>,
    errors: Vec<Json>,
    missing: Vec<String>,
}

impl State {
    pub(super) fn batch(
        &mut self,
        kind: ObjectKind,
        which: BatchCall,
        call: &Call,
    ) -> Result<Reply, Failure> {
        let body: BatchBody = call.json()?;
        if body.inputs.len() > MAX_INPUTS {
            return Err(Failure::validation(format!(
                "The maximum number of inputs in a batch request is {MAX_INPUTS}, got {}",
                body.inputs.len()
            )));
        }
        match which {
            BatchCall::Read => self.batch_read(kind, &body, call),
            BatchCall::Archive => Ok(self.batch_archive(kind, &body)),
            BatchCall::Create | BatchCall::Update | BatchCall::Upsert => {
                self.batch_write(kind, which, &body)
            }
        }
    }

    fn batch_read(
        &self,
        kind: ObjectKind,
        body: &BatchBody,
        call: &Call,
    ) -> Result<Reply, Failure> {
        if !body.properties_with_history.is_empty() && body.inputs.len() > 50 {
            return Err(Failure::validation(
                "The maximum number of inputs with propertiesWithHistory is 50",
            ));
        }
        let table = self.table(kind);
        let archived = call.flag("archived");
        let wanted = Wanted::of(table, &body.properties, &body.properties_with_history);
        let mut outcome = Outcome::default();
        let mut seen = BTreeSet::new();
        for input in &body.inputs {
            let text = text_of(&input.id).unwrap_or_default();
            let found = if archived {
                self.locate_archived(kind, &text, body.id_property.as_deref())?
            } else {
                let merged = text.parse().is_ok_and(|id| table.is_merged_away(id));
                let follows = self.options.batch_read_follows_merges;
                self.locate(kind, &text, body.id_property.as_deref())?
                    .filter(|_| follows || !merged)
            };
            let found = found.filter(|id| !self.hides(kind, *id));
            match found.and_then(|id| table.get(id)) {
                None => outcome.missing.push(text),
                Some(record) if seen.insert(record.id) => {
                    outcome
                        .results
                        .push(self.record_json(table, record, &wanted));
                }
                Some(_) => {}
            }
        }
        Ok(self.finish(kind, outcome, 200))
    }

    fn batch_archive(&mut self, kind: ObjectKind, body: &BatchBody) -> Reply {
        for input in &body.inputs {
            let id = text_of(&input.id).and_then(|text| text.parse().ok());
            if let Some(id) = id {
                self.archive_from(kind, id);
            }
        }
        Reply::nothing()
    }

    fn batch_write(
        &mut self,
        kind: ObjectKind,
        which: BatchCall,
        body: &BatchBody,
    ) -> Result<Reply, Failure> {
        if which != BatchCall::Create {
            refuse_repeated(&body.inputs)?;
        }
        let ids = body.inputs.iter().map(|input| text_of(&input.id));
        let ids: Vec<String> = ids.map(Option::unwrap_or_default).collect();
        self.batch_fault(kind, &ids)?;
        let traced = body
            .inputs
            .iter()
            .all(|input| input.object_write_trace_id.is_some());
        let mut outcome = Outcome::default();
        if traced {
            for input in &body.inputs {
                let step = self.meet(kind, which, input);
                self.take_step(kind, which, input, step, &mut outcome)?;
            }
        } else {
            let mut steps = Vec::new();
            let mut keys = BTreeSet::new();
            for input in &body.inputs {
                let step = self.meet(kind, which, input);
                if let Err(failure) = &step
                    && failure.category != Some("OBJECT_NOT_FOUND")
                {
                    return Err(failure.clone());
                }
                refuse_shared_keys(&step, &mut keys)?;
                steps.push(step);
            }
            for (input, step) in body.inputs.iter().zip(steps) {
                self.take_step(kind, which, input, step, &mut outcome)?;
            }
        }
        let status = if which == BatchCall::Create { 201 } else { 200 };
        Ok(self.finish(kind, outcome, status))
    }

    /// Judges an input, unless something happens to it first.
    fn meet(&mut self, kind: ObjectKind, which: BatchCall, input: &Input) -> Result<Step, Failure> {
        if !self.faults.is_calm() {
            let text = text_of(&input.id).unwrap_or_default();
            let creates = which != BatchCall::Update;
            self.row_fault(kind, &text, &texts(&input.properties), creates)?;
        }
        self.judge(kind, which, input)
    }

    /// What an input would do, without doing it.
    fn judge(&self, kind: ObjectKind, which: BatchCall, input: &Input) -> Result<Step, Failure> {
        let mut sent = texts(&input.properties);
        let text = text_of(&input.id).unwrap_or_default();
        let id_property = input.id_property.as_deref();
        let source = Source::Integration;
        match which {
            BatchCall::Create => {
                let links = self.plan_links(kind, &input.associations)?;
                Ok(Step::Create(self.draft(kind, None, &sent, source)?, links))
            }
            BatchCall::Update => {
                if id_property == Some("email") {
                    return Err(non_unique(kind));
                }
                let number = text.parse().ok().filter(|_| id_property.is_none());
                if number.is_some_and(|id| self.table(kind).is_merged_away(id)) {
                    return Ok(Step::Dropped);
                }
                let id = self.locate(kind, &text, id_property)?;
                let id = id.filter(|id| !self.hides(kind, *id));
                let id = id.ok_or_else(|| Failure::some_not_found(kind, vec![text]))?;
                Ok(Step::Update(id, self.draft(kind, Some(id), &sent, source)?))
            }
            BatchCall::Upsert => {
                let Some(name) = id_property else {
                    return Err(Failure::validation("idProperty is required for an upsert"));
                };
                match self.locate(kind, &text, id_property)? {
                    Some(id) => Ok(Step::Update(id, self.draft(kind, Some(id), &sent, source)?)),
                    None if name == "hs_object_id" => {
                        Err(Failure::some_not_found(kind, vec![text]))
                    }
                    None => {
                        sent.entry(name.to_owned()).or_insert(text);
                        let draft = self.draft(kind, None, &sent, source)?;
                        Ok(Step::Create(draft, Vec::new()))
                    }
                }
            }
            BatchCall::Read | BatchCall::Archive => Ok(Step::Dropped),
        }
    }

    fn take_step(
        &mut self,
        kind: ObjectKind,
        which: BatchCall,
        input: &Input,
        step: Result<Step, Failure>,
        outcome: &mut Outcome,
    ) -> Result<(), Failure> {
        let trace = input.object_write_trace_id.as_deref();
        let (mut json, new) = match step {
            Ok(Step::Dropped) => return Ok(()),
            Ok(Step::Create(draft, links)) => {
                let id = self.create_from(kind, &draft, &links);
                (self.created_json(kind, id), true)
            }
            Ok(Step::Update(id, draft)) => {
                self.update_from(kind, id, &draft);
                (self.updated_json(kind, id, &input.properties), false)
            }
            Err(failure) if trace.is_none() && failure.category == Some("OBJECT_NOT_FOUND") => {
                let ids = failure.context.get("ids");
                outcome.missing.extend(ids.cloned().unwrap_or_default());
                return Ok(());
            }
            Err(failure) if trace.is_none() => return Err(failure),
            Err(failure) => {
                outcome.errors.push(failure.to_item(trace));
                return Ok(());
            }
        };
        if let Some(trace) = trace {
            json["objectWriteTraceId"] = json!(trace);
        }
        if which == BatchCall::Upsert {
            json["new"] = json!(new);
        }
        outcome.results.push(json);
        Ok(())
    }

    /// The batch envelope. Results come in another order than the inputs, on purpose: the platform
    /// promises none.
    fn finish(&self, kind: ObjectKind, mut outcome: Outcome, status: u16) -> Reply {
        outcome.results.reverse();
        if !outcome.missing.is_empty() {
            let failure = Failure::some_not_found(kind, outcome.missing);
            outcome.errors.push(failure.to_item(None));
        }
        self.envelope(outcome.results, outcome.errors, status)
    }

    /// Wraps results and errors; errors turn the status into 207.
    pub(super) fn envelope(&self, results: Vec<Json>, errors: Vec<Json>, status: u16) -> Reply {
        let now = stamp(self.now());
        let mut body = json!({"status": "COMPLETE", "startedAt": now, "completedAt": now});
        body["results"] = Json::Array(results);
        if errors.is_empty() {
            return Reply::json(status, body);
        }
        body["numErrors"] = json!(errors.len());
        body["errors"] = Json::Array(errors);
        Reply::json(207, body)
    }
}

fn refuse_repeated(inputs: &[Input]) -> Result<(), Failure> {
    let mut seen = BTreeSet::new();
    for input in inputs {
        let id = text_of(&input.id).unwrap_or_default();
        if !seen.insert(id.clone()) {
            return Err(Failure::validation(format!(
                "Duplicate IDs found in batch input: [{id}]. IDs must be unique"
            )));
        }
    }
    Ok(())
}

/// Two inputs of a whole-or-nothing batch must not claim the same unique value.
fn refuse_shared_keys(
    step: &Result<Step, Failure>,
    keys: &mut BTreeSet<Key>,
) -> Result<(), Failure> {
    let draft = match step {
        Ok(Step::Create(draft, _) | Step::Update(_, draft)) => draft,
        Ok(Step::Dropped) | Err(_) => return Ok(()),
    };
    for key in &draft.keys {
        if !keys.insert(key.clone()) {
            return Err(Failure::coded(
                "CONFLICTING_UNIQUE_VALUE",
                format!("The value \"{}\" is used by more than one input", key.1),
            ));
        }
    }
    Ok(())
}
