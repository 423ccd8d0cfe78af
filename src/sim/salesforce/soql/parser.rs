//! From tokens to the tree of a statement; names are not looked up here.

use super::lexer::{Token, split};
use super::malformed;
use crate::sim::salesforce::error::Refusal;

/// Nesting deeper than this is refused, so that no statement can exhaust the stack.
const MAX_DEPTH: usize = 50;

#[derive(Debug)]
pub(super) struct Query {
    pub select: Select,
    pub object: String,
    pub alias: Option<String>,
    pub filter: Option<Expr>,
    pub order: Vec<Order>,
    pub limit: Option<u64>,
    pub offset: u64,
}

#[derive(Debug)]
pub(super) enum Select {
    Count,
    Fields(Vec<String>),
    /// `FIELDS(ALL | STANDARD | CUSTOM)`.
    Group(String),
}

#[derive(Debug)]
pub(super) struct Order {
    pub name: String,
    pub descending: bool,
    pub nulls_last: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    Date(i32),
    Instant(i64),
}

#[derive(Debug)]
pub(super) enum Expr {
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    Compare {
        name: String,
        sign: &'static str,
        to: Literal,
    },
    Like {
        name: String,
        pattern: String,
    },
    In {
        name: String,
        list: Vec<Literal>,
    },
    Includes {
        name: String,
        list: Vec<Literal>,
    },
}

pub(super) fn parse(text: &str) -> Result<Query, Refusal> {
    let mut parser = Parser {
        tokens: split(text)?,
        at: 0,
        depth: 0,
    };
    let query = parser.query()?;
    match parser.peek() {
        None => Ok(query),
        Some(_) => Err(parser.unexpected()),
    }
}

struct Parser {
    tokens: Vec<(Token, usize)>,
    at: usize,
    depth: usize,
}

