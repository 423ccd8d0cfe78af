//! What a notice says, as JSON for programs and as text for Slack. Pure; no value of a record gets
//! in, because nothing here is given one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::condition::Subject;
use crate::model::{ConnectionState, MappingName, Side, Timestamp, WorkspaceId};
use crate::store::NoticeFacts;

/// Mappings and codes that are named; the others are in the count.
const NAMED: usize = 5;

pub(super) struct Site<'a> {
    pub workspace: &'a WorkspaceId,
    /// Where the service is reached, without a slash at its end.
    pub base: &'a str,
    pub since: Timestamp,
    pub now: Timestamp,
}

/// How often something of one mapping waits, with its code or kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Named {
    mapping: String,
    code: String,
    count: u64,
}

#[derive(Serialize, Deserialize)]
struct Body {
    #[serde(rename = "type")]
    kind: String,
    timestamp: String,
    data: Data,
}

#[derive(Serialize, Deserialize)]
struct Data {
    workspace: String,
    condition: String,
    since: String,
    summary: String,
    #[serde(rename = "do", skip_serializing_if = "Option::is_none")]
    todo: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    mappings: Vec<Named>,
}

/// The most frequent first.
pub(super) fn counted(each: impl Iterator<Item = (MappingName, String)>) -> Vec<Named> {
    let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
    for (mapping, code) in each {
        *counts.entry((mapping.to_string(), code)).or_default() += 1;
    }
    let mut named: Vec<Named> = counts
        .into_iter()
        .map(|((mapping, code), count)| Named {
            mapping,
            code,
            count,
        })
        .collect();
    named.sort_by_key(|one| std::cmp::Reverse(one.count));
    named.truncate(NAMED);
    named
}

pub(super) fn began(
    site: &Site<'_>,
    subject: Subject,
    facts: &NoticeFacts,
    named: &[Named],
) -> String {
    let (ws, base) = (site.workspace.as_str(), site.base);
    let lost = |side: Side| {
        let wrong = *facts.connections.get(side) == Some(ConnectionState::WrongAccount);
        let how = if wrong {
            "opens another account now"
        } else {
            "is not connected any more"
        };
        let todo = format!(
            "have an administrator connect it again: `tandem connect link {ws} --side {side}`"
        );
        (format!("{} {how}; nothing is synced", side.title()), todo)
    };
    let list = |what: &str| format!("{base}/v1/workspaces/{ws}/{what}");
    let (summary, todo, count) = match subject {
        Subject::HubSpot => with_none(lost(Side::HubSpot)),
        Subject::Salesforce => with_none(lost(Side::Salesforce)),
        Subject::Backlog => {
            let minutes = facts.due.map_or(0, |at| site.now.millis_since(at)) / 60_000;
            let todo = format!("`tandem workspace show {ws}` says what keeps it");
            with_none((format!("work has been due for {minutes} minutes"), todo))
        }
        Subject::Approvals => {
            let what = match facts.approvals {
                1 => "a guard stopped a mass change".to_owned(),
                n => format!("guards stopped {n} mass changes"),
            };
            let todo = format!("look at {} and approve what is meant", list("approvals"));
            (what, todo, Some(facts.approvals))
        }
        Subject::DeadLetters => {
            let what = match facts.dead_letters {
                1 => "a record could not be synced".to_owned(),
                n => format!("{n} records could not be synced"),
            };
            let todo = format!(
                "look at {}, correct the cause, and replay them",
                list("dead-letters")
            );
            (what, todo, Some(facts.dead_letters))
        }
    };
    let data = Data {
        todo: Some(todo),
        count,
        mappings: named.to_vec(),
        ..data(site, subject, summary)
    };
    written("condition.began", site, data)
}

fn with_none((summary, todo): (String, String)) -> (String, String, Option<u64>) {
    (summary, todo, None)
}

pub(super) fn ended(site: &Site<'_>, subject: Subject) -> String {
    let summary = match subject {
        Subject::HubSpot => "HubSpot is connected again",
        Subject::Salesforce => "Salesforce is connected again",
        Subject::Backlog => "work is done in time again",
        Subject::Approvals => "no guard waits for an answer any more",
        Subject::DeadLetters => "no record waits for a person any more",
    };
    written(
        "condition.ended",
        site,
        data(site, subject, summary.to_owned()),
    )
}

fn data(site: &Site<'_>, subject: Subject, summary: String) -> Data {
    Data {
        workspace: site.workspace.as_str().to_owned(),
        condition: subject.as_str().to_owned(),
        since: site.since.to_string(),
        summary,
        todo: None,
        count: None,
        mappings: Vec::new(),
    }
}

fn written(kind: &str, site: &Site<'_>, data: Data) -> String {
    let body = Body {
        kind: kind.to_owned(),
        timestamp: site.now.to_string(),
        data,
    };
    serde_json::to_string(&body).unwrap_or_default()
}

/// The message of an incoming webhook, made of the stored body.
pub(super) fn for_slack(body: &str) -> String {
    let Ok(body) = serde_json::from_str::<Body>(body) else {
        return serde_json::json!({"text": "a notice that cannot be read"}).to_string();
    };
    let data = body.data;
    let each = data
        .mappings
        .iter()
        .map(|one| format!("{} {} ({})", one.mapping, one.code, one.count));
    let each: Vec<String> = each.collect();
    let mut text = format!("*{}*: {}", escaped(&data.workspace), escaped(&data.summary));
    if !each.is_empty() {
        text.push_str(&format!("\n{}", escaped(&each.join(", "))));
    }
    if let Some(todo) = &data.todo {
        text.push_str(&format!("\nWhat to do: {}", escaped(todo)));
    } else {
        text.push_str(&format!("\nIt began at {}.", data.since));
    }
    serde_json::json!({"text": text}).to_string()
}

/// Slack reads these three as its own.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_slack_would_read_as_a_command_is_escaped() {
        let ws = WorkspaceId::new("acme/x");
        let site = Site {
            workspace: &ws,
            base: "https://sync.example.com",
            since: Timestamp::from_millis(0),
            now: Timestamp::from_millis(60_000),
        };
        let summary = "<!channel> & co".to_owned();
        let body = written(
            "condition.began",
            &site,
            data(&site, Subject::Backlog, summary),
        );
        let text = for_slack(&body);
        assert!(text.contains("&lt;!channel&gt; &amp; co"), "{text}");
    }

    #[test]
    fn the_most_frequent_codes_are_named_and_no_more_than_five() {
        let each = (0..20).map(|n: usize| {
            let code = if n.is_multiple_of(2) {
                "A".to_owned()
            } else {
                format!("B{n}")
            };
            (MappingName::new("contacts"), code)
        });
        let named = counted(each);
        assert_eq!(named.len(), 5);
        assert_eq!((named[0].code.as_str(), named[0].count), ("A", 10));
    }
}
