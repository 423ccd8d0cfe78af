//! The keys of the language, once: the readers refuse what is not here and the editor schema is
//! made from it, so the two cannot disagree about a name.
//!
//! Names, help texts and shapes only.

/// One key, with the help an editor shows.
pub(super) struct Key {
    pub name: &'static str,
    pub about: &'static str,
    pub shape: Is,
}

/// What may stand behind a key. `Def` names a definition in `schema`.
pub(super) enum Is {
    Text,
    YesNo,
    Choice(&'static [&'static str]),
    Def(&'static str),
}

const fn key(name: &'static str, about: &'static str, shape: Is) -> Key {
    Key { name, about, shape }
}

pub(super) const DIRECTIONS: &[&str] = &["both", "to-salesforce", "to-hubspot"];
pub(super) const ON_LEAVE: &[&str] = &["keep", "unlink", "archive"];
pub(super) const DELETES: &[&str] = &["unlink", "ignore", "archive"];
pub(super) const BLANKS: &[&str] = &["travels", "keep"];
pub(super) const FOLDS: &[&str] = &["text", "exact", "email", "domain", "phone", "id"];
pub(super) const WINNERS: &[&str] = &["hubspot", "salesforce", "ask"];

pub(super) const MAPPING: &[Key] = &[
    key(
        "mapping",
        "The name of this mapping, unique in the folder.",
        Is::Text,
    ),
    key(
        "extends",
        "Another mapping whose keys apply where this file has none.",
        Is::Text,
    ),
    key(
        "hubspot",
        "HubSpot object type, or p_name of a custom object.",
        Is::Text,
    ),
    key("salesforce", "Salesforce object API name.", Is::Text),
    key(
        "direction",
        "Where changes may travel.",
        Is::Choice(DIRECTIONS),
    ),
    key(
        "conflict",
        "Who wins when both sides changed.",
        Is::Def("conflict"),
    ),
    key(
        "first-sync",
        "Who wins when two records meet for the first time.",
        Is::Def("first-sync"),
    ),
    key(
        "match",
        "Fields that name the same record, in order of trust.",
        Is::Def("match"),
    ),
    key(
        "create",
        "Whether missing records are created, by side.",
        Is::Def("create"),
    ),
    key(
        "delete",
        "What happens to a side when the other's record goes.",
        Is::Def("delete"),
    ),
    key("only", "Which records take part.", Is::Def("only")),
    key(
        "on-leave",
        "What becomes of a link that leaves `only`.",
        Is::Choice(ON_LEAVE),
    ),
    key(
        "group",
        "Mappings that share a name share their HubSpot records.",
        Is::Text,
    ),
    key(
        "poll",
        "auto, a time such as 60s, or a cron text with a time zone.",
        Is::Text,
    ),
    key(
        "key",
        "The field that marks records made by the sync, by side.",
        Is::Def("text-by-side"),
    ),
    key(
        "create-without-key",
        "`accept` creates without a key field.",
        Is::Choice(&["accept"]),
    ),
    key(
        "guard",
        "How much may change in a day before a person is asked.",
        Is::Def("guard"),
    ),
    key(
        "rules",
        "HubSpot property to Salesforce field.",
        Is::Def("rules"),
    ),
    key(
        "associations",
        "References to records of other mappings.",
        Is::Def("associations"),
    ),
    key(
        "computed",
        "Fields whose value is an expression.",
        Is::Def("computed"),
    ),
];

pub(super) const RULE: &[Key] = &[
    key("to", "The Salesforce field.", Is::Text),
    key(
        "hubspot",
        "Several HubSpot properties that are one value.",
        Is::Def("names"),
    ),
    key(
        "salesforce",
        "Several Salesforce fields that are one value.",
        Is::Def("names"),
    ),
    key(
        "as",
        "A named conversion, e.g. phone(country ?? \"DE\").",
        Is::Text,
    ),
    key(
        "values",
        "HubSpot value to Salesforce value.",
        Is::Def("values"),
    ),
    key(
        "otherwise",
        "For values without a counterpart: hold, drop or a text.",
        Is::Def("otherwise"),
    ),
    key(
        "default",
        "Written where a value is needed and there is none.",
        Is::Text,
    ),
    key(
        "table",
        "Rows of values that belong together.",
        Is::Def("table"),
    ),
    key("owner", "How owners are matched.", Is::Def("owner")),
    key(
        "direction",
        "Where this rule may travel.",
        Is::Choice(DIRECTIONS),
    ),
    key(
        "conflict",
        "Who wins when both sides changed.",
        Is::Def("conflict"),
    ),
    key(
        "first-sync",
        "Who wins at the first meeting.",
        Is::Def("first-sync"),
    ),
    key(
        "ratchet",
        "HubSpot values in order; the furthest wins, never back.",
        Is::Def("texts"),
    ),
    key(
        "write",
        "`once`: only while the destination is blank.",
        Is::Choice(&["once"]),
    ),
    key(
        "blank",
        "Whether an emptied field empties the other.",
        Is::Choice(BLANKS),
    ),
    key(
        "enforce",
        "One-way rules: write over changes at the destination.",
        Is::YesNo,
    ),
    key(
        "tolerance",
        "Changes on save that count as agreement.",
        Is::Def("tolerance"),
    ),
];

