//! The service and its commands: `init`, `serve`, `workspace`, `connect`, `keys`.
//!
//! All of them but `init` and `serve` are calls of the API: over the network with `--server`, or
//! straight into its router when the store is at hand. There is one way to do each thing.

mod build;
mod connect;
mod door;
mod init;
mod keys;
mod rows;
mod serve;
mod workspace;

pub(super) use build::{Built, build_at, settings};
pub use connect::{ConnectCommand, connect};
pub(super) use door::Door;
pub(super) use init::write;
pub use init::{InitArgs, run as init};
pub use keys::{KeysCommand, keys};
pub(super) use serve::watch;
pub use serve::{ServeArgs, run as serve};
pub use workspace::{WorkspaceCommand, workspace};
