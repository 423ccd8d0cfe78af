//! Schemas kept in a file: what `tandem test` plays its cases on.

use crate::harness::{Sim, folder};

#[test]
fn the_shipped_schemas_are_those_of_the_simulators() {
    let sim = Sim::start(&["--records", "1", "--seed", "3"]);
    let here = folder();
    let kept = here.path().join("schemas.json");
    let path = kept.to_str().expect("UTF-8");
    let ran = sim.tandem(here.path(), &["check", "--live", "--keep", path]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let kept = std::fs::read_to_string(kept).expect("the file is there");
    let shipped = include_str!("../../mappings/tests/schemas.json");
    let differs = kept
        .lines()
        .zip(shipped.lines())
        .find(|(one, other)| one != other);
    // Made with: tandem sim --records 1 --seed 3, tandem check --live --keep FILE.
    assert_eq!(differs, None);
    assert_eq!(kept.len(), shipped.len());
}
