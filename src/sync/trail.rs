//! Reads what became of one write out of its fields' history. Pure: entries in, an account out.

use crate::crm::{Edit, History};
use crate::model::{Fields, Raw, Timestamp};

/// How much earlier than ours a CRM's clock may call the moment of our write.
const SKEW_MILLIS: i64 = 5_000;

/// What the history tells of a write that arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// What our write left in the fields it sent.
    pub ours: Fields,
    /// What stood there right before.
    pub replaced: Fields,
    /// Somebody has written one of them since.
    pub again: bool,
    /// Somebody typed the very value that was sent, and no entry is of our write.
    pub typed: bool,
}

/// One write as its intent describes it.
pub struct Sent<'a> {
    pub fields: &'a Fields,
    pub before: &'a Fields,
    /// By our clock; an earlier entry is not of this write.
    pub since: Timestamp,
}

/// `None`: the history does not show that the write arrived. `fits` says whether a value of a
/// field is what the CRM may have made of what was sent.
pub fn told(history: &History, sent: &Sent<'_>, fits: impl Fn(&str, &Raw) -> bool) -> Option<Told> {
    let earliest = sent.since.plus_millis(-SKEW_MILLIS);
    let mut told = Told::default();
    for name in sent.fields.keys() {
        let entries = history.get(name)?;
        let is_ours =
            |entry: &Edit| entry.by_machine && entry.at >= earliest && fits(name, &entry.value);
        let (ours, replaced) = match entries.iter().position(is_ours) {
            Some(at) => {
                let ours = &entries[at];
                // What automations made of it in its own transaction carries our name too.
                let with_it =
                    |entry: &&Edit| ours.by.is_some() && entry.by == ours.by && entry.at == ours.at;
                let made_of_it = entries[..at].iter().rev().take_while(with_it);
                let made_of_it = made_of_it.count();
                told.again |= at > made_of_it;
                (
                    &entries[at - made_of_it].value,
                    before(&entries[at + 1..], ours, sent.before.get(name)),
                )
            }
            // Somebody typed the very same: then a write changes nothing and leaves no entry.
            None => {
                let newest = entries.first().filter(|entry| fits(name, &entry.value))?;
                told.typed |= !newest.by_machine;
                (&newest.value, newest.value.clone())
            }
        };
        told.ours.insert(name.clone(), ours.clone());
        told.replaced.insert(name.clone(), replaced);
    }
    Some(told)
}

/// What our entry replaced. A value that we left ourselves is nobody's edit.
fn before(older: &[Edit], ours: &Edit, read: Option<&Raw>) -> Raw {
    match older.first() {
        Some(entry) if ours.by.is_some() && entry.by == ours.by => read.cloned(),
        Some(entry) => Some(entry.value.clone()),
        None => None,
    }
    .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000_000 + seconds * 1_000)
    }

    fn edit(value: &str, seconds: i64, app: Option<&str>) -> Edit {
        Edit {
            value: Raw::text(value),
            at: at(seconds),
            by: app.map(str::to_owned),
            by_machine: app.is_some(),
        }
    }

    /// "new" was sent at 100 over "old".
    fn ask(entries: &[Edit]) -> Option<Told> {
        let history = History::from([("f".to_owned(), entries.to_vec())]);
        let fields = Fields::from([("f".to_owned(), Raw::text("new"))]);
        let before = Fields::from([("f".to_owned(), Raw::text("old"))]);
        let sent = Sent {
            fields: &fields,
            before: &before,
            since: at(100),
        };
        told(&history, &sent, |_, value| *value == Raw::text("new"))
    }

    fn replaced(entries: &[Edit]) -> Option<(Raw, bool)> {
        ask(entries).map(|told| (told.replaced["f"].clone(), told.again))
    }

    const US: Option<&str> = Some("7");

    #[test]
    fn an_edit_right_before_our_entry_was_replaced() {
        let clean = [edit("new", 101, US), edit("old", 50, None)];
        assert_eq!(replaced(&clean), Some((Raw::text("old"), false)));
        assert!(ask(&clean).is_some_and(|told| !told.typed));
        let overtaken = [
            edit("new", 102, US),
            edit("theirs", 101, None),
            edit("old", 50, None),
        ];
        assert_eq!(replaced(&overtaken), Some((Raw::text("theirs"), false)));
        let again = [
            edit("more", 103, None),
            edit("new", 101, US),
            edit("old", 50, None),
        ];
        assert_eq!(replaced(&again), Some((Raw::text("old"), true)));
    }

    #[test]
    fn what_an_automation_made_of_our_write_at_once_is_ours_and_nobodys_edit() {
        let rewritten = [
            edit("NEW", 101, US),
            edit("new", 101, US),
            edit("old", 50, None),
        ];
        let told = ask(&rewritten).unwrap();
        assert!(!told.again);
        assert_eq!(told.ours["f"], Raw::text("NEW"));
        assert_eq!(told.replaced["f"], Raw::text("old"));
    }

    #[test]
    fn two_writes_of_ours_in_one_second_replaced_nobodys_edit() {
        let twice = [
            edit("new", 101, US),
            edit("old", 101, US),
            edit("older", 50, None),
        ];
        assert_eq!(replaced(&twice), Some((Raw::text("old"), false)));
    }

    #[test]
    fn a_first_value_replaced_nothing() {
        assert_eq!(replaced(&[edit("new", 101, US)]), Some((Raw::Null, false)));
    }

    #[test]
    fn an_older_write_of_the_same_value_is_not_this_one() {
        let never_arrived = [edit("old", 50, None), edit("new", 40, US)];
        assert_eq!(replaced(&never_arrived), None);
    }

    #[test]
    fn somebody_who_typed_the_same_lost_nothing() {
        let typed = [edit("new", 101, None), edit("old", 50, None)];
        assert_eq!(replaced(&typed), Some((Raw::text("new"), false)));
        assert!(ask(&typed).is_some_and(|told| told.typed));
    }

    #[test]
    fn a_value_of_our_own_is_nobodys_edit_and_another_apps_is() {
        let own = [
            edit("new", 102, US),
            edit("stale", 101, US),
            edit("old", 50, None),
        ];
        assert_eq!(replaced(&own), Some((Raw::text("old"), false)));
        let other = [edit("new", 102, US), edit("theirs", 101, Some("8"))];
        assert_eq!(replaced(&other), Some((Raw::text("theirs"), false)));
    }

    #[test]
    fn a_field_without_a_history_tells_nothing() {
        let fields = Fields::from([("g".to_owned(), Raw::text("new"))]);
        let before = Fields::new();
        let sent = Sent {
            fields: &fields,
            before: &before,
            since: at(100),
        };
        assert_eq!(told(&History::new(), &sent, |_, _| true), None);
    }
}
