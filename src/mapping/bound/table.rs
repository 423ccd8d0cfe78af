//! Tables: several fields that are one value, looked up row by row.

use super::super::rule::{Rule, Table, Unmatched};
use super::slot::Plan;
use super::{Bound, problem};
use crate::model::{HoldReason, Problem, Side, Value};

impl Bound {
    pub(super) fn carry_row(
        &self,
        rule: &Rule,
        table: &Table,
        plan: &Plan,
        from: Side,
        value: &Value,
    ) -> Result<Value, Problem> {
        let to = from.other();
        let cells = if *value == Value::Null {
            vec![Value::Null; plan.slots.get(from).len()]
        } else {
            value.parts().to_vec()
        };
        let row = plan
            .rows
            .iter()
            .find(|row| row.direction.allows(to) && *row.cells.get(from) == cells);
        if let Some(row) = row {
            return Ok(joined(row.cells.get(to).clone()));
        }
        let width = plan.slots.get(to).len();
        if cells.iter().all(Value::is_blank) {
            return Ok(joined(vec![Value::Null; width]));
        }
        match table.otherwise.get(to) {
            Unmatched::Hold => {
                let detail = format!(
                    "`{value}` stands in no row of rule `{}` towards {}; add a row or set \
                     otherwise:",
                    rule.name,
                    to.title()
                );
                Err(problem(HoldReason::Unmapped, detail))
            }
            Unmatched::Drop => Ok(joined(vec![Value::Null; width])),
            Unmatched::Literal(texts) => {
                let cell = |index: usize| texts.get(index).map_or(Value::Null, Value::text);
                Ok(joined((0..width).map(cell).collect()))
            }
        }
    }
}

/// A single field is its own value; several are kept together.
fn joined(mut cells: Vec<Value>) -> Value {
    if cells.len() == 1 {
        cells.remove(0)
    } else {
        Value::Several(cells)
    }
}
