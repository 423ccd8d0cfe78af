//! Expressions of mapping files: rhai in expression-only mode under tight limits.
//!
//! Knows only names and dynamic values; how a CRM's field becomes one lives in `bound`. Nothing
//! an expression says can loop, sleep, reach outside or grow without bound.

use std::sync::{Arc, OnceLock};

use rhai::packages::{ArithmeticPackage, BasicStringPackage, LogicPackage, Package};
use rhai::{AST, Array, Dynamic, Engine, ImmutableString, ParseErrorType, Scope};

use super::fault::At;

const MAX_TEXT: usize = 4_096;
const MAX_NAMES: usize = 64;

/// A compiled expression over the fields of one record.
#[derive(Clone, Debug)]
pub struct Expression {
    pub text: String,
    /// The fields it reads, sorted.
    pub variables: Vec<String>,
    pub(super) at: At,
    program: Arc<AST>,
}

impl Expression {
    /// Compiles; the error says what is wrong and where inside the expression.
    pub(super) fn compile(text: &str, at: At) -> Result<Self, String> {
        if text.len() > MAX_TEXT {
            return Err("an expression may have 4,096 characters".to_owned());
        }
        let mut variables: Vec<String> = Vec::new();
        loop {
            let mut scope = Scope::new();
            for name in &variables {
                scope.push_dynamic(name.clone(), Dynamic::UNIT);
            }
            let error = match engine().compile_expression_with_scope(&scope, text) {
                Ok(program) => {
                    variables.sort();
                    let program = Arc::new(program);
                    return Ok(Self {
                        text: text.to_owned(),
                        variables,
                        at,
                        program,
                    });
                }
                Err(error) => error,
            };
            // Each undefined name is a field; whether the CRM has it is checked against its schema.
            match error.err_type() {
                ParseErrorType::VariableUndefined(name)
                    if variables.len() < MAX_NAMES && !variables.contains(name) =>
                {
                    variables.push(name.clone());
                }
                _ => return Err(format!("the expression is not valid: {error}")),
            }
        }
    }

    /// Evaluates with `field` giving each variable's value.
    pub(super) fn evaluate(&self, field: impl Fn(&str) -> Dynamic) -> Result<Dynamic, String> {
        let mut scope = Scope::new();
        for name in &self.variables {
            scope.push_dynamic(name.clone(), field(name));
        }
        engine()
            .eval_ast_with_scope::<Dynamic>(&mut scope, &self.program)
            .map_err(|error| error.to_string())
    }

    /// Evaluates a condition; anything but true or false is an error.
    pub(super) fn holds(&self, field: impl Fn(&str) -> Dynamic) -> Result<bool, String> {
        let result = self.evaluate(field)?;
        let kind = result.type_name();
        result
            .as_bool()
            .map_err(|_| format!("expected true or false, the result is {kind}"))
    }
}

/// One engine for all; it holds no state between evaluations.
fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let mut engine = Engine::new_raw();
        ArithmeticPackage::new().register_into_engine(&mut engine);
        LogicPackage::new().register_into_engine(&mut engine);
        BasicStringPackage::new().register_into_engine(&mut engine);
        engine.set_strict_variables(true);
        engine.set_fail_on_invalid_map_property(true);
        engine.set_max_operations(5_000);
        engine.set_max_string_size(65_536);
        engine.set_max_array_size(1_000);
        engine.set_max_map_size(1_000);
        engine.set_max_expr_depths(32);
        for symbol in ["eval", "print", "debug"] {
            engine.disable_symbol(symbol);
        }
        catalogue(&mut engine);
        engine
    })
}