pub(super) const ASSOCIATION: &[Key] = &[
    key("hubspot", "The HubSpot object type it leads to.", Is::Text),
    key("label", "`primary`, or a label of the portal.", Is::Text),
    key(
        "salesforce",
        "The lookup field, or the object that ties both together.",
        Is::Text,
    ),
    key(
        "role",
        "The role of the rows that tie both together.",
        Is::Text,
    ),
    key(
        "mapping",
        "The mapping that links the records it leads to.",
        Is::Text,
    ),
    key(
        "required",
        "The record waits until its parent is linked.",
        Is::YesNo,
    ),
    key(
        "direction",
        "Where this reference may travel.",
        Is::Choice(DIRECTIONS),
    ),
    key(
        "conflict",
        "Who wins when both sides changed.",
        Is::Def("conflict"),
    ),
    key(
        "first-sync",
        "Who wins at the first meeting.",
        Is::Def("first-sync"),
    ),
    key(
        "write",
        "`once`: only while the destination is blank.",
        Is::Choice(&["once"]),
    ),
    key(
        "blank",
        "Whether an emptied reference empties the other.",
        Is::Choice(BLANKS),
    ),
    key(
        "enforce",
        "One-way: write over changes at the destination.",
        Is::YesNo,
    ),
];

pub(super) const COMPUTED: &[Key] = &[
    key("to", "salesforce.Field or hubspot.property.", Is::Text),
    key(
        "value",
        "An expression over the other side's fields.",
        Is::Text,
    ),
    key(
        "write",
        "`once`: only while the destination is blank.",
        Is::Choice(&["once"]),
    ),
    key(
        "blank",
        "Whether a blank result empties the field.",
        Is::Choice(BLANKS),
    ),
    key(
        "enforce",
        "Write over changes at the destination.",
        Is::YesNo,
    ),
    key(
        "tolerance",
        "Changes on save that count as agreement.",
        Is::Def("tolerance"),
    ),
];

pub(super) const MATCH: &[Key] = &[
    key("hubspot", "A HubSpot property; it needs no rule.", Is::Text),
    key(
        "salesforce",
        "A Salesforce field; it needs no rule.",
        Is::Text,
    ),
    key("as", "How the two are made comparable.", Is::Choice(FOLDS)),
];

pub(super) const VALUE: &[Key] = &[
    key("to", "The Salesforce value.", Is::Text),
    key(
        "direction",
        "The way this pair is used.",
        Is::Choice(DIRECTIONS),
    ),
];

pub(super) const OWNER: &[Key] = &[
    key(
        "chain",
        "table, email, keep or an e-mail; the first that fits decides.",
        Is::Def("texts"),
    ),
    key(
        "table",
        "HubSpot owner to Salesforce user, by e-mail, id or name.",
        Is::Def("text-map"),
    ),
];

pub(super) const GUARD: &[Key] = &[
    key(
        "writes",
        "`strict`: no write over an edit that was not seen, for more calls.",
        Is::Choice(&["strict"]),
    ),
    key(
        "deletes",
        "Records deleted within 24 hours.",
        Is::Def("limit"),
    ),
    key(
        "unlinks",
        "Pairs taken apart within 24 hours.",
        Is::Def("limit"),
    ),
    key(
        "blanks",
        "Records with values emptied within 24 hours.",
        Is::Def("limit"),
    ),
    key(
        "changes",
        "Records changed by an edited mapping or by merges within 24 hours.",
        Is::Def("limit"),
    ),
];

pub(super) const SIDES: &[Key] = &[
    key("hubspot", "On HubSpot.", Is::Text),
    key("salesforce", "On Salesforce.", Is::Text),
];
