//! The service and its commands: `init`, `serve`, `workspace`, `connect`, `keys`.
//!
//! All of them but `init` and `serve` are calls of the API: over the network with `--server`, or
//! straight into its router when the store is at hand. There is one way to do each thing.

mod build;
mod commands;
mod door;
mod init;
mod serve;

pub use commands::{ConnectCommand, KeysCommand, WorkspaceCommand, connect, keys, workspace};
pub use init::{InitArgs, run as init};
pub use serve::{ServeArgs, run as serve};
