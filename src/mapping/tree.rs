//! YAML as a tree that remembers where everything stands.
//!
//! serde stops at the first fault; this tree lets the readers report all of them. Anchors, tags
//! and several documents are refused: a mapping file needs none of them, and without aliases the
//! tree is never larger than its file.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, Span};

use super::fault::{At, Fault};

const MAX_DEPTH: usize = 24;

/// How much one file may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Most {
    pub mebibytes: usize,
    /// Keys and values.
    pub nodes: usize,
}

impl Most {
    /// What reads a mapping compares rows and rules with each other, so this bounds the time that
    /// a file can take.
    pub const OF_A_MAPPING: Self = Self {
        mebibytes: 1,
        nodes: 10_000,
    };
}

#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub at: At,
    pub body: Body,
}

#[derive(Clone, Debug)]
pub(crate) enum Body {
    Null,
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub key: String,
    pub at: At,
    pub value: Node,
}

impl Node {
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries()
            .iter()
            .find(|entry| entry.key == key)
            .map(|entry| &entry.value)
    }

    pub fn entries(&self) -> &[Entry] {
        match &self.body {
            Body::Map(entries) => entries,
            Body::Null | Body::Text(_) | Body::List(_) => &[],
        }
    }

    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.entries_mut()
            .iter_mut()
            .find(|entry| entry.key == key)
            .map(|entry| &mut entry.value)
    }

    pub fn entries_mut(&mut self) -> &mut [Entry] {
        match &mut self.body {
            Body::Map(entries) => entries,
            Body::Null | Body::Text(_) | Body::List(_) => &mut [],
        }
    }

    pub fn as_text(&self) -> Option<&str> {
        match &self.body {
            Body::Text(text) => Some(text),
            Body::Null | Body::List(_) | Body::Map(_) => None,
        }
    }

    /// What to show as the offending text.
    pub fn shown(&self) -> String {
        match &self.body {
            Body::Null => "~".to_owned(),
            Body::Text(text) => text.clone(),
            Body::List(items) => {
                let items: Vec<String> = items.iter().map(Node::shown).collect();
                format!("[{}]", items.join(", "))
            }
            Body::Map(entries) => {
                let shown = |e: &Entry| format!("{}: {}", e.key, e.value.shown());
                let entries: Vec<String> = entries.iter().map(shown).collect();
                format!("{{{}}}", entries.join(", "))
            }
        }
    }

    /// Writes the tree as YAML that reads back to the same tree; equal trees give equal text.
    pub fn emit(&self) -> String {
        let mut out = String::new();
        for entry in self.entries() {
            out.push_str(&format!("{}: ", quoted(&entry.key)));
            entry.value.emit_flow(&mut out);
            out.push('\n');
        }
        out
    }

    /// As [`Node::emit`], with a line for every key of a map in a map, for people to read and
    /// compare.
    pub fn lines(&self) -> String {
        let mut out = String::new();
        self.emit_lines(&mut out, 0);
        out
    }

    fn emit_lines(&self, out: &mut String, depth: usize) {
        for entry in self.entries() {
            let indent = "  ".repeat(depth);
            out.push_str(&format!("{indent}{}:", plain(&entry.key)));
            if entry.value.entries().is_empty() {
                out.push(' ');
                entry.value.emit_flow(out);
                out.push('\n');
            } else {
                out.push('\n');
                entry.value.emit_lines(out, depth + 1);
            }
        }
    }

    /// The same for any node, on one line.
    pub fn flow(&self) -> String {
        let mut out = String::new();
        self.emit_flow(&mut out);
        out
    }

    fn emit_flow(&self, out: &mut String) {
        match &self.body {
            Body::Null => out.push('~'),
            Body::Text(text) => out.push_str(&quoted(text)),
            Body::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    out.push_str(if index == 0 { "" } else { ", " });
                    item.emit_flow(out);
                }
                out.push(']');
            }
            Body::Map(entries) => {
                out.push('{');
                for (index, entry) in entries.iter().enumerate() {
                    out.push_str(if index == 0 { "" } else { ", " });
                    out.push_str(&format!("{}: ", quoted(&entry.key)));
                    entry.value.emit_flow(out);
                }
                out.push('}');
            }
        }
    }
}

/// A key without quotes, where it is one word that YAML reads as itself.
fn plain(key: &str) -> String {
    let word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    let is_word = key.starts_with(|first: char| first.is_ascii_alphabetic())
        && key.bytes().all(word)
        && !key.eq_ignore_ascii_case("null");
    if is_word { key.to_owned() } else { quoted(key) }
}

