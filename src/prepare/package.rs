//! The Salesforce metadata package: the key fields that are missing, and a permission set of
//! exactly the mapped fields.
//!
//! For whom `--yes` is not enough: an administrator deploys the archive, by a command or by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{Cursor, Write as _};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::wanted::{Wanted, grants, wanted};
use super::{Grant, KEY_DESCRIPTION, KEY_LABEL, PERMISSION_SET, SET_DESCRIPTION, Seen};
use crate::mapping::Mapping;
use crate::model::Side;

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
const SPACE: &str = "xmlns=\"http://soap.sforce.com/2006/04/metadata\"";

/// Whoever may read these has to be able to read accounts as well.
const NEEDS_ACCOUNTS: [&str; 2] = ["Contact", "Opportunity"];

/// Files by their path in the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    pub files: Vec<(String, String)>,
}

/// `api` is the version of the platform that the package is written for, such as `67.0`.
pub fn package(mappings: &[Mapping], seen: &Seen, api: &str) -> Package {
    let wanted = wanted(mappings, Side::Salesforce);
    let fields = new_fields(&wanted, seen);
    let set = permission_set(&wanted, &grants(mappings, seen));
    let mut files = vec![("package.xml".to_owned(), manifest(&fields, api))];
    for (object, names) in &fields {
        files.push((format!("objects/{object}.object"), object_file(names)));
    }
    let path = format!("permissionsets/{PERMISSION_SET}.permissionset");
    files.push((path, set));
    Package { files }
}

impl Package {
    /// # Errors
    /// None is known; the archive is written into memory.
    pub fn to_zip(&self) -> std::io::Result<Vec<u8>> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored)
            .unix_permissions(0o644);
        for (path, text) in &self.files {
            zip.start_file(path.as_str(), options)?;
            zip.write_all(text.as_bytes())?;
        }
        Ok(zip.finish()?.into_inner())
    }

    /// What the administrator does with it.
    pub fn steps(file: &str) -> Vec<String> {
        vec![
            format!(
                "sf project deploy start --metadata-dir {file} --single-package --target-org ORG"
            ),
            format!(
                "sf org assign permset --name {PERMISSION_SET} --target-org ORG --on-behalf-of USER"
            ),
            format!(
                "or without the command line, in the org: Setup > Permission Sets > \
                 {PERMISSION_SET} > Manage Assignments > Add Assignment: the user that Tandem \
                 connects as"
            ),
            "tandem prepare    shows whether all is there".to_owned(),
        ]
    }
}

/// Key fields that nobody sees yet, by object. Only custom fields can be made.
fn new_fields(
    wanted: &BTreeMap<String, Wanted>,
    seen: &Seen,
) -> BTreeMap<String, BTreeSet<String>> {
    let mut fields: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (object, wanted) in wanted {
        let schemas = seen.schemas.as_ref();
        let known = schemas.and_then(|schemas| schemas.objects.salesforce.get(object));
        let there = |name: &String| known.is_some_and(|known| known.fields.contains_key(name));
        for key in &wanted.keys {
            if key.ends_with("__c") && !there(key) {
                fields
                    .entry(object.clone())
                    .or_default()
                    .insert(key.clone());
            }
        }
    }
    fields
}

fn manifest(fields: &BTreeMap<String, BTreeSet<String>>, api: &str) -> String {
    let mut xml = Xml::open("Package");
    let members: Vec<String> = fields
        .iter()
        .flat_map(|(object, names)| names.iter().map(move |name| format!("{object}.{name}")))
        .collect();
    let sets = vec![PERMISSION_SET.to_owned()];
    for (kind, members) in [("CustomField", members), ("PermissionSet", sets)] {
        if members.is_empty() {
            continue;
        }
        xml.block("types", |xml| {
            for member in &members {
                xml.leaf("members", member);
            }
            xml.leaf("name", kind);
        });
    }
    xml.leaf("version", api);
    xml.close("Package")
}

fn object_file(names: &BTreeSet<String>) -> String {
    let mut xml = Xml::open("CustomObject");
    for name in names {
        xml.block("fields", |xml| {
            xml.leaf("fullName", name);
            xml.leaf("caseSensitive", "false");
            xml.leaf("description", KEY_DESCRIPTION);
            xml.leaf("externalId", "true");
            xml.leaf("label", KEY_LABEL);
            xml.leaf("length", "255");
            xml.leaf("required", "false");
            xml.leaf("type", "Text");
            xml.leaf("unique", "true");
        });
    }
    xml.close("CustomObject")
}

fn permission_set(wanted: &BTreeMap<String, Wanted>, grants: &[Grant]) -> String {
    let yes = |flag: bool| if flag { "true" } else { "false" };
    let mut xml = Xml::open("PermissionSet");
    xml.leaf("description", SET_DESCRIPTION);
    for grant in grants {
        xml.block("fieldPermissions", |xml| {
            xml.leaf("editable", yes(grant.edit));
            xml.leaf("field", &format!("{}.{}", grant.object, grant.field));
            xml.leaf("readable", "true");
        });
    }
    xml.leaf("hasActivationRequired", "false");
    xml.leaf("label", PERMISSION_SET);
    let mut objects = wanted.clone();
    if NEEDS_ACCOUNTS.iter().any(|name| wanted.contains_key(*name)) {
        objects.entry("Account".to_owned()).or_default();
    }
    for (name, wanted) in &objects {
        xml.block("objectPermissions", |xml| {
            xml.leaf("allowCreate", yes(wanted.creates));
            xml.leaf("allowDelete", yes(wanted.deletes));
            // Whoever may create or delete has to be able to edit.
            let edit = wanted.updates || wanted.creates || wanted.deletes;
            xml.leaf("allowEdit", yes(edit));
            xml.leaf("allowRead", "true");
            xml.leaf("modifyAllRecords", "false");
            xml.leaf("object", name);
            xml.leaf("viewAllRecords", "false");
        });
    }
    xml.close("PermissionSet")
}

/// XML with an element a line, indented as the platform's own tools do.
struct Xml {
    text: String,
    depth: usize,
}

impl Xml {
    fn open(root: &str) -> Self {
        Self {
            text: format!("{HEAD}<{root} {SPACE}>\n"),
            depth: 1,
        }
    }

    fn close(mut self, root: &str) -> String {
        self.text.push_str(&format!("</{root}>\n"));
        self.text
    }

    fn block(&mut self, name: &str, inside: impl FnOnce(&mut Self)) {
        self.line(&format!("<{name}>"));
        self.depth += 1;
        inside(self);
        self.depth -= 1;
        self.line(&format!("</{name}>"));
    }

    fn leaf(&mut self, name: &str, value: &str) {
        self.line(&format!("<{name}>{}</{name}>", escaped(value)));
    }

    fn line(&mut self, line: &str) {
        let indent = 4 * self.depth;
        // Writing into a text cannot fail.
        writeln!(self.text, "{:indent$}{line}", "").ok();
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
