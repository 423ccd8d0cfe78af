//! Faults in mapping files: where they are, what they are and what was probably meant.
//!
//! Only positions and words; nothing here knows the language.

use std::fmt;
use std::sync::Arc;

const MESSAGE_CHARS: usize = 600;
/// No name of either platform is longer.
const NAME_BYTES: usize = 255;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Error,
    Warning,
}

/// One fault, shown to the person who wrote the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub severity: Severity,
    pub file: String,
    /// Both count from 1.
    pub line: usize,
    pub column: usize,
    /// The offending text; empty when something is missing.
    pub text: String,
    pub message: String,
    /// A name close to the offending text.
    pub suggestion: Option<String>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let (file, line, column) = (&self.file, self.line, self.column);
        write!(f, "{file}:{line}:{column}: {kind}: {}", self.message)?;
        if !self.text.is_empty() {
            write!(f, "\n    {}", self.text)?;
        }
        match &self.suggestion {
            Some(name) => write!(f, "\n    did you mean `{name}`?"),
            None => Ok(()),
        }
    }
}

/// The faults in reading order, each once: warnings alone, or all of them when one is an error.
pub(super) fn sorted(mut faults: Vec<Fault>) -> Result<Vec<Fault>, Vec<Fault>> {
    let place = |fault: &Fault| {
        let (file, message) = (fault.file.clone(), fault.message.clone());
        (file, fault.line, fault.column, message)
    };
    faults.sort_by_cached_key(place);
    faults.dedup();
    if has_error(&faults) {
        Err(faults)
    } else {
        Ok(faults)
    }
}

pub(super) fn has_error(faults: &[Fault]) -> bool {
    faults.iter().any(|fault| fault.severity == Severity::Error)
}

/// A place in a mapping file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct At {
    pub file: Arc<str>,
    pub line: usize,
    pub column: usize,
}

impl At {
    /// Builds an error at this place.
    pub fn error(&self, text: &str, message: impl Into<String>) -> Fault {
        self.fault(Severity::Error, text, message.into())
    }

    /// Builds a warning at this place.
    pub fn warning(&self, text: &str, message: impl Into<String>) -> Fault {
        self.fault(Severity::Warning, text, message.into())
    }

    fn fault(&self, severity: Severity, text: &str, message: String) -> Fault {
        Fault {
            severity,
            file: self.file.to_string(),
            line: self.line,
            column: self.column,
            text: shorten(text),
            message: cut(message),
            suggestion: None,
        }
    }
}

impl Fault {
    /// Adds the closest of `names`, if one is close enough to have been meant.
    pub fn suggest<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.suggestion = closest(&self.text, names);
        self
    }
}

/// The name that was probably meant: two letters in five may differ.
fn closest<'a>(text: &str, names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let wanted = text.to_lowercase();
    names
        .into_iter()
        // Comparing costs the product of both lengths, in memory too.
        .filter(|name| name.len() <= NAME_BYTES)
        .map(|name| {
            let lower = name.to_lowercase();
            let distance = strsim::damerau_levenshtein(&wanted, &lower);
            (distance, usize::MAX - shared_ends(&wanted, &lower), name)
        })
        .filter(|(distance, _, name)| *distance <= (name.len().max(wanted.len()) * 2 / 5).max(1))
        .min()
        .map(|(_, _, name)| name.to_owned())
}

/// How many letters two words share at their ends; decides between equally close names.
fn shared_ends(left: &str, right: &str) -> usize {
    let begin = left
        .chars()
        .zip(right.chars())
        .take_while(|(a, b)| a == b)
        .count();
    let end = left
        .chars()
        .rev()
        .zip(right.chars().rev())
        .take_while(|(a, b)| a == b)
        .count();
    begin + end
}

/// Messages quote names, and a name may be a whole file.
fn cut(message: String) -> String {
    match message.char_indices().nth(MESSAGE_CHARS) {
        Some((end, _)) => format!("{}...", &message[..end]),
        None => message,
    }
}

/// The first line, and of that no more than a person needs to find it.
fn shorten(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() <= 80 {
        return line.to_owned();
    }
    line.chars().take(77).chain("...".chars()).collect()
}
