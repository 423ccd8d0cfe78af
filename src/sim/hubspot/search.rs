//! The search endpoint: groups, sorting, offset paging, the cap and the lagging index
//! (`hubspot.md 5`).

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::failure::Failure;
use super::filter::{self, Filter, FilterBody};
use super::kind::ObjectKind;
use super::property::PropertyId;
use super::record::Record;
use super::render::Wanted;
use super::state::State;
use super::table::Table;

const MAX_BODY: usize = 3_000;
const MAX_GROUPS: usize = 5;
const MAX_IN_GROUP: usize = 6;
const MAX_FILTERS: usize = 18;
const MAX_PAGE: usize = 200;
const MAX_REACH: usize = 10_000;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct SearchBody {
    filter_groups: Vec<GroupBody>,
    filters: Vec<FilterBody>,
    sorts: Vec<SortBody>,
    properties: Option<Vec<String>>,
    limit: Option<usize>,
    after: Option<Json>,
    query: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GroupBody {
    filters: Vec<FilterBody>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum SortBody {
    Short(String),
    Long {
        #[serde(rename = "propertyName")]
        property_name: String,
        direction: Option<String>,
    },
}

/// A search that has been checked: any of the groups, all filters of it, and every query word.
struct Query {
    groups: Vec<Vec<Filter>>,
    words: Vec<String>,
    sort: Option<(PropertyId, bool)>,
    offset: usize,
    limit: usize,
}

impl State {
    pub fn search(&mut self, kind: ObjectKind, body: &[u8]) -> Result<Json, Failure> {
        if String::from_utf8_lossy(body).chars().count() > MAX_BODY {
            return Err(Failure::validation(format!(
                "The request body must be at most {MAX_BODY} characters long"
            )));
        }
        let body: SearchBody = serde_json::from_slice(body).map_err(|e| Failure::bad_json(&e))?;
        self.shift_page(kind);
        self.catch_up(kind);
        let table = self.table(kind);
        let query = self.compile(table, &body)?;
        let mut hits = self.hits(table, &query);
        self.sort(table, &mut hits, query.sort);
        let wanted = Wanted::of(table, body.properties.as_deref().unwrap_or_default(), &[]);
        let total = hits.len();
        let end = total.min(query.offset + query.limit);
        let page = hits.get(query.offset.min(end)..end).unwrap_or_default();
        let results: Vec<Json> = page
            .iter()
            .map(|record| self.record_json(table, self.shown(table, record), &wanted))
            .collect();
        let mut answer = json!({"total": total});
        answer["results"] = Json::Array(results);
        if end < total {
            answer["paging"] = json!({"next": {"after": end.to_string()}});
        }
        Ok(answer)
    }

    fn compile(&self, table: &Table, body: &SearchBody) -> Result<Query, Failure> {
        let mut groups: Vec<&[FilterBody]> = body
            .filter_groups
            .iter()
            .map(|g| g.filters.as_slice())
            .collect();
        if !body.filters.is_empty() {
            groups.push(&body.filters);
        }
        let total: usize = groups.iter().map(|group| group.len()).sum();
        let widest = groups.iter().map(|group| group.len()).max().unwrap_or(0);
        if groups.len() > MAX_GROUPS || widest > MAX_IN_GROUP || total > MAX_FILTERS {
            return Err(Failure::validation(format!(
                "A search takes at most {MAX_GROUPS} filterGroups with {MAX_IN_GROUP} filters \
                 each, {MAX_FILTERS} in total"
            )));
        }
        let limit = body.limit.unwrap_or(10);
        if limit == 0 || limit > MAX_PAGE {
            return Err(Failure::validation(format!(
                "limit must be between 1 and {MAX_PAGE}, was {limit}"
            )));
        }
        let offset = offset(body.after.as_ref())?;
        if offset.saturating_add(limit) > MAX_REACH {
            return Err(Failure::validation("There was a problem with the request."));
        }
        let compile = |group: &[FilterBody]| {
            let filters = group.iter().map(|one| Filter::compile(self, table, one));
            filters.collect::<Result<Vec<Filter>, Failure>>()
        };
        let query = body.query.as_deref().unwrap_or_default().to_lowercase();
        Ok(Query {
            groups: groups.into_iter().map(compile).collect::<Result<_, _>>()?,
            words: query.split_whitespace().map(str::to_owned).collect(),
            sort: sort_of(table, &body.sorts)?,
            offset,
            limit,
        })
    }

    /// Every indexed record that matches, by ascending creation.
    fn hits<'a>(&self, table: &'a Table, query: &Query) -> Vec<&'a Arc<Record>> {
        let everything = [Vec::new()];
        let groups = if query.groups.is_empty() {
            &everything[..]
        } else {
            &query.groups[..]
        };
        let mut found: BTreeMap<u64, &Arc<Record>> = BTreeMap::new();
        for group in groups {
            for record in candidates(table, group) {
                if group
                    .iter()
                    .all(|filter| filter.matches(self, table, record))
                    && self.has_words(table, record, &query.words)
                    && !self.hides(table.kind, record.id)
                {
                    found.insert(record.id, record);
                }
            }
        }
        found.into_values().collect()
    }

    fn has_words(&self, table: &Table, record: &Record, words: &[String]) -> bool {
        if words.is_empty() {
            return true;
        }
        let texts = table.kind.searchable().iter();
        let texts: Vec<String> = texts
            .filter_map(|name| table.catalog.find(name))
            .map(|id| self.text(table, record, id).to_lowercase())
            .collect();
        words
            .iter()
            .all(|word| texts.iter().any(|text| text.contains(word)))
    }

    fn sort(&self, table: &Table, hits: &mut [&Arc<Record>], by: Option<(PropertyId, bool)>) {
        let Some((id, ascending)) = by else {
            hits.sort_by_key(|record| (record.created, record.id));
            return;
        };
        let key = |record: &Arc<Record>| (filter::sort_key(self, table, record, id), record.id);
        let mut keyed: Vec<_> = hits.iter().map(|record| (key(record), *record)).collect();
        keyed.sort_by(|(a, _), (b, _)| {
            let order = a.0.partial_cmp(&b.0).unwrap_or(Ordering::Equal);
            let order = if ascending { order } else { order.reverse() };
            order.then(a.1.cmp(&b.1))
        });
        for (place, (_, record)) in hits.iter_mut().zip(keyed) {
            *place = record;
        }
    }

    /// The index entry itself, or what is stored now where that switch is on.
    fn shown<'a>(&self, table: &'a Table, record: &'a Arc<Record>) -> &'a Record {
        if self.switches.search_returns_stored {
            table.live(record.id).unwrap_or(record)
        } else {
            record
        }
    }
}

