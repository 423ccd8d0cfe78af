//! The part of SOQL that synchronisation needs: parse, bind to the schema, choose rows, show them.
//!
//! Reads rows and changes none. Limits and messages follow `salesforce.md 3`.

mod bind;
mod evaluate;
mod lexer;
mod output;
mod parser;
mod source;

pub use bind::Bound;

use super::error::Refusal;
use super::org::Org;

const MAX_STATEMENT: usize = 100_000;

pub(super) fn malformed(message: impl Into<String>) -> Refusal {
    Refusal::new("MALFORMED_QUERY", message)
}

/// The shape of a statement with `?` for each text literal, and these literals in their order.
/// For tests that put hostile values into queries.
pub fn dissect(text: &str) -> Result<(String, Vec<String>), String> {
    parser::parse(text).map_err(|refusal| refusal.message)?;
    let tokens = lexer::split(text).map_err(|refusal| refusal.message)?;
    let mut shape = Vec::new();
    let mut literals = Vec::new();
    for (token, _) in tokens {
        if let lexer::Token::Text(text) = token {
            shape.push("?".to_owned());
            literals.push(text);
        } else if let lexer::Token::Sign(sign) = token {
            shape.push(sign.to_owned());
        } else {
            shape.push(token.shown());
        }
    }
    Ok((shape.join(" "), literals))
}

/// Parses a statement and checks every name in it against what the caller may see.
pub(super) fn prepare(org: &Org, text: &str) -> Result<Bound, Refusal> {
    if text.len() > MAX_STATEMENT {
        return Err(malformed(
            "SOQL statements cannot be longer than 100000 characters.",
        ));
    }
    let query = parser::parse(text)?;
    bind::bind(org, query)
}

impl Bound {
    /// The row numbers that match, in order, LIMIT and OFFSET applied.
    pub fn run(&self, org: &Org, with_bin: bool) -> Vec<u64> {
        source::select(org, self, with_bin)
    }
}
