//! Puts a mapping together: a rule for every two fields that go together, and what is left.

use super::fields::{Free, Match, writable};
use super::head;
use super::known::{ADDRESS, ADDRESSES};
use super::options::{Lists, compare, options};
use super::text::{quoted, scalar};
use super::{Draft, LeftOut, Pair, Part, Section, one_side};
use crate::model::{BySide, Direction, FieldKind, FieldSchema, PickOption, Schemas, Side};

/// Values without a counterpart that are named; the others are counted.
const NAMED: usize = 20;
/// The longest text of a HubSpot property is longer than any of Salesforce's.
const WORTH_SAYING: u32 = 32_000;

pub(super) fn draft(pair: &Pair, all: &[Pair], schemas: &Schemas) -> Option<Draft> {
    let object = |side: Side| schemas.objects.get(side).get(pair.objects.get(side));
    let objects = BySide::new(object(Side::HubSpot)?, object(Side::Salesforce)?);
    let direction = head::direction(&objects);
    let mut draft = Draft {
        pair: pair.clone(),
        parts: head::parts(pair, &objects, direction),
        left_out: Vec::new(),
    };
    let mut free = Free::new(objects);
    let head = draft.parts.len();
    owner(&mut draft, &mut free);
    address(&mut draft, &mut free);
    money(&mut draft, &mut free);
    super::stage::put(&mut draft, &mut free, objects.hubspot);
    associations(&mut draft, &mut free, all);
    // They come last in the file, but take their fields first.
    let several = draft.parts.split_off(head);
    for found in free.matches() {
        let names = found.fields.map(|field| vec![field.name.clone()]);
        for side in Side::BOTH {
            free.place(side, &[&found.fields.get(side).name]);
        }
        match rule(&found, direction) {
            Ok(part) => draft.parts.push(part),
            Err(why) => draft.left_out.push(LeftOut { fields: names, why }),
        }
    }
    draft.parts.extend(several);
    rest(&mut draft, &free);
    draft.parts.sort_by_key(|part| part.section);
    Some(draft)
}

/// What is known of a rule while it is being put together.
struct Rule {
    /// The keys of the long form, behind `to`.
    keys: Vec<String>,
    why: Vec<String>,
}

fn rule(found: &Match<'_>, all: Direction) -> Result<Part, String> {
    let fields = found.fields;
    let way = way(&fields, all)?;
    let mut rule = Rule {
        keys: Vec::new(),
        why: vec![found.why.to_owned()],
    };
    if way != all
        && let Direction::To(to) = way
    {
        let from = to.other().title();
        rule.keys.push(format!("direction: to-{to}"));
        rule.why.push(format!("{from} alone writes it"));
    }
    let lists = options(&fields.hubspot.kind).zip(options(&fields.salesforce.kind));
    if let Some((ours, theirs)) = lists {
        match compare(&ours, &theirs) {
            Lists::Apart => return Err("the two lists have no value in common".to_owned()),
            Lists::Same => stages(&fields, &ours, way, &mut rule),
            Lists::Partly { pairs, without } => {
                needed(&fields, way, &mut rule);
                return Ok(table(&fields, &rule, &pairs, &without));
            }
        }
    }
    types(&fields, way, &mut rule);
    needed(&fields, way, &mut rule);
    let (name, to) = (
        scalar(&fields.hubspot.name),
        scalar(&fields.salesforce.name),
    );
    let yaml = match rule.keys.as_slice() {
        [] => format!("  {name}: {to}"),
        keys => format!("  {name}: {{ to: {to}, {} }}", keys.join(", ")),
    };
    Ok(part(&fields).line(yaml, rule.why.join("; ")))
}

fn part(fields: &BySide<&FieldSchema>) -> Part {
    let names = fields.map(|field| vec![field.name.clone()]);
    Part::new(Section::Rules, &fields.hubspot.name, names)
}

/// Where the two may go, given what may be written.
fn way(fields: &BySide<&FieldSchema>, all: Direction) -> Result<Direction, String> {
    let may = |to: Side| writable(fields.get(to)) && all.allows(to);
    match (may(Side::HubSpot), may(Side::Salesforce)) {
        (true, true) => Ok(Direction::Both),
        (true, false) => Ok(Direction::To(Side::HubSpot)),
        (false, true) => Ok(Direction::To(Side::Salesforce)),
        (false, false) => Err("neither side may be written".to_owned()),
    }
}