/// JSON's way of quoting, which YAML shares.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Reads one file. Faults come back beside as much of the tree as could be read.
pub(crate) fn parse(path: &str, text: &str, most: Most) -> (Option<Node>, Vec<Fault>) {
    let mut builder = Builder::new(path, most.nodes);
    if text.len() > most.mebibytes << 20 {
        let message = format!("the file is larger than {} MiB; split it", most.mebibytes);
        return (None, vec![builder.origin().error("", message)]);
    }
    let mut parser = Parser::new_from_str(text);
    while let Some(next) = parser.next_event() {
        let step = match next {
            Ok((event, span)) => builder.take(event, &span),
            Err(error) => {
                let at = builder.place(error.marker().line(), error.marker().col());
                let line = text
                    .lines()
                    .nth(at.line.saturating_sub(1))
                    .unwrap_or_default();
                Err(at.error(line.trim(), format!("this is not YAML: {}", error.info())))
            }
        };
        if let Err(fault) = step {
            builder.faults.push(fault);
            return (None, builder.faults);
        }
    }
    if builder.root.is_none() && builder.faults.is_empty() {
        let at = builder.origin();
        builder
            .faults
            .push(at.error("", "the file is empty; it begins with `mapping:`"));
    }
    (builder.root, builder.faults)
}

struct Builder {
    file: Arc<str>,
    open: Vec<Open>,
    root: Option<Node>,
    /// Keys and values that there is still room for.
    room: usize,
    most: usize,
    faults: Vec<Fault>,
}

/// A list or map that has begun and not ended. A map remembers the key that waits, and the line
/// of each key it has.
enum Open {
    List(At, Vec<Node>),
    Map(
        At,
        Vec<Entry>,
        Option<(String, At)>,
        BTreeMap<String, usize>,
    ),
}

impl Builder {
    fn new(path: &str, most: usize) -> Self {
        Self {
            file: Arc::from(path),
            open: Vec::new(),
            root: None,
            room: most,
            most,
            faults: Vec::new(),
        }
    }

    fn origin(&self) -> At {
        self.place(1, 0)
    }

    fn place(&self, line: usize, column: usize) -> At {
        At {
            file: self.file.clone(),
            line: line.max(1),
            column: column + 1,
        }
    }

    fn take(&mut self, event: Event<'_>, span: &Span) -> Result<(), Fault> {
        let at = self.place(span.start.line(), span.start.col());
        let Some(room) = self.room.checked_sub(1) else {
            let message = format!(
                "the file has more than {} keys and values; split it",
                self.most
            );
            return Err(at.error("", message));
        };
        self.room = room;
        match event {
            Event::DocumentStart(..) if self.root.is_some() => Err(at.error(
                "---",
                "one file holds one document; move the second to its own file",
            )),
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                Err(at.error("*", "aliases are not part of the language; use `extends:`"))
            }
            Event::Scalar(text, style, _, _) => {
                let null = matches!(style, ScalarStyle::Plain)
                    && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let body = if null {
                    Body::Null
                } else {
                    Body::Text(text.into_owned())
                };
                self.node(Node { at, body });
                Ok(())
            }
            Event::SequenceStart(..) => self.begin(Open::List(at, Vec::new())),
            Event::MappingStart(..) => self.begin(Open::Map(at, Vec::new(), None, BTreeMap::new())),
            Event::SequenceEnd | Event::MappingEnd => {
                match self.open.pop() {
                    Some(Open::List(at, items)) => self.node(Node {
                        at,
                        body: Body::List(items),
                    }),
                    Some(Open::Map(at, entries, ..)) => {
                        self.node(Node {
                            at,
                            body: Body::Map(entries),
                        });
                    }
                    None => {}
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, open: Open) -> Result<(), Fault> {
        if self.open.len() >= MAX_DEPTH {
            let (Open::List(at, _) | Open::Map(at, ..)) = &open;
            return Err(at.error("", "this is nested deeper than any mapping needs"));
        }
        self.open.push(open);
        Ok(())
    }

    fn node(&mut self, node: Node) {
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List(_, items)) => items.push(node),
            Some(Open::Map(_, entries, waiting, lines)) => match waiting.take() {
                None => {
                    if !matches!(node.body, Body::Text(_)) {
                        self.faults
                            .push(node.at.error(&node.shown(), "a key must be plain text"));
                    }
                    *waiting = Some((node.shown(), node.at));
                }
                Some((key, at)) => match lines.get(&key) {
                    Some(line) => {
                        let message = format!("`{key}` is given twice, first in line {line}");
                        self.faults.push(at.error(&key, message));
                    }
                    None => {
                        lines.insert(key.clone(), at.line);
                        entries.push(Entry {
                            key,
                            at,
                            value: node,
                        });
                    }
                },
            },
        }
    }
}
