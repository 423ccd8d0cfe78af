//! The SOAP of an outbound message and of its acknowledgement: `salesforce.md 7.1` and `7.2`.
//!
//! Text only; which records are told of, and when, is decided in `outbound`.

use std::fmt::Write as _;

use serde_json::Value;

use super::id;
use super::org::Org;
use super::outbound::Notice;
use super::save::values_in;
use super::schema::Kind;

const NEWEST: &str = "68.0";

/// One message about `notices`, with the values their records have now.
pub(super) fn write(
    org: &Org,
    action: &str,
    instance_url: &str,
    notices: &[Notice],
    fields: &[u16],
) -> String {
    let org_id = escape(&org.org_id);
    let short = &org.org_id[..15];
    let soap = |kind: char| {
        escape(&format!(
            "{instance_url}/services/Soap/{kind}/{NEWEST}/{short}"
        ))
    };
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\n \
         <soapenv:Body>\n  <notifications xmlns=\"http://soap.sforce.com/2005/09/outbound\">\n   \
         <OrganizationId>{org_id}</OrganizationId>\n   <ActionId>{action}</ActionId>\n   \
         <SessionId xsi:nil=\"true\"/>\n   <EnterpriseUrl>{}</EnterpriseUrl>\n   \
         <PartnerUrl>{}</PartnerUrl>\n",
        soap('c'),
        soap('u')
    );
    for notice in notices {
        notification(org, *notice, fields, &mut text);
    }
    text.push_str("  </notifications>\n </soapenv:Body>\n</soapenv:Envelope>");
    text
}

fn notification(org: &Org, notice: Notice, fields: &[u16], text: &mut String) {
    let own = &org.schema.objects[notice.object];
    let Some(row) = org.tables[notice.object].live(notice.number) else {
        return;
    };
    let id = id::make("04l", notice.notification);
    let values = values_in(org, notice.object, row, fields.iter().copied());
    // Writing to a string cannot fail.
    write!(
        text,
        "   <Notification>\n    <Id>{id}</Id>\n    <sObject xsi:type=\"sf:{}\" \
         xmlns:sf=\"urn:sobject.enterprise.soap.sforce.com\">\n     <sf:Id>{}</sf:Id>\n",
        own.name,
        org.id_of(notice.object, notice.number)
    )
    .ok();
    for (name, value) in values.iter().filter(|(name, _)| *name != "Id") {
        let kind = own.field_at(name).map(|at| own.field(at).kind);
        if let Some(shown) = plain(value, kind) {
            writeln!(text, "     <sf:{name}>{}</sf:{name}>", escape(&shown)).ok();
        }
    }
    text.push_str("    </sObject>\n   </Notification>\n");
}

fn plain(value: &Value, kind: Option<Kind>) -> Option<String> {
    match value {
        Value::Null | Value::Array(_) | Value::Object(_) => None,
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::String(text) if kind == Some(Kind::DateTime) => Some(text.replace("+0000", "Z")),
        Value::String(text) => Some(text.clone()),
    }
}

/// Escaped for XML; characters that XML cannot hold are left out.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' => out.push(c),
            '\r' => out.push_str("&#xD;"),
            '\u{fffe}' | '\u{ffff}' => {}
            _ if c.is_control() => {}
            _ => out.push(c),
        }
    }
    out
}

/// Whether an answer holds `<Ack>true</Ack>`, under whatever prefix.
pub(super) fn acknowledges(body: &str) -> bool {
    for (at, _) in body.match_indices('<') {
        let Some((tag, after)) = body[at + 1..].split_once('>') else {
            break;
        };
        let name = tag.split_whitespace().next().unwrap_or_default();
        let local = name.rsplit(':').next().unwrap_or_default();
        if local == "Ack" && !tag.starts_with('/') {
            let text = after.split('<').next().unwrap_or_default().trim();
            return text == "true" || text == "1";
        }
    }
    false
}
