//! The object types of the simulated portal and the names a path may call them by.
//!
//! Only names live here; properties are in `catalog`, association types in `assoc_types`.

/// A closed set: four standard objects and the one custom object of the portal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ObjectKind {
    Contact,
    Company,
    Deal,
    Ticket,
    Subscription,
}

impl ObjectKind {
    pub const ALL: [Self; 5] = [
        Self::Contact,
        Self::Company,
        Self::Deal,
        Self::Ticket,
        Self::Subscription,
    ];

    pub fn plural(self) -> &'static str {
        match self {
            Self::Contact => "contacts",
            Self::Company => "companies",
            Self::Deal => "deals",
            Self::Ticket => "tickets",
            Self::Subscription => "subscriptions",
        }
    }

    pub fn singular(self) -> &'static str {
        match self {
            Self::Contact => "contact",
            Self::Company => "company",
            Self::Deal => "deal",
            Self::Ticket => "ticket",
            Self::Subscription => "subscription",
        }
    }

    /// `hubspot.md 8.4`; the custom one is this portal's own.
    pub fn type_id(self) -> &'static str {
        match self {
            Self::Contact => "0-1",
            Self::Company => "0-2",
            Self::Deal => "0-3",
            Self::Ticket => "0-5",
            Self::Subscription => "2-1234567",
        }
    }

    /// How messages of the platform shout the object.
    pub fn upper(self) -> String {
        self.singular().to_uppercase()
    }

    /// The scope a read or a write of records needs (`hubspot.md 1.8`).
    pub fn scope(self, write: bool) -> String {
        let action = if write { "write" } else { "read" };
        match self {
            Self::Ticket => "tickets".to_owned(),
            Self::Subscription => format!("crm.objects.custom.{action}"),
            Self::Contact | Self::Company | Self::Deal => {
                format!("crm.objects.{}.{action}", self.plural())
            }
        }
    }

    /// The scope a read or a write of property definitions needs.
    pub fn schema_scope(self, write: bool) -> String {
        match self {
            Self::Ticket => "tickets".to_owned(),
            Self::Contact | Self::Company | Self::Deal | Self::Subscription => {
                self.scope(write).replace("objects", "schemas")
            }
        }
    }

    /// The name of the property that carries the last modification (`hubspot.md 5.2`).
    pub fn modified_property(self) -> &'static str {
        match self {
            Self::Contact => "lastmodifieddate",
            Self::Company | Self::Deal | Self::Ticket | Self::Subscription => "hs_lastmodifieddate",
        }
    }

    pub fn created_property(self) -> &'static str {
        match self {
            Self::Contact | Self::Company | Self::Deal | Self::Ticket => "createdate",
            Self::Subscription => "hs_createdate",
        }
    }

    /// What a read returns when no property was asked for (`hubspot.md 4.2`), beside the system
    /// ones.
    pub fn default_properties(self) -> &'static [&'static str] {
        match self {
            Self::Contact => &["firstname", "lastname", "email"],
            Self::Company => &["name", "domain"],
            Self::Deal => &["dealname", "amount", "closedate", "pipeline", "dealstage"],
            Self::Ticket => &["subject", "content", "hs_pipeline", "hs_pipeline_stage"],
            Self::Subscription => &[],
        }
    }

    /// The properties that free-text search looks into.
    pub fn searchable(self) -> &'static [&'static str] {
        match self {
            Self::Contact => &["firstname", "lastname", "email", "phone", "company"],
            Self::Company => &["name", "domain", "website", "phone"],
            Self::Deal => &["dealname"],
            Self::Ticket => &["subject", "content"],
            Self::Subscription => &["subscription_name"],
        }
    }

    /// Reads the name a path or a caller uses: plural, singular, type id, and for the custom
    /// object its fully qualified name.
    pub fn from_name(name: &str, portal_id: u64) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let own = format!("p{portal_id}_subscriptions");
        if name == own || name == "p_subscriptions" {
            return Some(Self::Subscription);
        }
        Self::ALL
            .into_iter()
            .find(|k| name == k.plural() || name == k.singular() || name == k.type_id())
    }
}
