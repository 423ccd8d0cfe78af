//! What a person chose for a conflict.
//!
//! A choice waits in the store as a granted approval until the engine has carried it out: its kind
//! is [`Choice::APPROVAL`], its detail the text of the choice, and its set hash begins with the
//! conflict's id, followed by `:`.

use super::{ConflictId, Side};

/// Which value both sides shall hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// What this side held when the conflict was found.
    Of(Side),
    /// A value the person typed; empty for a blank. Only for rules of one field per side.
    Value(String),
}

impl Choice {
    /// The kind of approval a choice is stored as.
    pub const APPROVAL: &'static str = "take";

    /// Reads what was typed or stored: a side's name, or a value. A value that could be mistaken
    /// for a side's name is written with `=` before it.
    pub fn parse(text: &str) -> Self {
        match (Side::parse(text), text.strip_prefix('=')) {
            (Some(side), _) => Self::Of(side),
            (None, Some(value)) => Self::Value(value.to_owned()),
            (None, None) => Self::Value(text.to_owned()),
        }
    }

    /// The text that [`Choice::parse`] reads back.
    pub fn as_text(&self) -> String {
        match self {
            Self::Of(side) => side.as_str().to_owned(),
            Self::Value(value) => format!("={value}"),
        }
    }

    /// Names the approval of one choice; `nonce` keeps a second choice apart from the first.
    pub fn set_hash(conflict: &ConflictId, nonce: &str) -> String {
        format!("{conflict}:{nonce}")
    }

    /// The conflict a stored choice is about.
    pub fn conflict(set_hash: &str) -> ConflictId {
        ConflictId::new(set_hash.split(':').next().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_survives_the_store_even_when_its_value_is_a_word_of_ours() {
        for choice in [
            Choice::Of(Side::HubSpot),
            Choice::Value("hubspot".to_owned()),
            Choice::Value(String::new()),
            Choice::Value("=1".to_owned()),
            Choice::Value("+49 30 1".to_owned()),
        ] {
            assert_eq!(Choice::parse(&choice.as_text()), choice);
        }
        assert_eq!(Choice::parse("Berlin"), Choice::Value("Berlin".to_owned()));
    }

    #[test]
    fn the_conflict_is_found_again() {
        let conflict = ConflictId::new("cfl_1");
        assert_eq!(
            Choice::conflict(&Choice::set_hash(&conflict, "x")),
            conflict
        );
    }
}
