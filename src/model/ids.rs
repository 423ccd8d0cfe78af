//! A type of its own for every identifier, so that none lands where another belongs.
//!
//! Identifiers are text: prefix and UUIDv7 for ours, the platform's own text for records.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(
            Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// What every identifier of this kind begins with; empty for names people choose.
            pub const PREFIX: &'static str = $prefix;

            /// Joins the prefix to the text of a new UUID.
            pub fn from_uuid(uuid: &str) -> Self {
                Self(format!("{}{uuid}", Self::PREFIX))
            }

            /// Takes the text as it was stored or typed.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// One customer in one environment, such as `acme/production`.
    WorkspaceId, ""
);
id!(
    /// The name of a mapping, unique in its workspace.
    MappingName, ""
);
id!(
    /// A record in its CRM, in that platform's own text. Salesforce ids have 18 characters.
    RecordId, ""
);
id!(
    /// The text hash of one revision of a mapping file.
    Revision, "rev_"
);
id!(LinkId, "lnk_");
id!(IntentId, "int_");
id!(RunId, "run_");
id!(JournalId, "jrn_");
id!(ConflictId, "cfl_");
id!(DeadLetterId, "dl_");
id!(ApprovalId, "apr_");
