//! The words of the domain as types.
//!
//! Imports nothing of ours and does no I/O. A type belongs here when at least two floors of the
//! house speak of it; the JSON of a CRM or the rows of the store do not.

mod choice;
mod ids;
mod junction;
mod link;
mod owners;
mod planned;
mod policy;
mod problem;
mod record;
mod run;
mod schema;
mod side;
mod tenant;
mod time;
mod value;
mod work;

pub use choice::Choice;
pub use ids::{
    ApprovalId, ConflictId, DeadLetterId, IntentId, JournalId, LinkId, MappingName, RecordId,
    Revision, RunId, WorkspaceId,
};
pub use junction::{JUNCTIONS, Junction, RoleRead, Ties};
pub use link::{
    Bases, Halves, Hold, HoldReason, IntendedRule, Intent, IntentKind, Link, LinkState,
};
pub use owners::{OwnerPair, OwnerTable, OwnerTableFault};
pub use planned::{PlannedWrite, Undoes};
pub use policy::{Blank, Conflict, Direction, FirstSync, Policy, Tolerance};
pub use problem::Problem;
pub use record::{AssociationRead, Presence, Record, RecordKey, association_field};
pub use run::{RunEnd, RunOutcome};
pub use schema::{
    Barred, FieldKind, FieldSchema, ObjectSchema, Owner, PickOption, Pipeline, RecordType, Schemas,
};
pub use side::{BySide, Side};
pub use tenant::{ConnectionState, KeyKind, Pauses, Role, Workspace, WorkspaceMode};
pub use time::Timestamp;
pub use value::{Fields, Raw, Value};
pub use work::{Cause, ChangeEvent, Class, ErrorClass, Failure, PAUSED, Task, Verdict};
