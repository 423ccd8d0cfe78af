//! Looks the names of a statement up in the schema and checks literals against field types.

use std::collections::BTreeSet;

use super::malformed;
use super::output::Output;
use super::parser::{Expr, Literal, Order, Query, Select};
use crate::sim::salesforce::error::Refusal;
use crate::sim::salesforce::id::AnyId;
use crate::sim::salesforce::org::Org;
use crate::sim::salesforce::schema::Kind;

const MAX_OFFSET: u64 = 2_000;
const MAX_HOPS: usize = 5;

/// A statement ready to run.
#[derive(Debug)]
pub struct Bound {
    pub(in crate::sim::salesforce) object: usize,
    /// `None` for `COUNT()`.
    pub(in crate::sim::salesforce) output: Option<Output>,
    pub(super) filter: Option<Test>,
    pub(super) order: Vec<Sort>,
    pub(super) limit: Option<u64>,
    pub(super) offset: u64,
}

/// A way from the queried object to a field, over lookups. Each step lists, per object that may
/// stand there, the field to read; the last step is the value.
#[derive(Clone, Debug)]
pub(super) struct Path {
    pub steps: Vec<Vec<(usize, u16)>>,
    pub kind: Kind,
}

impl Path {
    /// The field, when no lookup is followed.
    pub fn own(&self) -> Option<u16> {
        match self.steps.as_slice() {
            [step] => step.first().map(|(_, at)| *at),
            _ => None,
        }
    }
}

#[derive(Debug)]
pub(super) struct Sort {
    pub path: Path,
    pub descending: bool,
    pub nulls_last: bool,
}

#[derive(Debug)]
pub(super) enum Test {
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    Compare {
        path: Path,
        sign: &'static str,
        to: Literal,
    },
    Like {
        path: Path,
        pattern: Vec<Glyph>,
    },
    /// Texts are folded unless the field holds ids.
    In {
        path: Path,
        texts: BTreeSet<String>,
        others: Vec<Literal>,
    },
    /// Any of these combinations is present.
    Includes {
        path: Path,
        any: Vec<Vec<String>>,
    },
}

/// One element of a LIKE pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Glyph {
    Char(char),
    One,
    Any,
}

struct Scope<'a> {
    org: &'a Org,
    object: usize,
    alias: Option<String>,
}

pub(super) fn bind(org: &Org, query: Query) -> Result<Bound, Refusal> {
    let object = org.schema.find(&query.object).ok_or_else(|| {
        Refusal::new(
            "INVALID_TYPE",
            format!(
                "sObject type '{}' is not supported. If you are attempting to use a custom \
                 object, be sure to append the '__c' after the entity name. Please reference \
                 your WSDL or the describe call for the appropriate names.",
                query.object
            ),
        )
    })?;
    if query.offset > MAX_OFFSET {
        let message = "Maximum SOQL offset allowed is 2000";
        return Err(Refusal::new("NUMBER_OUTSIDE_VALID_RANGE", message));
    }
    let scope = Scope {
        org,
        object,
        alias: query.alias,
    };
    let output = match query.select {
        Select::Count => None,
        Select::Fields(names) => {
            let mut output = Output::new(object);
            for name in &names {
                output.add(org, &scope.split(name))?;
            }
            Some(output)
        }
        Select::Group(group) => Some(scope.group(&group, query.limit)?),
    };
    let filter = query.filter.map(|expr| scope.test(expr)).transpose()?;
    let order: Result<Vec<Sort>, Refusal> = query
        .order
        .into_iter()
        .map(|order| scope.sort(order))
        .collect();
    Ok(Bound {
        object,
        output,
        filter,
        order: order?,
        limit: query.limit,
        offset: query.offset,
    })
}

