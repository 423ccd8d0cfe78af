//! The answer of `tandem explain` for people, within 80 columns.

use crate::explain::{
    Event, Explained, Explanation, Field, How, Loose, Obstacle, Question, Then, quoted,
};
use crate::model::{BySide, Fields, Link, Raw, RecordId, Side, Timestamp};

use super::super::output::printable;

const COLUMNS: usize = 80;
const BLANK: &str = "(blank)";
/// Where values begin: after the longer of the two sides' names.
const LABEL: usize = 14;

pub fn page(question: &Question, found: &Explanation) -> String {
    let mut page = Page::default();
    for pair in &found.pairs {
        page.pair(question, pair);
    }
    for loose in &found.loose {
        page.loose(loose);
    }
    page.text
}

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    /// One paragraph: `first` before its first line, as many blanks before the others.
    fn say(&mut self, first: &str, text: &str) {
        let indent = console::measure_text_width(first);
        let mut line = first.to_owned();
        let mut width = indent;
        let mut empty = true;
        let text = printable(text);
        for word in text.split_whitespace().flat_map(pieces) {
            let more = console::measure_text_width(&word);
            if !empty && width + 1 + more > COLUMNS {
                self.text.push_str(line.trim_end());
                self.text.push('\n');
                line = " ".repeat(indent);
                width = indent;
                empty = true;
            }
            if !empty {
                line.push(' ');
                width += 1;
            }
            line.push_str(&word);
            width += more;
            empty = false;
        }
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn gap(&mut self) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
    }

    fn pair(&mut self, question: &Question, pair: &Explained) {
        self.gap();
        self.say("", &title(pair));
        let revision = pair.revision.as_ref();
        let revision = revision.map_or_else(String::new, |found| format!(", revision {found}"));
        self.say(
            "  mapping     ",
            &format!("{}{revision}", pair.link.mapping),
        );
        let since = match pair.since {
            Some(at) => format!(", first agreed {at}"),
            None => String::new(),
        };
        let state = match pair.link.note.as_str() {
            "" => pair.link.state.as_str().to_owned(),
            note => format!("{} ({note})", pair.link.state.as_str()),
        };
        self.say(
            "  pair        ",
            &format!("{}, {state}{since}", pair.link.id),
        );
        for link in &pair.earlier {
            self.say("  earlier     ", &earlier(link));
        }
        self.obstacles("  ", &pair.obstacles);
        match question.at {
            Some(at) => self.past(at, pair),
            None => self.present(pair),
        }
    }

    fn present(&mut self, pair: &Explained) {
        for next in &pair.next {
            self.say("  next run    ", next);
        }
        let stored = |field: &Field| !matches!(field.seen.how, How::Nothing | How::Read);
        if pair.fields.iter().any(stored) {
            let note = "Values are those of the last agreement or decision, not read now; --live \
                        reads both records.";
            self.say("  ", note);
        }
        for field in &pair.fields {
            self.field(field);
        }
        if !pair.events.is_empty() {
            self.gap();
            self.say("", "The pair as a whole");
            for event in &pair.events {
                self.event(event);
            }
        }
    }

    fn field(&mut self, field: &Field) {
        self.gap();
        self.heading(field);
        self.values("", field, &field.seen.sides);
        if field
            .base
            .as_ref()
            .is_some_and(|base| *base != field.seen.sides)
        {
            self.say("  ", "When they last agreed:");
            self.values("  ", field, &field.base.clone().unwrap_or_default());
        }
        self.obstacles("  ", &field.obstacles);
        match (&field.history, &field.last) {
            (Some((events, count)), _) => self.history(field, events, *count),
            (None, Some(event)) => self.event(event),
            (None, None) => self.quiet(field),
        }
        if let Some(next) = &field.next {
            self.say("  next run: ", next);
        }
    }

    fn heading(&mut self, field: &Field) {
        let names = |side: Side| field.names.get(side).join(", ");
        let (hubspot, salesforce) = (names(Side::HubSpot), names(Side::Salesforce));
        let terms = match field.terms.is_empty() {
            true => String::new(),
            false => format!("  ({})", field.terms.join("; ")),
        };
        let named = match hubspot == field.rule {
            true => format!("{hubspot} = {salesforce}{terms}"),
            false => format!("{}: {hubspot} = {salesforce}{terms}", field.rule),
        };
        self.say("", &named);
    }

    /// Of a value that is converted with the help of other fields only the value itself.
    fn values(&mut self, indent: &str, field: &Field, sides: &BySide<Fields>) {
        for side in Side::BOTH {
            let all = sides.get(side);
            let mut own = all.clone();
            own.retain(|name, _| field.names.get(side).contains(name));
            let shown = if own.is_empty() { all } else { &own };
            if !shown.is_empty() {
                let label = format!("  {indent}{}", side.title());
                let width = LABEL + indent.len();
                self.say(&format!("{label:<width$}"), &value(shown));
            }
        }
    }

    /// No entry of the journal: nothing ever happened to it.
    fn quiet(&mut self, field: &Field) {
        match (&field.base, field.agreed_at) {
            (Some(_), Some(at)) => self.say(
                "  ",
                &format!("{at}: Both sides held the same; nothing was ever written."),
            ),
            (Some(_), None) => self.say("  ", "Both sides held the same; nothing was written."),
            (None, _) if field.obstacles.is_empty() => {
                self.say("  ", "Never compared yet.");
            }
            (None, _) => {}
        }
    }

    fn history(&mut self, field: &Field, events: &[Event], count: u64) {
        if events.is_empty() {
            return self.quiet(field);
        }
        self.say("  ", "History, newest first:");
        for event in events {
            self.event(event);
        }
        let more = count.saturating_sub(events.len() as u64);
        if more > 0 {
            self.say("  ", &format!("{more} older entries are not shown."));
        }
    }

    fn event(&mut self, event: &Event) {
        self.say("  ", &format!("{}: {}", event.at, event.text));
        self.say(
            "    ",
            &format!("run {}, revision {}", event.run, event.revision),
        );
    }

    fn past(&mut self, at: Timestamp, pair: &Explained) {
        self.gap();
        self.say("", &format!("What the two had agreed on at {at}:"));
        for field in &pair.fields {
            self.gap();
            self.heading(field);
            match &field.then {
                Some(Then::Agreed(sides)) => self.values("", field, sides),
                Some(Then::NotYet(Some(first))) => {
                    self.say(
                        "  ",
                        &format!("Nothing yet; the first agreement came {first}."),
                    );
                }
                Some(Then::NotYet(None)) | None => self.say("  ", "Nothing yet."),
                Some(Then::Untold) => self.say(
                    "  ",
                    "The journal does not tell: the pair is older than what it keeps.",
                ),
            }
        }
    }

    fn loose(&mut self, loose: &Loose) {
        self.gap();
        let key = &loose.key;
        let (side, id) = (key.side.title(), &key.id);
        self.say(
            "",
            &format!("{side} {id} under mapping {}: in no pair", key.mapping),
        );
        self.obstacles("  ", &loose.obstacles);
        for next in &loose.next {
            self.say("  next run: ", next);
        }
    }

    fn obstacles(&mut self, indent: &str, found: &[Obstacle]) {
        for obstacle in found {
            let since = obstacle
                .since
                .map_or_else(String::new, |at| format!(" (since {at})"));
            self.say(&format!("{indent}! "), &format!("{}{since}", obstacle.what));
            if !obstacle.todo.is_empty() {
                self.say(&format!("{indent}  "), &format!("Do: {}.", obstacle.todo));
            }
        }
    }
}

