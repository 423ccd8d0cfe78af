//! Mapping files and the values they carry, as a user of the files sees them.

#[path = "mapping/bad_input.rs"]
mod bad_input;
#[path = "mapping/cases.rs"]
mod cases;
#[path = "mapping/lacks.rs"]
mod lacks;
#[path = "mapping/laws.rs"]
mod laws;
#[path = "mapping/owners.rs"]
mod owners;
#[path = "mapping/records.rs"]
mod records;
#[path = "mapping/roles.rs"]
mod roles;
#[path = "mapping/schema.rs"]
mod schema;
#[path = "mapping/schemas.rs"]
mod schemas;
#[path = "mapping/shipped.rs"]
mod shipped;