impl Scope<'_> {
    /// The parts of a dotted name, without the alias or the object's own name in front.
    fn split(&self, name: &str) -> Vec<String> {
        let mut parts: Vec<String> = name.split('.').map(str::to_owned).collect();
        let own = &self.org.schema.objects[self.object];
        let leads = |first: &String| {
            let is_alias = self
                .alias
                .as_ref()
                .is_some_and(|a| a.eq_ignore_ascii_case(first));
            is_alias || (first.eq_ignore_ascii_case(own.name) && own.relationship(first).is_none())
        };
        if parts.len() > 1 && parts.first().is_some_and(leads) {
            parts.remove(0);
        }
        parts
    }

    fn group(&self, group: &str, limit: Option<u64>) -> Result<Output, Refusal> {
        let own = &self.org.schema.objects[self.object];
        let custom = match group.to_ascii_uppercase().as_str() {
            "ALL" => None,
            "STANDARD" => Some(false),
            "CUSTOM" => Some(true),
            _ => return Err(malformed(format!("unexpected token: '{group}'"))),
        };
        if custom != Some(false) && limit.is_none_or(|limit| limit > 200) {
            return Err(malformed(
                "The SOQL FIELDS function must have a LIMIT of at most 200",
            ));
        }
        let mut output = Output::new(self.object);
        for field in &own.fields {
            let wanted = custom.is_none_or(|custom| field.custom() == custom);
            if wanted && self.org.visible_field(self.object, field.name).is_some() {
                output.add(self.org, &[field.name.to_owned()])?;
            }
        }
        Ok(output)
    }

    fn path(&self, name: &str) -> Result<Path, Refusal> {
        let parts = self.split(name);
        if parts.len() > MAX_HOPS + 1 {
            return Err(malformed("too many relationship levels"));
        }
        let schema = &self.org.schema;
        let mut standing = vec![self.object];
        let mut steps = Vec::new();
        let mut kind = Kind::Text;
        for (at, part) in parts.iter().enumerate() {
            let last = at + 1 == parts.len();
            let mut step = Vec::new();
            let mut next = Vec::new();
            for object in standing {
                let own = &schema.objects[object];
                let field = if last {
                    own.field_at(part)
                } else {
                    own.relationship(part)
                };
                let Some(field) = field.filter(|at| self.org.is_visible(object, *at)) else {
                    continue;
                };
                step.push((object, field));
                kind = own.field(field).kind;
                next.extend(
                    own.field(field)
                        .targets
                        .iter()
                        .filter_map(|t| schema.find(t)),
                );
            }
            if step.is_empty() {
                let own = schema.objects[self.object].name;
                return Err(if last {
                    no_column(part, own)
                } else {
                    no_relationship(part, own)
                });
            }
            steps.push(step);
            standing = next;
        }
        Ok(Path { steps, kind })
    }

    fn filter_path(&self, name: &str) -> Result<Path, Refusal> {
        let path = self.path(name)?;
        if path.kind.filterable() {
            Ok(path)
        } else {
            let message = format!("field '{name}' can not be filtered in a query call");
            Err(Refusal::new("INVALID_FIELD", message))
        }
    }

    fn sort(&self, order: Order) -> Result<Sort, Refusal> {
        let path = self.path(&order.name)?;
        if !path.kind.filterable() || path.kind == Kind::MultiPicklist {
            return Err(malformed(format!(
                "field '{}' can not be sorted in a query call",
                order.name
            )));
        }
        Ok(Sort {
            path,
            descending: order.descending,
            nulls_last: order.nulls_last,
        })
    }

    fn test(&self, expr: Expr) -> Result<Test, Refusal> {
        let all = |parts: Vec<Expr>| -> Result<Vec<Test>, Refusal> {
            parts.into_iter().map(|part| self.test(part)).collect()
        };
        Ok(match expr {
            Expr::And(parts) => Test::And(all(parts)?),
            Expr::Or(parts) => Test::Or(all(parts)?),
            Expr::Not(inner) => Test::Not(Box::new(self.test(*inner)?)),
            Expr::Compare { name, sign, to } => {
                let path = self.filter_path(&name)?;
                let to = fit(&name, path.kind, to)?;
                Test::Compare { path, sign, to }
            }
            Expr::Like { name, pattern } => {
                let path = self.filter_path(&name)?;
                fit(&name, path.kind, Literal::Text(String::new()))
                    .map_err(|_| invalid_operator(&name))?;
                let pattern = glyphs(&pattern);
                Test::Like { path, pattern }
            }
            Expr::In { name, list } => self.among(&name, list)?,
            Expr::Includes { name, list } => self.includes(&name, list)?,
        })
    }

    fn among(&self, name: &str, list: Vec<Literal>) -> Result<Test, Refusal> {
        let path = self.filter_path(name)?;
        let mut texts = BTreeSet::new();
        let mut others = Vec::new();
        for literal in list {
            match fit(name, path.kind, literal)? {
                Literal::Text(text) => {
                    texts.insert(text);
                }
                other => others.push(other),
            }
        }
        Ok(Test::In {
            path,
            texts,
            others,
        })
    }

    fn includes(&self, name: &str, list: Vec<Literal>) -> Result<Test, Refusal> {
        let path = self.filter_path(name)?;
        if path.kind != Kind::MultiPicklist {
            return Err(invalid_operator(name));
        }
        let any = list
            .into_iter()
            .map(|literal| {
                let Literal::Text(text) = literal else {
                    return Err(invalid_operator(name));
                };
                let parts = text.split(';').map(|part| part.trim().to_lowercase());
                Ok(parts.collect())
            })
            .collect::<Result<_, Refusal>>()?;
        Ok(Test::Includes { path, any })
    }
}