/// The records worth judging: a range of modification times or ids where the group names one.
fn candidates<'a>(
    table: &'a Table,
    group: &[Filter],
) -> Box<dyn Iterator<Item = &'a Arc<Record>> + 'a> {
    let narrow = |ranges: Vec<RangeInclusive<i64>>| {
        let low = ranges.iter().map(|r| *r.start()).max();
        let high = ranges.iter().map(|r| *r.end()).min();
        low.zip(high).map(|(low, high)| low..=high)
    };
    let times = narrow(
        group
            .iter()
            .filter_map(|f| f.modified_range(table))
            .collect(),
    );
    if let Some(range) = times {
        return Box::new(table.index.by_modified(range));
    }
    let ids = narrow(group.iter().filter_map(|f| f.id_range(table)).collect());
    let ids = ids.unwrap_or(0..=i64::MAX);
    let bound = |at: i64| u64::try_from(at).unwrap_or(0);
    Box::new(table.index.by_id(bound(*ids.start())..=bound(*ids.end())))
}

fn offset(after: Option<&Json>) -> Result<usize, Failure> {
    let text = match after {
        None | Some(Json::Null) => return Ok(0),
        Some(value) => super::value::text_of(value).unwrap_or_default(),
    };
    if text.is_empty() {
        return Ok(0);
    }
    text.parse()
        .map_err(|_| Failure::validation(format!("after must be a number, was \"{text}\"")))
}

/// Only the first sort counts.
fn sort_of(table: &Table, sorts: &[SortBody]) -> Result<Option<(PropertyId, bool)>, Failure> {
    let (name, ascending) = match sorts.first() {
        None => return Ok(None),
        Some(SortBody::Short(text)) => match text.strip_prefix('-') {
            Some(name) => (name, false),
            None => (text.as_str(), true),
        },
        Some(SortBody::Long {
            property_name,
            direction,
        }) => {
            let down = direction
                .as_deref()
                .is_some_and(|d| d.eq_ignore_ascii_case("descending"));
            (property_name.as_str(), !down)
        }
    };
    let id = table.catalog.find(&name.to_ascii_lowercase());
    let id = id.ok_or_else(|| {
        Failure::validation(format!(
            "Cannot sort by \"{name}\": the property does not exist"
        ))
    })?;
    Ok(Some((id, ascending)))
}