/// A lifecycle only goes forward in HubSpot, so it can only go forward here.
fn stages(fields: &BySide<&FieldSchema>, options: &[&PickOption], way: Direction, rule: &mut Rule) {
    if fields.hubspot.name == "lifecyclestage" && way == Direction::Both {
        let steps = options.iter().filter(|option| option.value != "other");
        let steps: Vec<String> = steps.map(|option| scalar(&option.value)).collect();
        rule.keys.push(format!("ratchet: [{}]", steps.join(", ")));
        rule.why
            .push("a stage never goes back in HubSpot".to_owned());
    }
}

/// What the types of the two ask for.
fn types(fields: &BySide<&FieldSchema>, way: Direction, rule: &mut Rule) {
    let (hubspot, salesforce) = (&fields.hubspot.kind, &fields.salesforce.kind);
    let to_salesforce = way.allows(Side::Salesforce);
    match (hubspot, salesforce) {
        (FieldKind::Date, FieldKind::DateTime) | (FieldKind::DateTime, FieldKind::Date) => {
            rule.keys.push("as: 'date(\"UTC\")'".to_owned());
            let why = "a day and a moment: name the time zone your people work in";
            rule.why.push(why.to_owned());
        }
        (_, FieldKind::Url) if fields.hubspot.name == "domain" => {
            rule.keys.push("as: domain".to_owned());
            rule.why.push("compared by the bare host".to_owned());
        }
        (FieldKind::Number { scale: None } | FieldKind::Money { scale: None }, to)
            if to_salesforce =>
        {
            if let Some(digits) = digits(to) {
                rule.keys.push(format!("tolerance: round({digits})"));
                rule.why.push(format!("Salesforce keeps {digits} decimals"));
            }
        }
        (FieldKind::Phone, FieldKind::Phone) => {
            let why = "`as: 'phone(\"DE\")'` where numbers lack their country";
            rule.why.push(why.to_owned());
        }
        (
            _,
            FieldKind::Text {
                length: Some(length),
            },
        ) if to_salesforce && *length < WORTH_SAYING => {
            rule.why
                .push(format!("over {length} characters would wait"));
        }
        _ => {}
    }
}

fn digits(kind: &FieldKind) -> Option<u32> {
    match kind {
        FieldKind::Integer => Some(0),
        FieldKind::Number { scale } | FieldKind::Money { scale } => *scale,
        _ => None,
    }
}

/// A field that Salesforce insists on never takes a blank.
fn needed(fields: &BySide<&FieldSchema>, way: Direction, rule: &mut Rule) {
    let insists = fields.salesforce.required && !fields.hubspot.required;
    if !insists || !way.allows(Side::Salesforce) {
        return;
    }
    if matches!(fields.salesforce.kind, FieldKind::Text { .. }) {
        rule.keys.push("default: \"(unknown)\"".to_owned());
        rule.why.push("Salesforce insists on one".to_owned());
    } else {
        rule.keys.push("blank: keep".to_owned());
        rule.why.push("Salesforce insists on one".to_owned());
    }
}

fn table(
    fields: &BySide<&FieldSchema>,
    rule: &Rule,
    pairs: &[(PickOption, PickOption)],
    without: &BySide<Vec<String>>,
) -> Part {
    let (name, to) = (
        scalar(&fields.hubspot.name),
        scalar(&fields.salesforce.name),
    );
    let mut part = part(fields)
        .line(format!("  {name}:"), rule.why.join("; "))
        .line(format!("    to: {to}"), "");
    for key in &rule.keys {
        part = part.line(format!("    {key}"), "");
    }
    part = part.line("    values:", "HubSpot's value left, Salesforce's right");
    for (hubspot, salesforce) in pairs {
        let (left, right) = (scalar(&hubspot.value), scalar(&salesforce.value));
        let why = format!("both are called {}", quoted(&salesforce.label));
        part = part.line(format!("      {left}: {right}"), why);
    }
    let lone = |side: Side| {
        let all = without.get(side);
        let named = all.iter().take(NAMED).map(|value| quoted(value));
        let mut named: Vec<String> = named.collect();
        if all.len() > NAMED {
            named.push(format!("and {} more", all.len() - NAMED));
        }
        (!all.is_empty()).then(|| format!("{} {}", side.title(), named.join(", ")))
    };
    let lone: Vec<String> = Side::BOTH.into_iter().filter_map(lone).collect();
    if !lone.is_empty() {
        let why = "without a counterpart, such a value waits until a line names it";
        part = part.line("", format!("{why}: {}", lone.join("; ")));
    }
    part
}

