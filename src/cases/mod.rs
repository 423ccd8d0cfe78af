//! Mapping tests: cases that say what becomes of a record, laws that every rule must keep, and how
//! two revisions of a mapping differ.
//!
//! Pure: texts, schemas and mappings go in, findings come out. The planning is the engine's own
//! (`sync::single`); nothing here decides, reads a file, asks a CRM or writes anything.

mod behaviour;
mod compare;
mod laws;
mod play;
mod read;
mod rewrite;
mod schemas;
mod values;

pub use behaviour::{Behaviour, Difference};
pub use compare::{Compared, Moved, Recorded, compare};
pub use laws::{Changed, Laws, Sent, laws};
pub use play::{Came, play};
pub use read::{Case, Suite, read};
pub use rewrite::rewrite;
pub use schemas::{NotSchemas, keep_schemas, read_object_names, read_schemas};
