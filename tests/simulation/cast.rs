//! What a schedule is played with: a handful of small mappings, a few fields, a few values.

use std::sync::LazyLock;

use tandem::model::BySide;

/// How the values of one rule are compared and invented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    /// Text that one side stores in capitals; only letter case differs.
    Shouted,
    Email,
    Phone,
    /// Elements joined by `;`, with other names on the other side.
    Set,
    /// Where the source wins and the destination is left alone otherwise.
    OneWay,
}

pub struct Rule {
    pub name: &'static str,
    pub fields: BySide<&'static str>,
    pub kind: Kind,
}

/// One mapping's objects.
pub struct Pair {
    pub mapping: &'static str,
    pub objects: BySide<&'static str>,
    pub rules: Vec<Rule>,
}

/// What becomes of the other record when one is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletes {
    Unlink,
    Archive,
}

pub struct Cast {
    pub name: &'static str,
    pub mappings: Vec<String>,
    pub pairs: Vec<Pair>,
    pub deletes: Deletes,
    /// The most records of one side that may be deleted in a day without a person.
    pub guard: u64,
    /// Which sides records are created on.
    pub creates: BySide<bool>,
    /// Contacts belong to companies.
    pub references: bool,
    /// Salesforce stores titles in capitals.
    pub shouts: bool,
    /// Titles that leave the filter.
    pub filter: bool,
}

impl Cast {
    pub fn pair(&self, mapping: &str) -> &Pair {
        let found = self.pairs.iter().find(|pair| pair.mapping == mapping);
        found.expect("a mapping of the cast")
    }
}

/// Whether two values of one rule are the same to a user.
pub fn same(kind: Kind, hubspot: &str, salesforce: &str) -> bool {
    match kind {
        Kind::Text | Kind::Phone | Kind::OneWay => {
            let named = |text: &str| match text.trim() {
                "(unknown)" => String::new(),
                text => text.to_owned(),
            };
            named(hubspot) == named(salesforce)
        }
        Kind::Email | Kind::Shouted => {
            hubspot.trim().to_lowercase() == salesforce.trim().to_lowercase()
        }
        Kind::Set => elements(hubspot) == elements(salesforce),
    }
}

/// A set in HubSpot's words.
fn elements(text: &str) -> Vec<&str> {
    let parts = text.split(';').filter(|part| !part.is_empty());
    let mut parts: Vec<&str> = parts
        .map(|part| {
            SET.iter()
                .find(|(_, there)| *there == part)
                .map_or(part, |(here, _)| here)
        })
        .collect();
    parts.sort_unstable();
    parts.dedup();
    parts
}

pub const SET: [(&str, &str); 3] = [
    ("analytics", "Research"),
    ("automation", "Product"),
    ("training", "Webinars"),
];

const fn rule(
    name: &'static str,
    hubspot: &'static str,
    salesforce: &'static str,
    kind: Kind,
) -> Rule {
    let fields = BySide {
        hubspot,
        salesforce,
    };
    Rule { name, fields, kind }
}

fn people(more: Vec<Rule>) -> Pair {
    let mut rules = vec![
        rule("email", "email", "Email", Kind::Email),
        rule("lastname", "lastname", "LastName", Kind::Text),
        rule("jobtitle", "jobtitle", "Title", Kind::Text),
        rule("phone", "phone", "Phone", Kind::Phone),
    ];
    for one in more {
        rules.retain(|rule| rule.name != one.name);
        rules.push(one);
    }
    Pair {
        mapping: "contacts",
        objects: BySide::new("contacts", "Contact"),
        rules,
    }
}

const HEAD: &str = "mapping: contacts\nhubspot: contacts\nsalesforce: Contact\n\
                    match:\n  - email: Email\n";
const RULES: &str = "rules:\n  email: Email\n  \
                     lastname: { to: LastName, default: \"(unknown)\" }\n  phone: Phone\n";

/// A mapping of contacts: settings, then rules beyond the usual ones.
fn contacts(settings: &str, rules: &str) -> String {
    format!("{HEAD}{settings}\n{RULES}{rules}\n")
}

fn cast(name: &'static str, mapping: String) -> Cast {
    Cast {
        name,
        mappings: vec![mapping],
        pairs: vec![people(Vec::new())],
        deletes: Deletes::Unlink,
        guard: u64::MAX,
        creates: BySide::new(true, true),
        references: false,
        shouts: false,
        filter: false,
    }
}

