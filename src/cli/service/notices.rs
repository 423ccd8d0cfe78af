//! `tandem workspace notices`: who is told when a workspace needs a person.

use axum::http::Method;
use clap::Args;
use serde_json::{Value, json};

use crate::cli::output::{Output, table};
use crate::config::Environment;

use super::rows::{Named, cell, cells, open};

#[derive(Debug, Args)]
pub struct NoticesArgs {
    #[command(flatten)]
    named: Named,
    /// Address of an incoming webhook of Slack; `-` reads it from standard input.
    #[arg(long, value_name = "URL", conflicts_with_all = ["webhook", "off"])]
    slack: Option<String>,
    /// Any https address, to which signed requests go; `-` reads it from standard input.
    #[arg(long, value_name = "URL", conflicts_with = "off")]
    webhook: Option<String>,
    /// Tell nobody any more.
    #[arg(long)]
    off: bool,
    /// Work that is due for longer is told of.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_080))]
    backlog_minutes: Option<u32>,
}

pub async fn run(
    args: NoticesArgs,
    environment: &Environment,
    output: &Output,
) -> anyhow::Result<()> {
    let named = &args.named;
    let door = open(&named.door, environment).await?;
    let path = format!("/workspaces/{}/notices", named.workspace);
    if args.off {
        door.call(Method::DELETE, &path, None).await?;
        let object = json!({"workspace": named.workspace.as_str(), "kind": null});
        output.answer(&object, || {
            format!("{} tells nobody any more\n", named.workspace)
        });
        return Ok(());
    }
    let wanted = match (args.slack, args.webhook) {
        (Some(url), _) => Some(("slack", url)),
        (None, Some(url)) => Some(("webhook", url)),
        (None, None) => None,
    };
    let Some((kind, url)) = wanted else {
        let shown = door.call(Method::GET, &path, None).await?;
        output.answer(&shown, || text(&shown));
        return Ok(());
    };
    let url = if url == "-" {
        super::connect::secret()?
    } else {
        url
    };
    let mut body = json!({"kind": kind, "url": url});
    if let Some(minutes) = args.backlog_minutes {
        body["backlog_minutes"] = json!(minutes);
    }
    let made = door.call(Method::PUT, &path, Some(body)).await?;
    output.answer(&made, || {
        let secret = match made["secret"].as_str() {
            Some(secret) => format!("\nSecret that signs, shown this once:\n  {secret}\n"),
            None => String::new(),
        };
        format!("{}{secret}", text(&made))
    });
    Ok(())
}

fn text(shown: &Value) -> String {
    let head = format!(
        "{} at {}; work that is due for {} minutes is told of\n",
        cell(shown, "kind"),
        cell(shown, "host"),
        cell(shown, "backlog_minutes")
    );
    let rows = shown["conditions"].as_array().into_iter().flatten();
    let row = |item: &Value| {
        let on = if item["going_on"] == json!(true) {
            "goes on"
        } else {
            "over"
        };
        let mut row = vec![cell(item, "condition"), on.to_owned()];
        row.extend(cells(item, &["since", "state", "trouble"]));
        row
    };
    let rows: Vec<Vec<String>> = rows.map(row).collect();
    if rows.is_empty() {
        return head;
    }
    let headers = ["condition", "", "since", "notice", "trouble"];
    format!("{head}\n{}", table(&headers, rows))
}
