//! The program: hands over to `cli`, which parses, runs and prints.

use std::process::ExitCode;

fn main() -> ExitCode {
    tandem::cli::main()
}
