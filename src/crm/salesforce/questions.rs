//! Questions that may be asked together: five of them cost one call.
//!
//! Each is answered as if it had been asked alone, with its own refusal.

use std::collections::BTreeMap;

use super::composite::{PARTS, Part};
use super::history::{history_question, tracked_question};
use super::query::{Asked, QueryPage, page};
use super::read::{became, became_question, find_question, retrieve_question, written_question};
use super::write::Collected;
use super::{Op, Salesforce};
use crate::crm::http::Reply;
use crate::crm::{CrmError, ErrorKind, History, RowResult, WriteRow};
use crate::model::{ErrorClass, Record, RecordId, Timestamp};

const ASK: Op<'static> = Op::read("composite");

#[derive(Clone, Debug)]
pub enum Ask<'a> {
    /// As [`Salesforce::changed`].
    Changed(Asked<'a>),
    /// As [`Salesforce::retrieve`].
    Retrieve {
        object: &'a str,
        ids: &'a [RecordId],
        fields: &'a [String],
    },
    /// As [`Salesforce::became`].
    Became {
        object: &'a str,
        heirs: &'a str,
        ids: &'a [RecordId],
    },
    /// As [`Salesforce::find_by`].
    Find {
        object: &'a str,
        field: &'a str,
        values: &'a [String],
        fields: &'a [String],
    },
    /// Those that are live of the records with these ids, and of those whose `key` holds one of the
    /// values: what a call has updated, and what it has made.
    Written {
        object: &'a str,
        ids: &'a [RecordId],
        key: &'a str,
        values: &'a [String],
        fields: &'a [String],
    },
    /// Which fields of the object have a history, for [`Salesforce::tracked_among`].
    Tracked { object: &'a str },
    /// As [`Salesforce::history`], of fields that are tracked.
    History {
        object: &'a str,
        ids: &'a [RecordId],
        tracked: &'a [String],
        since: Timestamp,
    },
}

/// One for each row of a collection, by its trace.
pub type Answers = Vec<(String, RowResult)>;

/// Rows of one object that are written in one call.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// As [`Salesforce::upsert`], with the key field; at most 200.
    pub made: Option<(&'a str, &'a [WriteRow])>,
    pub updated: &'a [WriteRow],
}

/// What became of [`Rows`], by collection.
#[derive(Debug, Default)]
pub struct Kept {
    pub made: Vec<Answers>,
    pub updated: Vec<Answers>,
}

/// The answer to an [`Ask`], each to its own kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    Page(QueryPage),
    Records(Vec<Record>),
    Became(Vec<(RecordId, RecordId)>),
    /// Remembered by the client.
    Tracked,
    Histories(BTreeMap<RecordId, History>),
}

impl Told {
    /// What was changed, retrieved, found or written, as one page.
    pub fn into_page(self) -> QueryPage {
        match self {
            Self::Page(page) => page,
            Self::Records(records) => whole(records),
            Self::Became(_) | Self::Tracked | Self::Histories(_) => whole(Vec::new()),
        }
    }
}

fn whole(records: Vec<Record>) -> QueryPage {
    QueryPage {
        records,
        next: None,
        server_time: None,
    }
}

impl Ask<'_> {
    /// `None` for what takes more than one call, or none at all.
    fn part(&self) -> Option<Part> {
        match *self {
            Self::Changed(ref asked) => asked.question(),
            Self::Retrieve {
                object,
                ids,
                fields,
            } => retrieve_question(object, ids, fields),
            Self::Became { object, heirs, ids } => became_question(object, heirs, ids),
            Self::Find {
                object,
                field,
                values,
                fields,
            } => find_question(object, field, values, fields),
            Self::Written {
                object,
                ids,
                key,
                values,
                fields,
            } => written_question(object, ids, (key, values), fields),
            Self::Tracked { object } => tracked_question(object),
            Self::History {
                object,
                ids,
                tracked,
                since,
            } => history_question(object, ids, tracked, since),
        }
    }
}

/// The questions may be fine by themselves.
fn is_of_the_call(error: &CrmError) -> bool {
    error.class() == ErrorClass::Permanent || error.kind == ErrorKind::BrokenReply
}

