//! Every statement of the product, as named constants, one file per group of tables.
//!
//! Nothing runs here. A statement is one text for both databases except for how a JSON argument
//! becomes rows; `rows("$n": column TYPE, ...)` writes that part and calls the rows `r`.

pub(super) mod copy;
pub(super) mod explain;
pub(super) mod inbox;
pub(super) mod jobs;
pub(super) mod lanes;
pub(super) mod links;
pub(super) mod mappings;
pub(super) mod notices;
pub(super) mod records;
pub(super) mod review;
pub(super) mod service;
pub(super) mod setup;
pub(super) mod shadow;

use super::db::Dialected;

/// Writes one statement in both dialects.
macro_rules! dialected {
    ($name:expr, $text:literal) => {
        $crate::store::db::Dialected { name: $name, sqlite: $text, postgres: $text }
    };
    ($name:expr, sqlite $sqlite:expr, postgres $postgres:expr) => {
        $crate::store::db::Dialected { name: $name, sqlite: $sqlite, postgres: $postgres }
    };
    (
        $name:expr,
        $before:literal,
        rows($param:literal: $($column:ident $type:ident),+ $(,)?),
        $after:expr
    ) => {
        $crate::store::db::Dialected {
            name: $name,
            sqlite: concat!(
                $before, " (SELECT ",
                $("value->>'", stringify!($column), "' AS ", stringify!($column), ", ",)+
                "1 AS one FROM json_each(", $param, ")) AS r ", $after
            ),
            postgres: concat!(
                $before, " json_to_recordset(CAST(CAST(", $param, " AS TEXT) AS json)) AS r(",
                $(stringify!($column), " ", stringify!($type), ", ",)+
                "one BIGINT) ", $after
            ),
        }
    };
}

/// Declares statements and lists them for the test that prepares each.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = [$($part:tt)+];)+) => {
        $(
            $(#[$doc])*
            pub(in crate::store) const $name: $crate::store::db::Dialected =
                $crate::store::sql::dialected!(stringify!($name), $($part)+);
        )+
        pub(in crate::store) const ALL: &[$crate::store::db::Dialected] = &[$($name),+];
    };
}

use dialected;
use statements;

/// Every statement there is.
pub(super) fn all() -> impl Iterator<Item = &'static Dialected> {
    [
        copy::ALL,
        explain::ALL,
        inbox::ALL,
        jobs::ALL,
        lanes::ALL,
        links::ALL,
        mappings::ALL,
        notices::ALL,
        records::ALL,
        review::ALL,
        service::ALL,
        setup::ALL,
        shadow::ALL,
    ]
    .into_iter()
    .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a PostgreSQL-wire distributed database could not follow, or only one of the two reads.
    const BANNED: [&str; 9] = [
        "now()",
        "nextval",
        "advisory",
        "greatest(",
        "least(",
        "ilike",
        "unnest",
        "any(",
        "::",
    ];

    #[test]
    fn every_statement_stays_inside_one_workspace_and_the_common_language() {
        for statement in all() {
            for text in [statement.sqlite, statement.postgres] {
                let lower = text.to_lowercase();
                let found = BANNED.iter().find(|word| lower.contains(**word));
                assert_eq!(found, None, "{}", statement.name);
            }
            let scoped = statement.sqlite.contains("workspace_id");
            assert!(
                scoped || setup::GLOBAL.contains(&statement.name),
                "{}",
                statement.name
            );
        }
    }

    #[test]
    fn the_planner_is_told_about_every_index() {
        for schema in [
            include_str!("../../../migrations/0001_core.sql"),
            include_str!("../../../migrations/0002_explain.sql"),
            include_str!("../../../migrations/0005_review.sql"),
            include_str!("../../../migrations/0006_mappings.sql"),
            include_str!("../../../migrations/0009_jobs.sql"),
            include_str!("../../../migrations/0011_runs.sql"),
        ] {
            let words: Vec<&str> = schema.split_whitespace().collect();
            let named = words.windows(2).filter(|pair| pair[0] == "INDEX");
            for index in named.map(|pair| pair[1]) {
                let told = setup::STATS_PUT.sqlite.contains(&format!("'{index}'"));
                assert!(told, "STATS_PUT does not name {index}");
            }
        }
    }

    #[test]
    fn no_two_statements_share_a_name() {
        let mut names: Vec<&str> = all().map(|statement| statement.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
