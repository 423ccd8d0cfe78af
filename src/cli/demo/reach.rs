//! How the served workspaces of a demo are reached: addresses, a key, commands to copy.

use secrecy::ExposeSecret;
use serde_json::{Value as Json, json};

use super::served::{Customer, Served};

pub struct Reach {
    /// Of the API, without a slash at its end.
    pub url: String,
    /// Opens every workspace of this demo, and ends with it.
    pub key: String,
    pub workspaces: Vec<Place>,
}

/// One workspace, and the addresses of its two CRMs.
pub struct Place {
    pub id: String,
    pub hubspot: String,
    pub salesforce: String,
}

impl Reach {
    pub fn of(served: &Served, customers: [Customer<'_>; 2]) -> Self {
        let place = |customer: Customer<'_>| Place {
            id: customer.ws.as_str().to_owned(),
            hubspot: customer.simulators.hubspot_url.clone(),
            salesforce: customer.simulators.salesforce_url.clone(),
        };
        Self {
            url: served.url.clone(),
            key: served.key.expose_secret().to_owned(),
            workspaces: customers.map(place).into(),
        }
    }

    pub fn json(&self) -> Json {
        let place = |one: &Place| {
            let Place {
                id,
                hubspot,
                salesforce,
            } = one;
            json!({"id": id, "hubspot_url": hubspot, "salesforce_url": salesforce})
        };
        let workspaces: Vec<Json> = self.workspaces.iter().map(place).collect();
        json!({
            "url": self.url,
            "docs_url": format!("{}/docs", self.url),
            "key": self.key,
            "workspaces": workspaces,
        })
    }

    /// Lines to copy: how a workspace stands, how it is connected, and why a value is as it is.
    pub fn commands(&self, explained: Option<(&str, &str)>) -> Vec<String> {
        let Self { url, key, .. } = self;
        let id = |place: Option<&Place>| place.map_or_else(String::new, |one| one.id.clone());
        let first = id(self.workspaces.first());
        let last = id(self.workspaces.last());
        let curl = "curl -H \"Authorization: Bearer $TANDEM_KEY\"";
        let mut lines = vec![
            format!("export TANDEM_KEY={key}"),
            format!("{curl} {url}/v1/workspaces/{last}/status"),
            format!("tandem workspace show {last} --server {url}"),
        ];
        if let Some((id, field)) = explained {
            let query = format!("object=contacts&id={id}&field={field}");
            let path = format!("{url}/v1/workspaces/{first}/explain?{query}");
            lines.push(format!("{curl} \\\n    '{path}'"));
        }
        lines
    }
}
