//! A draft as a file: every line with its reason, and at the end what was left out.

use super::{Draft, LeftOut, Line, Section};
use crate::model::Side;

/// Where reasons begin, and from where on a line has its reason above it.
const REASON_COLUMN: usize = 44;
const LONG: usize = 64;
const WIDTH: usize = 96;
/// The longest text of a CRM that is quoted in a reason.
const QUOTED: usize = 120;

/// The file, and for each part the number of its first line.
pub(super) fn file(draft: &Draft) -> (String, Vec<usize>) {
    let mut page = Page::default();
    let objects = &draft.pair.objects;
    page.raw("# Proposed by `tandem match --propose` from what both CRMs say about their fields.");
    page.raw(&format!(
        "# A start for HubSpot {} and Salesforce {}: read each line, change it, and look with",
        comment(&objects.hubspot),
        comment(&objects.salesforce)
    ));
    page.raw("# `tandem match` and `tandem plan` at what would come of it.");
    page.raw("");
    let mut starts = Vec::new();
    let mut section = Section::Head;
    for part in &draft.parts {
        if part.section != section {
            section = part.section;
            page.raw("");
            match section {
                Section::Head | Section::Policy => {}
                Section::Match => page.raw("match:"),
                Section::Rules => page.raw("rules:"),
                Section::Associations => page.raw("associations:"),
            }
        }
        starts.push(page.lines + 1);
        for line in &part.lines {
            page.line(line);
        }
    }
    if !draft.left_out.is_empty() {
        page.raw("");
        page.raw("# Left out:");
        for left in &draft.left_out {
            page.left_out(left);
        }
    }
    (page.text, starts)
}

#[derive(Default)]
struct Page {
    text: String,
    lines: usize,
}

impl Page {
    fn raw(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
        self.lines += 1;
    }

    fn line(&mut self, line: &Line) {
        let Line { yaml, why } = line;
        let indent = yaml.len() - yaml.trim_start().len();
        if yaml.is_empty() {
            return self.wrapped(indent.max(4), why);
        }
        if why.is_empty() {
            return self.raw(yaml);
        }
        let reason = comment(why);
        let width = yaml.chars().count().max(REASON_COLUMN) + reason.chars().count() + 4;
        if yaml.chars().count() <= LONG && width <= WIDTH {
            return self.raw(&format!("{yaml:<REASON_COLUMN$}  # {reason}"));
        }
        self.wrapped(indent, why);
        self.raw(yaml);
    }

    /// A comment of its own, in as many lines as it takes.
    fn wrapped(&mut self, indent: usize, text: &str) {
        let mut line = format!("{:indent$}#", "");
        for word in comment(text).split(' ') {
            let full = line.chars().count() + word.chars().count() + 1 > WIDTH;
            if full && !line.ends_with('#') {
                self.raw(&line);
                line = format!("{:indent$}#  ", "");
            }
            line.push(' ');
            line.push_str(word);
        }
        self.raw(&line);
    }

    fn left_out(&mut self, left: &LeftOut) {
        let names = |side: Side| {
            let fields = left.fields.get(side);
            let listed = fields.iter().map(|name| comment(name)).collect::<Vec<_>>();
            (!fields.is_empty()).then(|| format!("{} {}", side.title(), listed.join(", ")))
        };
        let names: Vec<String> = Side::BOTH.into_iter().filter_map(names).collect();
        self.wrapped(0, &format!("{} ({})", left.why, names.join("; ")));
    }
}

/// Text that cannot end a comment.
fn comment(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

/// A text of a CRM as it is quoted in a reason.
pub(super) fn quoted(text: &str) -> String {
    text.chars().take(QUOTED).collect()
}

/// A scalar that is read back as this very text.
pub(super) fn scalar(text: &str) -> String {
    let first = text.chars().next();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ' ' | '.' | '/' | '-');
    let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let is_plain = first.is_some_and(|c| c.is_ascii_alphabetic())
        && text.chars().all(plain)
        && !text.ends_with(' ')
        && !words.contains(&text.to_ascii_lowercase().as_str());
    if is_plain {
        return text.to_owned();
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() || (c as u32) > 0xffff => {
                out.push_str(&format!("\\U{:08X}", c as u32));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_yaml_would_read_otherwise_is_quoted() {
        for (text, written) in [
            ("New Business", "New Business"),
            ("yes", "\"yes\""),
            ("1e3", "\"1e3\""),
            ("a: b", "\"a: b\""),
            ("say \"no\"", "\"say \\\"no\\\"\""),
            ("line\nbreak", "\"line\\U0000000Abreak\""),
            ("", "\"\""),
        ] {
            assert_eq!(scalar(text), written);
        }
    }

    #[test]
    fn a_label_cannot_end_its_comment() {
        assert_eq!(comment("a\nrules: {}\u{0}"), "a rules: {}\u{fffd}");
    }
}
