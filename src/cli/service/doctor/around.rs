//! What stands around a service: its key, its address, its apps, clocks, mapping files.

use http::Method;
use url::{Host, Url};

use super::Check;
use crate::app::MappingFiles;
use crate::clock::Clock;
use crate::config::{AppKeys, KeySource, Service};
use crate::crm::{Request, Transport};
use crate::model::{Side, Timestamp};
use crate::vault::Keyring;

use super::super::build;

/// HubSpot's signatures are refused when they are five minutes old.
const OFF_MILLIS: i64 = 120_000;
const OFF_MILLIS_WARN: i64 = 10_000;

pub fn keys(settings: &Service) -> Check {
    let (read, place) = match &settings.keys {
        KeySource::File(path) => (Keyring::read(path), path.display().to_string()),
        KeySource::Text(text) => (
            Keyring::parse(text, "vault.keys"),
            "TANDEM_VAULT_KEYS".to_owned(),
        ),
    };
    match read {
        Ok(_) => Check::ok("key", format!("{place} can be read, and not by others")),
        Err(fault) => {
            let todo = "give back the key that this store was made with; `tandem init` makes the \
                        first one";
            Check::failed("key", fault.to_string(), todo)
        }
    }
}

pub fn public_url(settings: &Service) -> Check {
    let url = &settings.public_url;
    let name = "public_url";
    let todo = "set server.public_url to the https address that browsers and both CRMs call";
    if url.scheme() != "https" {
        return Check::warning(name, format!("{url} is not https: for tests only"), todo);
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        let said = format!("{url} has a path: callbacks and webhooks begin behind it");
        return Check::warning(
            name,
            said,
            "leave the path out unless a proxy takes it away",
        );
    }
    match url.host() {
        Some(Host::Domain(host)) if host.contains('.') && host != "localhost" => {
            Check::ok(name, url.as_str())
        }
        _ => Check::failed(
            name,
            format!("{url} is no name that HubSpot can call"),
            todo,
        ),
    }
}

pub fn apps(settings: &Service) -> Vec<Check> {
    let of = |side: Side, app: &Option<AppKeys>| {
        let name = format!("{side} app");
        match app {
            Some(_) => Check::ok(name, "id and secret are set"),
            None => Check::warning(
                name,
                "no app is configured; only static credentials can be used",
                format!("set {side}.client_id and {side}.client_secret (docs/deploy.md)"),
            ),
        }
    };
    vec![
        of(Side::HubSpot, &settings.hubspot),
        of(Side::Salesforce, &settings.salesforce),
    ]
}

/// This machine's clock beside those of both CRMs, which are reached by that too.
pub async fn clocks(settings: &Service) -> Vec<Check> {
    let transport = match Transport::network() {
        Ok(transport) => transport,
        Err(error) => {
            let todo = "see that the certificates of the system can be read";
            return vec![Check::failed("network", error.to_string(), todo)];
        }
    };
    let mut checks = Vec::new();
    for (side, url) in [
        (Side::HubSpot, &settings.hubspot_url),
        (Side::Salesforce, &settings.salesforce_login_url),
    ] {
        checks.push(clock(&transport, side, url).await);
    }
    checks
}

async fn clock(transport: &Transport, side: Side, url: &Url) -> Check {
    let name = format!("{side} clock");
    let asked = transport
        .send(Request::new(Method::GET, url.clone(), false))
        .await;
    match asked {
        Ok(reply) => match reply.server_time() {
            Some(theirs) => beside(name, theirs, Clock::System.now()),
            None => Check::warning(
                name,
                format!("{url} answers, but tells no time"),
                format!(
                    "see that nothing stands between this machine and {}",
                    side.title()
                ),
            ),
        },
        Err(error) => {
            let host = url.host_str().unwrap_or_default();
            let todo = format!("let this machine call https://{host}");
            Check::failed(name, format!("{url}: {}", error.message), todo)
        }
    }
}

/// How two clocks differ; the other one tells whole seconds, and some time has passed on the way.
pub fn beside(name: String, theirs: Timestamp, ours: Timestamp) -> Check {
    let off = ours.millis_since(theirs);
    let said = if off.abs() <= OFF_MILLIS_WARN {
        "this machine's clock agrees".to_owned()
    } else {
        format!("this machine's clock is {} seconds off", off.abs() / 1_000)
    };
    let todo = "have the clock set by the network (NTP)";
    if off.abs() > OFF_MILLIS {
        Check::failed(name, said, todo)
    } else if off.abs() > OFF_MILLIS_WARN {
        Check::warning(name, said, todo)
    } else {
        Check::ok(name, said)
    }
}

/// Whether the files can be read; whether they load is a matter of each workspace's variables.
pub fn mappings(settings: &Service) -> (Option<MappingFiles>, Check) {
    let place = match &settings.mappings {
        Some(folder) => folder.display().to_string(),
        None => "the shipped ones".to_owned(),
    };
    match build::mapping_files(settings) {
        Ok(files) => {
            let own = files.own.len();
            let said = format!(
                "{place}: {} files, {own} workspaces with own ones",
                files.shared.len()
            );
            (Some(files), Check::ok("mappings", said))
        }
        Err(error) => {
            let todo = "`tandem check` lists every fault";
            (
                None,
                Check::failed("mappings", format!("{place}: {error}"), todo),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::service::doctor::State;

    #[test]
    fn a_clock_that_is_off_by_minutes_fails() {
        let at = Timestamp::from_millis;
        let state = |off: i64| beside("x".to_owned(), at(1_000_000), at(1_000_000 + off)).state;
        assert_eq!(state(-900), State::Ok);
        assert_eq!(state(11_000), State::Warning);
        assert_eq!(state(-121_000), State::Failed);
    }
}
