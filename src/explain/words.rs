//! Decisions and values in plain sentences.
//!
//! Pure. The words for machines stay as the journal has them; these are for people.

use crate::merge::Reason;
use crate::model::{Fields, Side};
use crate::store::{ConflictRow, JournalEntry};

/// Longer values are cut in sentences; `--json` has them whole.
const VALUE_MAX: usize = 120;

/// A value within a sentence: quoted, or said to be blank.
pub fn quoted(fields: &Fields) -> String {
    if fields.values().all(crate::model::Raw::is_blank) {
        return "a blank".to_owned();
    }
    let one = fields.len() == 1;
    let parts = fields.iter().map(|(name, raw)| {
        let value = raw.as_text().map_or_else(|| "blank".to_owned(), in_quotes);
        if one {
            value
        } else {
            format!("{name} {value}")
        }
    });
    parts.collect::<Vec<_>>().join(", ")
}

fn in_quotes(text: &str) -> String {
    let mut start: String = text.chars().take(VALUE_MAX).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    format!("\"{start}\"")
}

/// Of a write only the fields that it changed; the others were read along with them.
pub fn differing(wrote: &Fields, before: &Fields) -> (Fields, Fields) {
    let (mut new, mut old) = (wrote.clone(), before.clone());
    new.retain(|name, raw| before.get(name) != Some(raw));
    if new.is_empty() {
        return (wrote.clone(), old);
    }
    old.retain(|name, _| new.contains_key(name));
    (new, old)
}

/// What one entry of the journal says, with the conflict it made.
pub fn told(entry: &JournalEntry, conflict: Option<&ConflictRow>) -> String {
    match entry.decision.as_str() {
        "write" => written(entry, conflict),
        "hold" => format!(
            "It was held ({}): {}",
            entry.reason,
            sentence(&entry.detail)
        ),
        "agree" => format!(
            "Both sides came to the same by themselves: {} in HubSpot, {} in Salesforce. \
             Nothing was written.",
            quoted(&entry.inputs.hubspot),
            quoted(&entry.inputs.salesforce)
        ),
        "skip" => format!("Nothing was written: {}.", skipped(&entry.reason)),
        "undo" => "A person took back what a run had written.".to_owned(),
        "audit" => audited(entry),
        "follow" if entry.rule.is_empty() => {
            format!(
                "The record was {}: {}",
                entry.reason,
                sentence(&entry.detail)
            )
        }
        "follow" => "The record was merged, and the one it became is blank here; that blank is \
                     nobody's edit and empties nothing."
            .to_owned(),
        "tombstone" => gone(entry),
        "left-filter" => "The record left the filter of the mapping (`only`).".to_owned(),
        "detach" => format!(
            "The pair was taken apart after a merge: {}",
            sentence(&entry.detail)
        ),
        other => format!("{other}: {} {}", entry.reason, sentence(&entry.detail)),
    }
}

/// A detail as a sentence of its own.
fn sentence(text: &str) -> String {
    let text = text.trim();
    let ends = text.is_empty() || text.ends_with(['.', '!', '?', ';']);
    format!("{text}{}", if ends { "" } else { "." })
}

fn gone(entry: &JournalEntry) -> String {
    let side = entry.winner.map_or("one side", Side::title);
    format!(
        "The record was deleted in {side} ({}); the pair is over.",
        entry.detail
    )
}