const FIRMS: &str = "mapping: companies\nhubspot: companies\nsalesforce: Account\n\
                     conflict: salesforce\nmatch:\n  - domain: Website\ncreate: both\n\
                     rules:\n  name: Name\n  domain: { to: Website, as: domain }\n";

fn firms() -> Pair {
    Pair {
        mapping: "companies",
        objects: BySide::new("companies", "Account"),
        rules: vec![rule("name", "name", "Name", Kind::Text)],
    }
}

const TITLE: &str = "  jobtitle: Title";

fn deleting() -> Cast {
    let settings = "conflict: salesforce\nfirst-sync: { fill-blanks: salesforce }\ncreate: both\n\
                    delete: { hubspot: archive, salesforce: archive }\nguard: { deletes: 2 }";
    Cast {
        deletes: Deletes::Archive,
        guard: 2,
        ..cast("deleting", contacts(settings, TITLE))
    }
}

fn union() -> Cast {
    let settings = "conflict: hubspot\nfirst-sync: { fill-blanks: salesforce }\ncreate: both";
    let rules = "  jobtitle: Title\n  interests: { to: Interests__c, conflict: union, \
                 values: { analytics: Research, automation: Product, training: Webinars } }";
    Cast {
        pairs: vec![people(vec![rule(
            "interests",
            "interests",
            "Interests__c",
            Kind::Set,
        )])],
        ..cast("union", contacts(settings, rules))
    }
}

fn referring() -> Cast {
    let settings = "conflict: salesforce\nfirst-sync: { fill-blanks: salesforce }\ncreate: both";
    let rules = "  jobtitle: Title\nassociations:\n  - { hubspot: companies, label: primary, \
                 salesforce: AccountId, mapping: companies, required: no }";
    Cast {
        mappings: vec![FIRMS.to_owned(), contacts(settings, rules)],
        pairs: vec![people(Vec::new()), firms()],
        references: true,
        ..cast("references", String::new())
    }
}

fn shouting() -> Cast {
    let settings = "conflict: hubspot\nfirst-sync: { fill-blanks: hubspot }\ncreate: both";
    let rules = "  jobtitle: { to: Title, tolerance: case }";
    Cast {
        pairs: vec![people(vec![rule(
            "jobtitle",
            "jobtitle",
            "Title",
            Kind::Shouted,
        )])],
        shouts: true,
        ..cast("normalising", contacts(settings, rules))
    }
}

fn one_way() -> Cast {
    let settings = "conflict: salesforce\nfirst-sync: salesforce\n\
                    create: { salesforce: always, hubspot: never }";
    let rules = "  jobtitle: { to: Title, direction: to-salesforce }";
    Cast {
        pairs: vec![people(vec![rule(
            "jobtitle",
            "jobtitle",
            "Title",
            Kind::OneWay,
        )])],
        creates: BySide::new(false, true),
        ..cast("one-way", contacts(settings, rules))
    }
}

fn filtered() -> Cast {
    let settings = "conflict: salesforce\nfirst-sync: { fill-blanks: salesforce }\ncreate: both\n\
                    only: { hubspot: 'jobtitle != \"out\"' }\non-leave: keep";
    Cast {
        filter: true,
        ..cast("filtered", contacts(settings, TITLE))
    }
}

/// Every cast; a seed picks one.
pub static CASTS: LazyLock<Vec<Cast>> = LazyLock::new(|| {
    let fill = "first-sync: { fill-blanks: salesforce }\ncreate: both";
    vec![
        cast(
            "salesforce-wins",
            contacts(&format!("conflict: salesforce\n{fill}"), TITLE),
        ),
        cast(
            "hubspot-wins",
            contacts(
                "conflict: hubspot\nfirst-sync: hubspot\ncreate: both",
                TITLE,
            ),
        ),
        cast(
            "ask",
            contacts("conflict: ask\nfirst-sync: ask\ncreate: both", TITLE),
        ),
        cast(
            "newest",
            contacts(
                "conflict: { newest: salesforce }\nfirst-sync: { newest: hubspot }\ncreate: both",
                TITLE,
            ),
        ),
        union(),
        deleting(),
        referring(),
        shouting(),
        one_way(),
        filtered(),
    ]
});