fn owner(draft: &mut Draft, free: &mut Free<'_>) {
    let (hubspot, salesforce) = ("hubspot_owner_id", "OwnerId");
    let is_owner = |side: Side, name: &str| {
        let field = free.get(side, name);
        field.is_some_and(|field| field.kind == FieldKind::Owner && writable(field))
    };
    if is_owner(Side::HubSpot, hubspot) && is_owner(Side::Salesforce, salesforce) {
        let why = "one e-mail address is one person; strangers leave the owner there as it is";
        let chain = "owner: { chain: [table, email, keep], table: {} }";
        put(
            draft,
            free,
            (hubspot, &[hubspot], &[salesforce]),
            &[(
                &format!("  {hubspot}: {{ to: {salesforce}, {chain} }}"),
                why,
            )],
        );
    }
}

fn address(draft: &mut Draft, free: &mut Free<'_>) {
    let theirs = ADDRESSES.iter().find(|of| free.all(Side::Salesforce, *of));
    if let Some(theirs) = theirs.filter(|_| free.all(Side::HubSpot, &ADDRESS)) {
        let lines = [
            (
                "  address:".to_owned(),
                "an address moves as a whole, never half of each",
            ),
            (format!("    hubspot: [{}]", ADDRESS.join(", ")), ""),
            (format!("    salesforce: [{}]", theirs.join(", ")), ""),
        ];
        let lines: Vec<(&str, &str)> = lines
            .iter()
            .map(|(yaml, why)| (yaml.as_str(), *why))
            .collect();
        put(draft, free, ("address", &ADDRESS, theirs), &lines);
    }
}

fn money(draft: &mut Draft, free: &mut Free<'_>) {
    let ours = ["amount", "deal_currency_code"];
    let theirs = ["Amount", "CurrencyIsoCode"];
    let many = free.all(Side::Salesforce, &theirs);
    let theirs = if many { &theirs[..] } else { &theirs[..1] };
    if free.all(Side::HubSpot, &ours) && free.all(Side::Salesforce, theirs) {
        let (left, right) = (ours.join(", "), theirs.join(", "));
        let yaml = format!("  amount: {{ hubspot: [{left}], salesforce: [{right}], as: money }}");
        let why = "an amount never travels without its currency";
        put(draft, free, ("amount", &ours, theirs), &[(&yaml, why)]);
    }
}

/// Adds a rule for these fields, which are placed then.
pub(super) fn put(
    draft: &mut Draft,
    free: &mut Free<'_>,
    (name, hubspot, salesforce): (&str, &[&str], &[&str]),
    lines: &[(&str, &str)],
) {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let fields = BySide::new(owned(hubspot), owned(salesforce));
    let mut part = Part::new(Section::Rules, name, fields);
    for (yaml, why) in lines {
        part = part.line(*yaml, *why);
    }
    free.place(Side::HubSpot, hubspot);
    free.place(Side::Salesforce, salesforce);
    draft.parts.push(part);
}

/// The company of a person or deal, where companies are proposed along with it.
fn associations(draft: &mut Draft, free: &mut Free<'_>, all: &[Pair]) {
    let Some(field) = free.get(Side::Salesforce, "AccountId") else {
        return;
    };
    if !matches!(&field.kind, FieldKind::Reference { to } if to.iter().any(|to| to == "Account")) {
        return;
    }
    let firms = |pair: &&Pair| {
        pair.objects.hubspot == "companies"
            && pair.objects.salesforce == "Account"
            && pair.objects.salesforce != draft.pair.objects.salesforce
    };
    free.place(Side::Salesforce, &["AccountId"]);
    let fields = one_side(Side::Salesforce, vec!["AccountId".to_owned()]);
    match all.iter().find(firms) {
        Some(firms) => {
            let yaml = format!(
                "  - {{ hubspot: companies, label: primary, salesforce: AccountId, mapping: {} }}",
                scalar(&firms.name)
            );
            let why = "the primary company is the account";
            let part = Part::new(Section::Associations, "companies/primary", fields);
            draft.parts.push(part.line(yaml, why));
        }
        None => draft.left_out.push(LeftOut {
            fields,
            why: "leads to an account; propose companies along with it, or see `associations:`"
                .to_owned(),
        }),
    }
}

fn rest(draft: &mut Draft, free: &Free<'_>) {
    for side in Side::BOTH {
        let open: Vec<String> = free.open(side).map(|field| field.name.clone()).collect();
        let kept = free.kept(side);
        let other = side.other().title();
        let reasons = [
            (
                open,
                format!("no field of the same name or label in {other}"),
            ),
            (
                kept,
                "ids, references, and what the platform keeps itself".to_owned(),
            ),
        ];
        for (fields, why) in reasons {
            if !fields.is_empty() {
                let fields = one_side(side, fields);
                draft.left_out.push(LeftOut { fields, why });
            }
        }
    }
}