fn written(entry: &JournalEntry, conflict: Option<&ConflictRow>) -> String {
    let Some((to, wrote)) = &entry.wrote else {
        return format!("A write ended as {}.", entry.reason);
    };
    let (to, from) = (*to, to.other());
    let before = entry.loser.clone().unwrap_or_default();
    let blank = |fields: &Fields| fields.values().all(crate::model::Raw::is_blank);
    let why = why_written(&entry.detail, from, to);
    if blank(wrote) && blank(&before) {
        return format!("{why}; there was nothing to write.");
    }
    let (wrote, before) = differing(wrote, &before);
    let value = quoted(&wrote);
    let then = match entry.reason.as_str() {
        "applied" if before.is_empty() => format!("{value} was written to {}", to.title()),
        "applied" => {
            let before = quoted(&before);
            format!("{value} was written to {} in place of {before}", to.title())
        }
        "followed" => format!(
            "{value} was written to {}, and somebody changed it there afterwards, which travels \
             back",
            to.title()
        ),
        "not-applied" => format!(
            "{value} was sent to {} and did not arrive; it is decided again",
            to.title()
        ),
        "not-kept" => format!("{} said yes to {value} and kept the old value", to.title()),
        "altered" => format!("{} stored something else than {value}", to.title()),
        "overtaken" => format!(
            "somebody changed it in {} while {value} was under way; it is decided again",
            to.title()
        ),
        other => format!("{value} was sent to {}: {other}", to.title()),
    };
    let kept = conflict.map_or_else(String::new, kept);
    format!("{why}; {then}.{kept}")
}

/// The losing value and its name.
fn kept(conflict: &ConflictRow) -> String {
    match conflict.winner {
        Some(winner) => format!(
            " {}'s {} was kept as conflict {}.",
            winner.other().title(),
            quoted(&conflict.loser),
            conflict.id
        ),
        None => format!(" Conflict {} asks which to take.", conflict.id),
    }
}

fn audited(entry: &JournalEntry) -> String {
    let side = entry.wrote.as_ref().map_or("a side", |(to, _)| to.title());
    if entry.reason == "unknown" {
        return format!("Nobody can tell what the write to {side} replaced.");
    }
    let lost = entry.loser.as_ref().map_or_else(String::new, quoted);
    let then = match entry.winner {
        Some(_) => "it is kept by name as a conflict",
        None => "it is put back",
    };
    format!("A write to {side} had replaced an edit that nobody had seen ({lost}); {then}.")
}

/// Why a value travelled from one side to the other.
pub fn why_written(detail: &str, from: Side, to: Side) -> String {
    match (Reason::parse(detail), detail) {
        (Some(reason), _) => why(reason, from, to),
        (None, "created") => format!("The {} record was made as a copy", to.title()),
        (None, "chosen") => "A person chose this value (`tandem conflicts take`)".to_owned(),
        (None, "restore") => "An edit that a write had replaced unseen was put back".to_owned(),
        (None, "undone") => "A person took back what a run had written".to_owned(),
        (None, other) => format!("Decided as `{other}`"),
    }
}

fn why(reason: Reason, from: Side, to: Side) -> String {
    let won = |why: &str| format!("{} won: both sides changed it, {why}", from.title());
    match reason {
        Reason::BothUnchanged | Reason::Equal | Reason::Tolerated => "Both sides agreed".to_owned(),
        Reason::Moved(side) => format!("Only {} changed it", side.title()),
        Reason::ConflictWins(side) => format!(
            "{} won: both sides changed it, and the mapping says `conflict: {side}`",
            side.title()
        ),
        Reason::SourceWins => won("and the rule goes one way"),
        Reason::Newest => won("and its edit was the later one (`newest`)"),
        Reason::NewestTie => {
            won("too close together to say which came later, and `newest` names it for a tie")
        }
        Reason::Union => "What both sides added and took away was merged (`union`)".to_owned(),
        Reason::RatchetForward => "The value further along won (`ratchet`)".to_owned(),
        Reason::RatchetBack => {
            format!(
                "{} went back, and `ratchet` sets it forward again",
                to.title()
            )
        }
        Reason::FirstContactFill => {
            format!("When the two were first compared, {} was blank", to.title())
        }
        Reason::FirstContactWins(side) => format!(
            "When the two were first compared they differed, and `first-sync` names {}",
            side.title()
        ),
        Reason::RuleChangedFirstContact => {
            "The rule was changed in the mapping, and the sides disagreed under it".to_owned()
        }
        Reason::BlankYields => format!(
            "The other side should have won but was blank, and a blank overwrites nothing \
             (`blank: keep`), so {}'s value went",
            from.title()
        ),
        Reason::Enforced => format!(
            "{} was changed against a one-way rule that says `enforce: yes`",
            to.title()
        ),
        Reason::ConflictAsked
        | Reason::FirstContactAsked
        | Reason::RatchetKept
        | Reason::BlankKept
        | Reason::WriteOnceFilled
        | Reason::Drift
        | Reason::Held
        | Reason::Unreadable
        | Reason::Unmapped
        | Reason::Unresolved => format!("Decided as `{}`", reason.as_str()),
    }
}

