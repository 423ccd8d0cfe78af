//! The demo as a machine reads it.

use super::harness::{folder, run};

#[test]
fn the_demo_prints_one_object_with_every_figure_and_converges() {
    let here = folder();
    let arguments = [
        "demo",
        "--exit",
        "--json",
        "--records",
        "30",
        "--edits",
        "12",
    ];
    let ran = run(&Vec::new(), here.path(), &arguments);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let told = ran.json();
    for name in [
        "records",
        "edits",
        "converged",
        "mismatches",
        "conflicts",
        "holds",
        "dead_letters",
        "duplicate_creates",
        "noop_writes",
        "lost_edits",
        "writes",
        "api_calls",
        "lag_ms",
        "elapsed_ms",
        "max_rss_bytes",
    ] {
        assert!(!told[name].is_null(), "{name} in {told}");
    }
    for name in [
        "hubspot",
        "salesforce",
        "per_changed_record",
        "per_changed_record_after_first_sync",
        "idle_polls",
    ] {
        assert!(told["api_calls"][name].is_number(), "{name} in {told}");
    }
    for name in ["p50", "p99"] {
        assert!(told["lag_ms"][name].is_number(), "{name} in {told}");
    }
    assert_eq!(told["records"], 30);
    assert_eq!(told["edits"], 12);
    assert_eq!(told["converged"], true);
    for name in ["mismatches", "duplicate_creates", "lost_edits"] {
        assert_eq!(told[name], 0, "{name}");
    }
}

#[test]
fn a_demo_in_which_calls_fail_converges_all_the_same_and_counts_what_failed() {
    let here = folder();
    let plan = here.path().join("faults.yaml");
    let text = "faults:\n  - { fault: unavailable, rate: 0.2, times: 5 }\n  \
                - { fault: row-failed, times: 3 }\n";
    std::fs::write(&plan, text).unwrap();
    let plan = plan.to_string_lossy().into_owned();
    let arguments = [
        "demo",
        "--exit",
        "--json",
        "--records",
        "30",
        "--edits",
        "12",
        "--faults",
        &plan,
    ];
    let ran = run(&Vec::new(), here.path(), &arguments);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let told = ran.json();
    assert_eq!(told["converged"], true);
    assert_eq!(told["faults"]["row"], 6, "three on each side");
    assert!(told["faults"]["outage"].as_u64().unwrap() > 0, "{told}");
    assert_eq!(
        told["faults"]["value"], 0,
        "families that never struck are told too"
    );
}
