//! Puts what came of the cases into their file, as what is expected from now on. Everything else in
//! the file stays as it is, comments included.

use super::behaviour::Behaviour;
use super::read::{Case, Suite};
use crate::model::{BySide, Fields, Raw, Side};

/// A value of one line is shown on one line up to this width.
const WIDTH: usize = 100;

/// The text of the file with `found` as the expectation of each case, in the order of the cases.
/// `None` for a case leaves it alone.
///
/// # Errors
/// The name of a case whose place cannot be told, because it is written on one line.
pub fn rewrite(text: &str, suite: &Suite, found: &[Option<Behaviour>]) -> Result<String, String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let ends = suite.cases.iter().skip(1).map(|case| case.at.line - 1);
    let ends: Vec<usize> = ends.chain([lines.len()]).collect();
    // From the last to the first, so that lines that are still to be found do not move.
    for ((case, behaviour), end) in suite.cases.iter().zip(found).zip(ends).rev() {
        let Some(behaviour) = behaviour else {
            continue;
        };
        let (from, until, indent) = place(&lines, case, end).ok_or_else(|| case.name.clone())?;
        let new = shown(behaviour, indent);
        lines.splice(from..until, new.lines().map(str::to_owned));
    }
    Ok(lines.join("\n") + "\n")
}

/// The lines of the expectation, or where it goes, and how far its key is indented.
fn place(lines: &[String], case: &Case, end: usize) -> Option<(usize, usize, usize)> {
    let begin = case.at.line - 1;
    let indent = case.at.column - 1;
    let (from, to) = match &case.expect_at {
        Some(at) => {
            let line = lines.get(at.line - 1)?;
            if !line.trim_start_matches([' ', '-']).starts_with("expect:") {
                return None;
            }
            let inner = lines.iter().enumerate().skip(at.line).take(end - at.line);
            let deeper = |line: &str| indent_of(line).is_none_or(|depth| depth > indent);
            let to = inner.take_while(|(_, line)| deeper(line)).last();
            (at.line - 1, to.map_or(at.line, |(index, _)| index + 1))
        }
        None => {
            let flow = lines.get(begin)?.get(indent..)?.starts_with('{');
            if flow {
                return None;
            }
            (end, end)
        }
    };
    let kept = lines[from.min(to)..to].iter().rev();
    let rest = kept.take_while(|line| indent_of(line).is_none()).count();
    let after = match case.expect_at {
        Some(_) => (from, to - rest),
        None => {
            let above = lines[begin..end].iter().rev();
            let blank = above.take_while(|line| indent_of(line).is_none()).count();
            (end - blank, end - blank)
        }
    };
    Some((after.0, after.1, indent))
}

/// How far a line is indented; `None` for one that is blank or a comment.
fn indent_of(line: &str) -> Option<usize> {
    let text = line.trim_start();
    let says = !text.is_empty() && !text.starts_with('#');
    says.then(|| line.len() - text.len())
}

fn shown(behaviour: &Behaviour, indent: usize) -> String {
    let pad = " ".repeat(indent);
    if behaviour.is_nothing() {
        return format!("{pad}expect: nothing\n");
    }
    let mut out = format!("{pad}expect:\n");
    let writes: BySide<Vec<(String, String)>> = behaviour.writes.as_ref().map(fields);
    for side in Side::BOTH {
        put(&mut out, indent, side.as_str(), writes.get(side));
    }
    let conflicts = behaviour.conflicts.iter();
    let conflicts: Vec<(String, String)> = conflicts
        .map(|(rule, winner)| {
            let winner = winner.map_or("ask", Side::as_str);
            (key(rule), winner.to_owned())
        })
        .collect();
    put(&mut out, indent, "conflicts", &conflicts);
    let holds = behaviour.holds.iter();
    let holds: Vec<(String, String)> = holds
        .map(|(rule, reason)| (key(rule), reason.as_str().to_owned()))
        .collect();
    put(&mut out, indent, "holds", &holds);
    if let Some(stop) = &behaviour.stop {
        out.push_str(&format!("{pad}  stop: {}\n", scalar(stop)));
    }
    out
}

fn fields(fields: &Fields) -> Vec<(String, String)> {
    let fields = fields.iter();
    fields
        .map(|(name, raw)| {
            (
                key(name),
                raw.as_text().map_or("~".to_owned(), scalar_of(raw)),
            )
        })
        .collect()
}

/// Numbers and truths stand bare, so that the file reads as the CRM does.
fn scalar_of(raw: &Raw) -> impl Fn(&str) -> String {
    let bare = matches!(raw, Raw::Number(_) | Raw::Bool(_));
    move |text| if bare { text.to_owned() } else { scalar(text) }
}

fn put(out: &mut String, indent: usize, name: &str, entries: &[(String, String)]) {
    if entries.is_empty() {
        return;
    }
    let pad = " ".repeat(indent + 2);
    let inner: Vec<String> = entries.iter().map(|(k, v)| format!("{k}: {v}")).collect();
    let line = format!("{pad}{name}: {{ {} }}\n", inner.join(", "));
    if line.chars().count() <= WIDTH {
        out.push_str(&line);
        return;
    }
    out.push_str(&format!("{pad}{name}:\n"));
    for entry in inner {
        out.push_str(&format!("{pad}  {entry}\n"));
    }
}

fn key(text: &str) -> String {
    scalar(text)
}

/// A text as YAML reads it back: bare where that is safe, else quoted as JSON does.
fn scalar(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || " _.@-/+".contains(c);
    let word = ["null", "true", "false", "yes", "no", "on", "off", "nothing"];
    let safe = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && !text.ends_with(' ')
        && text.chars().all(plain)
        && !word.contains(&text.to_ascii_lowercase().as_str());
    if safe {
        text.to_owned()
    } else {
        serde_json::Value::from(text).to_string()
    }
}
