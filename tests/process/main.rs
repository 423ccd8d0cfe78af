//! The built program against running simulators, from outside: processes, environment, exit codes.
//!
//! Every test has simulators and a store of its own. What the two CRMs hold is read through the
//! simulators' test control and never through the program under test.

#[cfg(target_os = "linux")]
mod crowd;
mod demo;
mod doctor;
mod explain;
mod faults;
mod harness;
mod interrupts;
mod logs;
mod matches;
mod observing;
mod otlp;
mod people;
mod planned;
mod plans;
#[path = "../support/postgres.rs"]
mod postgres;
mod prepare;
mod runs;
mod schemas;
mod served;
mod served_looks;
mod service_plans;
mod serving;
mod staying;
