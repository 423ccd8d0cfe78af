//! `tandem schema`: the JSON Schema of mapping files, for completion in an editor.

use crate::mapping::json_schema;

use super::output::{Outcome, Output};

pub fn run(output: &Output) -> anyhow::Result<Outcome> {
    let schema = json_schema();
    let text = serde_json::to_string_pretty(&schema)?;
    output.answer(&schema, || format!("{text}\n"));
    Ok(Outcome::Done)
}