const KEYWORDS: &[&str] = &[
    "WHERE", "ORDER", "LIMIT", "OFFSET", "FOR", "ALL", "GROUP", "USING",
];

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(token, _)| token)
    }

    fn unexpected(&self) -> Refusal {
        match self.tokens.get(self.at) {
            Some((token, at)) => malformed(format!(
                "ERROR at Row:1:Column:{}\nunexpected token: '{}'",
                at + 1,
                token.shown()
            )),
            None => malformed("unexpected token: '<EOF>'"),
        }
    }

    fn is(&self, word: &str) -> bool {
        matches!(self.peek(), Some(Token::Word(own)) if own.eq_ignore_ascii_case(word))
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.is(word);
        self.at += usize::from(found);
        found
    }

    fn take_token(&mut self, token: &Token) -> bool {
        let found = self.peek() == Some(token);
        self.at += usize::from(found);
        found
    }

    fn need(&mut self, word: &str) -> Result<(), Refusal> {
        if self.take(word) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    fn need_token(&mut self, token: &Token) -> Result<(), Refusal> {
        if self.take_token(token) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    fn name(&mut self) -> Result<String, Refusal> {
        match self.peek() {
            Some(Token::Word(word)) => {
                let word = word.clone();
                self.at += 1;
                Ok(word)
            }
            Some(_) | None => Err(self.unexpected()),
        }
    }

    fn query(&mut self) -> Result<Query, Refusal> {
        self.need("SELECT")?;
        let select = self.select()?;
        self.need("FROM")?;
        let object = self.name()?;
        let is_keyword = KEYWORDS.iter().any(|word| self.is(word));
        let alias = match self.peek() {
            Some(Token::Word(_)) if !is_keyword => Some(self.name()?),
            Some(_) | None => None,
        };
        let filter = if self.take("WHERE") {
            Some(self.condition()?)
        } else {
            None
        };
        let mut order = Vec::new();
        if self.take("ORDER") {
            self.need("BY")?;
            order.push(self.order()?);
            while self.take_token(&Token::Comma) {
                order.push(self.order()?);
            }
        }
        let limit = if self.take("LIMIT") {
            Some(self.count()?)
        } else {
            None
        };
        let offset = if self.take("OFFSET") {
            self.count()?
        } else {
            0
        };
        Ok(Query {
            select,
            object,
            alias,
            filter,
            order,
            limit,
            offset,
        })
    }

    fn select(&mut self) -> Result<Select, Refusal> {
        if self.is("COUNT") && self.tokens.get(self.at + 1).map(|t| &t.0) == Some(&Token::Open) {
            self.at += 2;
            self.need_token(&Token::Close)?;
            return Ok(Select::Count);
        }
        if self.is("FIELDS") && self.tokens.get(self.at + 1).map(|t| &t.0) == Some(&Token::Open) {
            self.at += 2;
            let group = self.name()?;
            self.need_token(&Token::Close)?;
            return Ok(Select::Group(group));
        }
        let mut names = vec![self.name()?];
        while self.take_token(&Token::Comma) {
            names.push(self.name()?);
        }
        Ok(Select::Fields(names))
    }

    fn order(&mut self) -> Result<Order, Refusal> {
        let name = self.name()?;
        let descending = if self.take("DESC") {
            true
        } else {
            self.take("ASC");
            false
        };
        let mut nulls_last = false;
        if self.take("NULLS") {
            nulls_last = self.take("LAST");
            if !nulls_last {
                self.need("FIRST")?;
            }
        }
        Ok(Order {
            name,
            descending,
            nulls_last,
        })
    }

    fn count(&mut self) -> Result<u64, Refusal> {
        match self.peek() {
            Some(Token::Number(number)) if *number >= 0.0 && number.fract() == 0.0 => {
                let count = *number as u64;
                self.at += 1;
                Ok(count)
            }
            Some(_) | None => Err(self.unexpected()),
        }
    }

    /// One level of AND or OR: the platform wants parentheses where both meet.
    fn condition(&mut self) -> Result<Expr, Refusal> {
        let first = self.term()?;
        let joint = if self.is("AND") {
            "AND"
        } else if self.is("OR") {
            "OR"
        } else {
            return Ok(first);
        };
        let mut parts = vec![first];
        while self.take(joint) {
            parts.push(self.term()?);
        }
        if self.is("AND") || self.is("OR") {
            return Err(self.unexpected());
        }
        Ok(if joint == "AND" {
            Expr::And(parts)
        } else {
            Expr::Or(parts)
        })
    }

    fn term(&mut self) -> Result<Expr, Refusal> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(malformed("too many nested conditions"));
        }
        let term = if self.take("NOT") {
            Expr::Not(Box::new(self.term()?))
        } else if self.take_token(&Token::Open) {
            let inner = self.condition()?;
            self.need_token(&Token::Close)?;
            inner
        } else {
            self.test()?
        };
        self.depth -= 1;
        Ok(term)
    }

    fn test(&mut self) -> Result<Expr, Refusal> {
        let name = self.name()?;
        if let Some(Token::Sign(sign)) = self.peek() {
            let sign = *sign;
            self.at += 1;
            let to = self.literal()?;
            return Ok(Expr::Compare { name, sign, to });
        }
        if self.take("LIKE") {
            let Literal::Text(pattern) = self.literal()? else {
                return Err(malformed("LIKE needs a string"));
            };
            return Ok(Expr::Like { name, pattern });
        }
        if self.take("NOT") {
            self.need("IN")?;
            let list = self.list()?;
            return Ok(Expr::Not(Box::new(Expr::In { name, list })));
        }
        if self.take("IN") {
            let list = self.list()?;
            return Ok(Expr::In { name, list });
        }
        if self.take("INCLUDES") {
            let list = self.list()?;
            return Ok(Expr::Includes { name, list });
        }
        if self.take("EXCLUDES") {
            let list = self.list()?;
            return Ok(Expr::Not(Box::new(Expr::Includes { name, list })));
        }
        Err(self.unexpected())
    }

    fn list(&mut self) -> Result<Vec<Literal>, Refusal> {
        self.need_token(&Token::Open)?;
        let mut list = vec![self.literal()?];
        while self.take_token(&Token::Comma) {
            list.push(self.literal()?);
        }
        self.need_token(&Token::Close)?;
        Ok(list)
    }

    fn literal(&mut self) -> Result<Literal, Refusal> {
        let literal = match self.peek() {
            Some(Token::Text(text)) => {
                if text.chars().count() > 4_000 {
                    return Err(malformed("a string literal may have 4000 characters"));
                }
                Literal::Text(text.clone())
            }
            Some(Token::Number(number)) => Literal::Number(*number),
            Some(Token::Date(days)) => Literal::Date(*days),
            Some(Token::Instant(millis)) => Literal::Instant(*millis),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("null") => Literal::Null,
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("true") => Literal::Bool(true),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("false") => Literal::Bool(false),
            Some(_) | None => return Err(self.unexpected()),
        };
        self.at += 1;
        Ok(literal)
    }
}
