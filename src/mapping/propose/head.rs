//! The head of a proposal: where changes may go, how records are recognised, and that nothing is
//! created or deleted before a person says so.

use super::known::{IDS, SYSTEM, plain};
use super::text::scalar;
use super::{Pair, Part, Section};
use crate::model::{BySide, Direction, FieldKind, FieldSchema, ObjectSchema, Side};

type Objects<'s> = BySide<&'s ObjectSchema>;

/// A side whose records may not be changed is only read.
pub(super) fn direction(objects: &Objects<'_>) -> Direction {
    let barred = |side: Side| objects.get(side).barred.updates.is_some();
    match (barred(Side::HubSpot), barred(Side::Salesforce)) {
        (true, false) => Direction::To(Side::Salesforce),
        (false, true) => Direction::To(Side::HubSpot),
        (false, false) | (true, true) => Direction::Both,
    }
}

pub(super) fn parts(pair: &Pair, objects: &Objects<'_>, direction: Direction) -> Vec<Part> {
    let names = &pair.objects;
    let mut head = Part::new(Section::Head, "", BySide::default())
        .line(
            format!("mapping: {}", scalar(&pair.name)),
            "the name of this mapping",
        )
        .line(
            format!("hubspot: {}", scalar(&names.hubspot)),
            "the HubSpot object",
        )
        .line(
            format!("salesforce: {}", scalar(&names.salesforce)),
            "the Salesforce object",
        );
    head = match direction {
        Direction::Both => head
            .line(
                "direction: both",
                "both sides may be changed by the connected users",
            )
            .line(
                "conflict: salesforce",
                "who wins when both sides changed one value has to be said: Salesforce is \
                 proposed, where people type what HubSpot often takes from forms. What loses is \
                 kept; `hubspot` and `ask` are the other answers",
            )
            .line(
                "first-sync: { fill-blanks: salesforce }",
                "at the first meeting blanks are filled; where both are filled, as above",
            ),
        Direction::To(to) => {
            let read = to.other().title();
            let why = format!("{} may not be changed by the connected user", read);
            head.line(format!("direction: to-{to}"), why)
        }
    };
    let matches = matches(objects);
    if matches.is_empty() {
        let why = "no two fields surely name the same record; name two, or pair by hand";
        head = head.line("match: []", why);
    }
    let mut parts = vec![head];
    parts.extend(matches);
    parts.push(
        Part::new(Section::Policy, "", BySide::default())
            .line(
                "create: never",
                "pairs come first; `both`, or a condition for each side, once they are right",
            )
            .line(
                "delete: { hubspot: unlink, salesforce: unlink }",
                "nothing is deleted; a pair is taken apart",
            ),
    );
    parts
}

fn matches(objects: &Objects<'_>) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut add = |hubspot: &str, salesforce: &str, fold: &str, why: &str| {
        let (left, right) = (scalar(hubspot), scalar(salesforce));
        let yaml = match (fold, salesforce) {
            ("", "Id") => format!("  - {{ hubspot: {left}, salesforce: {right} }}"),
            ("", _) => format!("  - {left}: {right}"),
            (fold, _) => format!("  - {{ hubspot: {left}, salesforce: {right}, as: {fold} }}"),
        };
        let fields = BySide::new(vec![hubspot.to_owned()], vec![salesforce.to_owned()]);
        parts.push(Part::new(Section::Match, "", fields).line(yaml, why));
    };
    let field = |side: Side, name: &str| objects.get(side).fields.get(name);
    let id = IDS
        .iter()
        .find(|(object, _)| *object == objects.salesforce.name);
    if let Some((_, name)) = id.filter(|(_, name)| field(Side::HubSpot, name).is_some()) {
        let why = "HubSpot's own Salesforce app keeps the id there; delete the line if you never \
                   had it";
        add(name, "Id", "", why);
    }
    let ours = |kind: fn(&FieldSchema) -> bool| named(objects, Side::HubSpot, kind);
    let theirs = |kind: fn(&FieldSchema) -> bool| named(objects, Side::Salesforce, kind);
    let is_email = |field: &FieldSchema| field.kind == FieldKind::Email;
    let mut found = false;
    if let (Some(hubspot), Some(salesforce)) = (
        first(&ours(is_email), "email"),
        first(&theirs(is_email), "Email"),
    ) {
        add(hubspot, salesforce, "", "one e-mail address is one person");
        found = true;
    }
    let host = field(Side::Salesforce, "Website").filter(|field| field.kind == FieldKind::Url);
    if host.is_some() && field(Side::HubSpot, "domain").is_some() {
        let why = "one web domain is one company; names are not, many companies share one";
        add("domain", "Website", "domain", why);
        found = true;
    }
    let theirs_unique = theirs(|field| field.unique || field.external_id);
    for hubspot in ours(|field| field.unique) {
        let other = theirs_unique
            .iter()
            .find(|name| plain(name) == plain(hubspot));
        if let Some(salesforce) = other.filter(|_| hubspot != "email") {
            add(hubspot, salesforce, "", "unique on both sides, of one name");
            found = true;
        }
    }
    if !found
        && field(Side::HubSpot, "dealname").is_some()
        && field(Side::Salesforce, "Name").is_some()
    {
        let why = "nothing names a deal better; several of one name are left to a person";
        add("dealname", "Name", "", why);
    }
    parts
}

/// The names of the fields of one kind that are no keys of the platforms' own.
fn named<'s>(objects: &Objects<'s>, side: Side, kind: fn(&FieldSchema) -> bool) -> Vec<&'s String> {
    let fields = objects.get(side).fields.values();
    let fields = fields.filter(|field| kind(field) && !SYSTEM.contains(&field.name.as_str()));
    fields.map(|field| &field.name).collect()
}

/// The name that is usual, or else the only one there is.
fn first<'s>(names: &[&'s String], usual: &str) -> Option<&'s String> {
    let found = names.iter().find(|name| name.as_str() == usual);
    found
        .or(if names.len() == 1 {
            names.first()
        } else {
            None
        })
        .copied()
}
