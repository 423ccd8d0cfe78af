//! Commands: they build, connect and print, and decide nothing.

pub mod demo;
pub mod sim;
