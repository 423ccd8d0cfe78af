//! The service and its commands: `init`, `serve`, `doctor`, `workspace`, `connect`, `keys`,
//! `mappings`.
//!
//! All of them but `init`, `serve` and `doctor` are calls of the API: over the network with
//! `--server`, or straight into its router when the store is at hand. There is one way to do each
//! thing.

mod build;
mod connect;
mod doctor;
mod door;
mod init;
mod keys;
mod mappings;
mod notices;
mod owners;
mod plan;
mod rows;
mod serve;
mod workspace;

pub(super) use build::{Built, build_at, settings};
pub use connect::{ConnectCommand, connect};
pub use doctor::{DoctorArgs, run as doctor};
pub(super) use door::Door;
pub use door::DoorArgs;
pub(super) use init::write;
pub use init::{InitArgs, run as init};
pub use keys::{KeysCommand, keys};
pub use mappings::{MappingsCommand, mappings};
pub(super) use plan::{applied, ended, taken_in};
pub use rows::{id, open, segment};
pub(super) use serve::watch;
pub use serve::{ServeArgs, run as serve};
pub use workspace::{WorkspaceCommand, workspace};