/// The functions that mapping files may call; each is pure.
fn catalogue(engine: &mut Engine) {
    type Text = ImmutableString;
    engine.register_fn("upper", |text: Text| text.to_uppercase());
    engine.register_fn("lower", |text: Text| text.to_lowercase());
    engine.register_fn("trim", |text: Text| text.trim().to_owned());
    engine.register_fn("title", |text: Text| title(&text));
    engine.register_fn("len", |text: Text| {
        i64::try_from(text.chars().count()).unwrap_or(i64::MAX)
    });
    engine.register_fn("len", |list: Array| {
        i64::try_from(list.len()).unwrap_or(i64::MAX)
    });
    engine.register_fn("starts_with", |text: Text, part: Text| {
        text.starts_with(part.as_str())
    });
    engine.register_fn("ends_with", |text: Text, part: Text| {
        text.ends_with(part.as_str())
    });
    engine.register_fn("contains", |text: Text, part: Text| {
        text.contains(part.as_str())
    });
    engine.register_fn("contains", |list: &mut Array, item: Dynamic| {
        list.iter().any(|entry| same(entry, &item))
    });
    engine.register_fn("replace", |text: Text, from: Text, to: Text| {
        replace(&text, &from, &to)
    });
    engine.register_fn("round", |number: rust_decimal::Decimal, digits: i64| {
        number.round_dp(u32::try_from(digits.clamp(0, 28)).unwrap_or(28))
    });
}

/// Equality of the plain values that fields hold.
fn same(left: &Dynamic, right: &Dynamic) -> bool {
    if left.is_unit() || right.is_unit() {
        return left.is_unit() && right.is_unit();
    }
    if let (Ok(left), Ok(right)) = (
        left.as_immutable_string_ref(),
        right.as_immutable_string_ref(),
    ) {
        return *left == *right;
    }
    if let (Ok(left), Ok(right)) = (left.as_bool(), right.as_bool()) {
        return left == right;
    }
    match (number(left), number(right)) {
        (Some(left), Some(right)) => left == right,
        _ => false,
    }
}

fn number(value: &Dynamic) -> Option<rust_decimal::Decimal> {
    value
        .as_decimal()
        .ok()
        .or_else(|| value.as_int().ok().map(Into::into))
}

fn title(text: &str) -> String {
    let mut begins = true;
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if begins {
            out.extend(letter.to_uppercase());
        } else {
            out.extend(letter.to_lowercase());
        }
        begins = !letter.is_alphanumeric();
    }
    out
}

/// Replaces, but never grows past what a field can hold.
fn replace(text: &str, from: &str, to: &str) -> String {
    if from.is_empty() || text.len().saturating_mul(to.len().max(1)) > (1 << 20) {
        return text.to_owned();
    }
    text.replace(from, to)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compile(text: &str) -> Result<Expression, String> {
        let at = At {
            file: "t".into(),
            line: 1,
            column: 1,
        };
        Expression::compile(text, at)
    }

    fn run(text: &str, field: impl Fn(&str) -> Dynamic) -> String {
        match compile(text).unwrap().evaluate(field) {
            Ok(value) => value.to_string(),
            Err(error) => error,
        }
    }

    #[test]
    fn fields_are_found_and_blanks_are_units() {
        let text = r#"lifecyclestage in ["opportunity", "customer"] && email != ()"#;
        let expression = compile(text).unwrap();
        assert_eq!(expression.variables, ["email", "lifecyclestage"]);
        let customer = |name: &str| {
            if name == "email" {
                "a@b.c".into()
            } else {
                "customer".into()
            }
        };
        assert_eq!(expression.holds(customer), Ok(true));
        assert_eq!(expression.holds(|_| Dynamic::UNIT), Ok(false));
    }

    #[test]
    fn text_is_put_together_and_numbers_stay_exact() {
        let names = |name: &str| {
            if name == "a" {
                "Ann".into()
            } else {
                Dynamic::UNIT
            }
        };
        assert_eq!(run("`${a} ${b}`", names), "Ann ");
        assert_eq!(run(r#"b ?? "DE""#, names), "DE");
        let amount = |_: &str| Dynamic::from_decimal("1250.5".parse().unwrap());
        assert_eq!(run("amount * 1.2", amount), "1500.60");
        assert_eq!(run("amount > 1000", amount), "true");
        assert_eq!(
            run("title(lower(x))", |_| "ANNA-LENA vON".into()),
            "Anna-Lena Von"
        );
    }

    #[test]
    fn hostile_texts_are_refused() {
        for text in [
            "while true {}",
            "let x = 1",
            "|x| x",
            "eval(\"1\")",
            "fn f() {}",
            "((((",
        ] {
            assert!(compile(text).is_err(), "{text}");
        }
        let deep = format!("{}1{}", "(".repeat(200), ")".repeat(200));
        assert!(compile(&deep).is_err());
        let long = (0..10_000).map(|_| "1+").collect::<String>() + "1";
        assert!(compile(&long).is_err());
    }
}
