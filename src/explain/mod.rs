//! Why a record and its values are as they are, and why something was not synced.
//!
//! `facts` reads rows by id and by pair, and nothing else here touches the store. The rest is pure:
//! `question` reads what was typed, `site` finds the mappings and rules that are meant, `pair`
//! explains rule by rule, `obstacle` says what stands in the way, `past` rebuilds what was agreed,
//! `live` puts beside it what was read just now, `words` puts decisions into sentences. It writes
//! nothing, calls no CRM and prints nothing.

mod facts;
mod live;
mod obstacle;
mod pair;
mod past;
mod question;
mod site;
mod words;

pub use live::{Next, Planned, add_to_loose, add_to_pair};
pub use obstacle::{Kind, Obstacle};
pub use pair::{Event, Explained, Field, How, Seen};
pub use past::Then;
pub use question::{Question, Refusal, moment};
pub use words::quoted;

use crate::mapping::Mapping;
use crate::model::{MappingName, RecordKey, Timestamp, WorkspaceId};
use crate::store::{Store, StoreError};

/// Everything that can be said about one record.
#[derive(Debug)]
pub struct Explanation {
    /// Pairs that the record is or was in; one for each mapping.
    pub pairs: Vec<Explained>,
    /// Mappings that know the record without a pair; told only where no pair is.
    pub loose: Vec<Loose>,
}

/// A record that is in no pair.
#[derive(Debug)]
pub struct Loose {
    pub key: RecordKey,
    pub obstacles: Vec<Obstacle>,
    /// Read live: what the next run would do.
    pub next: Vec<String>,
}

/// Answers a question from the store alone.
pub async fn explain(
    store: &Store,
    ws: &WorkspaceId,
    question: &Question,
    now: Timestamp,
) -> Result<Explanation, Refusal> {
    let reader = facts::Reader { store, ws };
    let facts = reader.facts(question).await?;
    let known = |name: &MappingName| facts.mappings.iter().find(|known| known.name == *name);
    let asked = (question.field.as_deref(), question.at);
    let pairs: Vec<Explained> = facts
        .pairs
        .iter()
        .map(|pair| pair::explain(pair, known(&pair.link.mapping), asked, now))
        .collect();
    let loose: Vec<Loose> = facts
        .loose
        .iter()
        .filter(|_| pairs.is_empty())
        .map(|loose| Loose {
            key: loose.key.clone(),
            obstacles: obstacle::of_loose(loose, known(&loose.key.mapping), now),
            next: Vec::new(),
        })
        .collect();
    if pairs.is_empty() && loose.is_empty() {
        return Err(Refusal::UnknownRecord {
            object: question.object.clone(),
            id: question.id.clone(),
        });
    }
    Ok(Explanation { pairs, loose })
}

/// The mappings as the last run used them. One that this version cannot read is absent.
pub async fn active_mappings(store: &Store, ws: &WorkspaceId) -> Result<Vec<Mapping>, StoreError> {
    let known = facts::Reader { store, ws }.mappings().await?;
    let active = known.into_iter().filter(|known| known.active);
    Ok(active.filter_map(|known| known.mapping).collect())
}

impl Explanation {
    /// The records that are spoken of, where a mapping is run for them.
    pub fn records(&self) -> Vec<RecordKey> {
        let of_pairs = self.pairs.iter().flat_map(|pair| facts::keys(&pair.link));
        let loose = self.loose.iter().map(|loose| loose.key.clone());
        of_pairs.chain(loose).collect()
    }
}