pub(super) fn no_column(name: &str, object: &str) -> Refusal {
    Refusal::new(
        "INVALID_FIELD",
        format!(
            "No such column '{name}' on entity '{object}'. If you are attempting to use a \
             custom field, be sure to append the '__c' after the custom field name. Please \
             reference your WSDL or the describe call for the appropriate names."
        ),
    )
}

pub(super) fn no_relationship(name: &str, object: &str) -> Refusal {
    Refusal::new(
        "INVALID_FIELD",
        format!(
            "Didn't understand relationship '{name}' in field path. If you are attempting to \
             use a custom relationship, be sure to append the '__r' after the custom \
             relationship name (entity '{object}')."
        ),
    )
}

fn invalid_operator(name: &str) -> Refusal {
    let message = format!("invalid operator on field '{name}'");
    Refusal::new("INVALID_QUERY_FILTER_OPERATOR", message)
}

/// Makes the literal comparable with the field, or says which type the field wants.
fn fit(name: &str, kind: Kind, literal: Literal) -> Result<Literal, Refusal> {
    let fits = match (&literal, kind) {
        (Literal::Null, _)
        | (Literal::Bool(_), Kind::Boolean)
        | (Literal::Date(_), Kind::Date)
        | (Literal::Instant(_), Kind::DateTime) => true,
        (Literal::Number(_), kind) => kind.is_number(),
        (Literal::Text(text), Kind::Id | Kind::Reference) => {
            let id = AnyId::parse(text).ok_or_else(|| {
                let message = format!("invalid ID field: {text}");
                Refusal::new("INVALID_QUERY_FILTER_OPERATOR", message)
            })?;
            return Ok(Literal::Text(id.to_string()));
        }
        (Literal::Text(text), kind) if is_textual(kind) => {
            return Ok(if text.is_empty() {
                Literal::Null
            } else {
                Literal::Text(text.to_lowercase())
            });
        }
        (Literal::Text(_) | Literal::Bool(_) | Literal::Date(_) | Literal::Instant(_), _) => false,
    };
    if fits {
        return Ok(literal);
    }
    let quotes = if is_textual(kind) {
        "should be enclosed in quotes"
    } else {
        "should not be enclosed in quotes"
    };
    Err(Refusal::new(
        "INVALID_FIELD",
        format!(
            "value of filter criterion for field '{name}' must be of type {} and {quotes}",
            kind.wire()
        ),
    ))
}

fn is_textual(kind: Kind) -> bool {
    !kind.is_number()
        && !matches!(
            kind,
            Kind::Id | Kind::Reference | Kind::Boolean | Kind::Date | Kind::DateTime
        )
}

fn glyphs(pattern: &str) -> Vec<Glyph> {
    let mut out = Vec::new();
    let mut chars = pattern.chars().flat_map(char::to_lowercase);
    while let Some(c) = chars.next() {
        out.push(match c {
            '%' => Glyph::Any,
            '_' => Glyph::One,
            '\\' => match chars.next() {
                Some(next) => Glyph::Char(next),
                None => Glyph::Char('\\'),
            },
            other => Glyph::Char(other),
        });
    }
    out
}