impl Salesforce {
    /// One answer for each question, in order.
    pub async fn ask_all(&self, questions: &[Ask<'_>]) -> Vec<Result<Told, CrmError>> {
        let parts = questions.iter().enumerate();
        let parts: Vec<(usize, Part)> = parts
            .filter_map(|(at, question)| Some((at, question.part()?)))
            .collect();
        let mut told: BTreeMap<usize, Result<Told, CrmError>> = BTreeMap::new();
        for call in parts.chunks(PARTS).filter(|call| call.len() > 1) {
            let together: Vec<&Part> = call.iter().map(|(_, part)| part).collect();
            match self.together(ASK, &together).await {
                Ok(replies) => {
                    for ((at, _), reply) in call.iter().zip(replies) {
                        let answer = match reply {
                            Ok(reply) => self.read_answer(&questions[*at], &reply).await,
                            Err(error) => Err(error),
                        };
                        told.insert(*at, answer);
                    }
                }
                // Who takes no such calls, or answers more than is read, is asked one by one.
                Err(error) if is_of_the_call(&error) => {}
                Err(error) => told.extend(call.iter().map(|(at, _)| (*at, Err(error.clone())))),
            }
        }
        self.ask_the_rest(questions, told).await
    }

    /// What has no answer yet is asked by itself.
    async fn ask_the_rest(
        &self,
        questions: &[Ask<'_>],
        mut told: BTreeMap<usize, Result<Told, CrmError>>,
    ) -> Vec<Result<Told, CrmError>> {
        let mut all = Vec::with_capacity(questions.len());
        for (at, question) in questions.iter().enumerate() {
            all.push(match told.remove(&at) {
                Some(answer) => answer,
                None => self.ask_alone(question).await,
            });
        }
        all
    }

    /// Makes and updates records of one object and asks behind that, in one call when it takes no
    /// more than [`PARTS`]. The answers come by collection: one that is refused is refused by
    /// itself.
    pub async fn write_and_ask(
        &self,
        object: &str,
        Rows { made, updated }: Rows<'_>,
        questions: &[Ask<'_>],
    ) -> (Kept, Vec<Result<Told, CrmError>>) {
        let upserts = made.map(|(key, rows)| Collected::upserts(object, key, rows));
        let upserts = upserts.unwrap_or_default();
        let updates = Collected::updates(object, updated);
        let asked: Vec<Option<Part>> = questions.iter().map(Ask::part).collect();
        let collected = upserts.iter().chain(&updates).map(Collected::part);
        let parts: Vec<&Part> = collected.chain(&asked).filter_map(Option::as_ref).collect();
        if parts.len() > PARTS {
            let mut kept = Kept::default();
            if let Some((key, rows)) = made {
                kept.made.push(self.upsert(object, key, rows).await);
            }
            kept.updated.push(self.update(object, updated).await);
            return (kept, self.ask_all(questions).await);
        }
        let mut replies = match self.together(Op::write("composite", object), &parts).await {
            Ok(replies) => replies.into_iter(),
            Err(error) => {
                let fail = |all: Vec<Collected<'_>>| {
                    let failed = all.into_iter().map(|one| one.failed(&error));
                    failed.collect()
                };
                let kept = Kept {
                    made: fail(upserts),
                    updated: fail(updates),
                };
                let none = questions.iter().map(|_| Err(error.clone()));
                return (kept, none.collect());
            }
        };
        let mut answered = |all: Vec<Collected<'_>>| -> Vec<Answers> {
            let answered = all.into_iter().map(|one| {
                let reply = one.part().as_ref().and_then(|_| replies.next());
                one.answered(self, reply)
            });
            answered.collect()
        };
        let kept = Kept {
            made: answered(upserts),
            updated: answered(updates),
        };
        let mut told = BTreeMap::new();
        let asked = asked.iter().enumerate();
        let asked = asked.filter_map(|(at, part)| part.as_ref().map(|_| at));
        for (at, reply) in asked.zip(replies) {
            let answer = match reply {
                Ok(reply) => self.read_answer(&questions[at], &reply).await,
                Err(error) => Err(error),
            };
            told.insert(at, answer);
        }
        (kept, self.ask_the_rest(questions, told).await)
    }

    async fn read_answer(&self, question: &Ask<'_>, reply: &Reply) -> Result<Told, CrmError> {
        Ok(match *question {
            Ask::Changed(_) => Told::Page(page(reply)?),
            Ask::Retrieve { object, ids, .. } => {
                Told::Records(self.read_retrieve(reply, object, ids).await?)
            }
            Ask::Became { .. } => Told::Became(became(self.with_the_rest(page(reply)?).await?)),
            Ask::Find { .. } | Ask::Written { .. } => {
                Told::Records(self.with_the_rest(page(reply)?).await?)
            }
            Ask::Tracked { object } => {
                self.learn_tracked(object, reply)?;
                Told::Tracked
            }
            Ask::History {
                object, tracked, ..
            } => {
                let rows = self.with_the_rest(page(reply)?).await?;
                Told::Histories(self.histories(object, rows, tracked)?)
            }
        })
    }

    async fn ask_alone(&self, question: &Ask<'_>) -> Result<Told, CrmError> {
        Ok(match *question {
            Ask::Changed(ref asked) => Told::Page(self.changed(asked).await?),
            Ask::Retrieve {
                object,
                ids,
                fields,
            } => Told::Records(self.retrieve(object, ids, fields).await?),
            Ask::Became { object, heirs, ids } => {
                Told::Became(self.became(object, heirs, ids).await?)
            }
            Ask::Find {
                object,
                field,
                values,
                fields,
            } => Told::Records(self.find_by(object, field, values, fields).await?),
            Ask::Written {
                object,
                ids,
                key,
                values,
                fields,
            } => {
                let mut records = self.retrieve(object, ids, fields).await?;
                records.extend(self.find_by(object, key, values, fields).await?);
                Told::Records(records)
            }
            // Whoever needs to know asks.
            Ask::Tracked { .. } => Told::Tracked,
            Ask::History {
                object,
                ids,
                tracked,
                since,
            } => {
                let found = self.history(object, ids, tracked, since).await?;
                Told::Histories(found.unwrap_or_default())
            }
        })
    }
}
