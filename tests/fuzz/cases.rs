//! Case files of mapping tests, and files of schemas, by authors who err.

use std::sync::OnceLock;

use tandem::app;
use tandem::cases::{Behaviour, play, read, read_schemas, rewrite};
use tandem::mapping::{SourceFile, load};
use tandem::pipeline::Site;

use crate::mapping::fit_for_people;
use crate::mutate::Shape;
use crate::run::Target;

const SCHEMAS: &str = include_str!("../../mappings/tests/schemas.json");
const SHIPPED: [&str; 4] = [
    include_str!("../../mappings/tests/companies.yaml"),
    include_str!("../../mappings/tests/contacts.yaml"),
    include_str!("../../mappings/tests/deals.yaml"),
    include_str!("../../mappings/tests/leads.yaml"),
];

#[test]
fn no_case_file_breaks_the_reader_or_the_planner() {
    Target {
        name: "cases",
        shape: Shape::Lines,
        cases: 300,
        samples: SHIPPED.map(|text| text.as_bytes().to_vec()).to_vec(),
        check,
    }
    .run();
}

#[test]
fn no_file_of_schemas_breaks_the_reader() {
    Target {
        name: "schemas",
        shape: Shape::Lines,
        cases: 300,
        samples: vec![SCHEMAS.as_bytes().to_vec()],
        check: |input| {
            let text = String::from_utf8_lossy(input);
            if let Err(refused) = read_schemas(&text) {
                let said = refused.to_string();
                if said.is_empty() || said.len() > 1_000 {
                    return Err(format!("refused with {} bytes", said.len()));
                }
            }
            Ok(())
        },
    }
    .run();
}

fn site() -> &'static Site {
    // What the store's connection needs lives as long as the site.
    static SITE: OnceLock<(Site, tokio::runtime::Runtime)> = OnceLock::new();
    let (site, _) = SITE.get_or_init(|| {
        let files = crate::mapping::SHIPPED.map(|text| SourceFile {
            path: "shipped.yaml".to_owned(),
            text: text.to_owned(),
        });
        let loaded = load(&files, &Default::default()).expect("they load");
        let schemas = read_schemas(SCHEMAS).expect("they are schemas");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let staged = runtime.block_on(app::stage(&loaded.mappings, schemas));
        (staged.unwrap_or_else(|error| panic!("{error}")), runtime)
    });
    site
}

/// Either all faults are fit for people, or every case is played, and what came of it can be
/// written into the file so that the file then expects just that.
fn check(input: &[u8]) -> Result<(), String> {
    let file = SourceFile {
        path: "cases.yaml".to_owned(),
        text: String::from_utf8_lossy(input).into_owned(),
    };
    let site = site();
    let suite = match read(&file, &site.mappings) {
        Err(faults) => return fit_for_people(&faults),
        Ok(suite) => suite,
    };
    let bound = &site.mappings[&suite.mapping];
    let found: Vec<Option<Behaviour>> = suite
        .cases
        .iter()
        .map(|case| Some(play(site, bound, case.given(bound)).behaviour))
        .collect();
    let Ok(text) = rewrite(&file.text, &suite, &found) else {
        return Ok(());
    };
    let again = SourceFile { text, ..file };
    let Ok(again) = read(&again, &site.mappings) else {
        // The command finds that out before it writes.
        return Ok(());
    };
    for (case, found) in again.cases.iter().zip(&found) {
        let expects = case.expect.as_ref().zip(found.as_ref());
        if !expects.is_some_and(|(expect, found)| expect.differences(found).is_empty()) {
            return Err(format!("`{}` was rewritten to something else", case.name));
        }
    }
    Ok(())
}