/// Why nothing was written although something had moved.
fn skipped(reason: &str) -> String {
    let Some(reason) = Reason::parse(reason) else {
        return match reason {
            "chosen" => "the value a person chose was there already".to_owned(),
            other => other.to_owned(),
        };
    };
    match reason {
        Reason::Tolerated => "the sides differ only by what the rule tolerates".to_owned(),
        Reason::BlankKept => {
            "a blank overwrites nothing under this rule (`blank: keep`)".to_owned()
        }
        Reason::WriteOnceFilled => {
            "the destination is filled, and the rule says `write: once`".to_owned()
        }
        Reason::RatchetKept => {
            "the destination is further along, and `ratchet` never goes back".to_owned()
        }
        Reason::Drift => "it was changed at the destination of a one-way rule, which is noted and \
                          left so (`enforce: yes` would revert it)"
            .to_owned(),
        Reason::BothUnchanged
        | Reason::Equal
        | Reason::Moved(_)
        | Reason::ConflictWins(_)
        | Reason::SourceWins
        | Reason::Newest
        | Reason::NewestTie
        | Reason::Union
        | Reason::RatchetForward
        | Reason::RatchetBack
        | Reason::FirstContactFill
        | Reason::FirstContactWins(_)
        | Reason::RuleChangedFirstContact
        | Reason::BlankYields
        | Reason::Enforced => {
            format!(
                "what was to be written was there already ({})",
                reason.as_str()
            )
        }
        Reason::ConflictAsked | Reason::FirstContactAsked => "a person was asked".to_owned(),
        Reason::Held => "an open hold still applies".to_owned(),
        Reason::Unreadable => "a value cannot be read as its field's type".to_owned(),
        Reason::Unmapped => "the value has no counterpart".to_owned(),
        Reason::Unresolved => "the record it refers to is not linked yet".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Raw;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        let raw = |(name, text): &(&str, &str)| ((*name).to_owned(), Raw::text(*text));
        pairs.iter().map(raw).collect()
    }

    #[test]
    fn a_value_is_quoted_and_only_what_a_write_changed_is_told() {
        assert_eq!(quoted(&fields(&[("phone", "+1 2")])), "\"+1 2\"");
        assert_eq!(quoted(&fields(&[("phone", "")])), "a blank");
        assert_eq!(quoted(&Fields::new()), "a blank");
        let wrote = fields(&[("City", "Bonn"), ("Zip", "")]);
        assert_eq!(quoted(&wrote), "City \"Bonn\", Zip blank");
        let before = fields(&[("City", "Kiel"), ("Zip", "")]);
        let city = |name: &str| fields(&[("City", name)]);
        assert_eq!(differing(&wrote, &before), (city("Bonn"), city("Kiel")));
        let long = "x".repeat(10_000);
        assert!(quoted(&fields(&[("notes", &long)])).len() < 200);
    }

    #[test]
    fn every_reason_of_the_merge_has_words_of_its_own_for_a_write() {
        for reason in Reason::ALL {
            let text = why(reason, Side::HubSpot, Side::Salesforce);
            assert!(!text.is_empty() && !text.ends_with('.'), "{text}");
            assert!(!skipped(reason.as_str()).is_empty());
        }
    }
}