fn id(link: &Link, side: Side) -> &str {
    let id = link.records.get(side).as_ref();
    id.map_or("(none yet)", RecordId::as_str)
}

fn title(pair: &Explained) -> String {
    let name = |side: Side| {
        let object = pair
            .objects
            .as_ref()
            .map(|objects| objects.get(side).as_str());
        let object = object.map_or_else(String::new, |object| format!("{object} "));
        format!("{} {object}{}", side.title(), id(&pair.link, side))
    };
    format!("{} and {}", name(Side::HubSpot), name(Side::Salesforce))
}

fn earlier(link: &Link) -> String {
    let state = link.state.as_str();
    format!(
        "{}: HubSpot {} and Salesforce {}, {state} ({})",
        link.id,
        id(link, Side::HubSpot),
        id(link, Side::Salesforce),
        link.note
    )
}

/// A value as it is; several fields with their names.
fn value(fields: &Fields) -> String {
    let mut raws = fields.values();
    match (raws.next(), raws.next()) {
        (Some(raw), None) => raw.as_text().unwrap_or(BLANK).to_owned(),
        _ if fields.values().all(Raw::is_blank) => BLANK.to_owned(),
        _ => quoted(fields),
    }
}

/// A word that fits into a line; what has no blank in it is cut.
fn pieces(word: &str) -> Vec<String> {
    const ROOM: usize = COLUMNS - LABEL - 4;
    let letters: Vec<char> = word.chars().collect();
    letters
        .chunks(ROOM)
        .map(|part| part.iter().collect())
        .collect()
}
