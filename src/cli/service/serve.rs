//! `tandem serve`: the workers and the HTTP server, until told to stop.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::api::{self, Bounds};
use crate::cli::output::{Advice, Outcome, Output};
use crate::cli::sim::told_to_stop;
use crate::config::Environment;

use super::build::{self, Built, mapping_files};

/// From one look at the mapping files to the next.
const LOOK_EVERY: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The settings; `tandem init` makes one.
    #[arg(long, value_name = "FILE", default_value = "tandem.toml")]
    pub config: PathBuf,
}

pub async fn run(
    args: ServeArgs,
    environment: &Environment,
    output: &Output,
) -> anyhow::Result<Outcome> {
    let built = build::build(build::settings(&args.config, environment)?).await?;
    let listener = TcpListener::bind(built.settings.listen)
        .await
        .map_err(|error| {
            let what = format!("cannot listen on {}: {error}", built.settings.listen);
            Advice::new(what, "set server.listen to a free address and port")
        })?;
    let address = listener.local_addr()?;
    let public = built.settings.public_url.clone();
    output.answer(
        &serde_json::json!({"listening": address.to_string(), "public_url": public.as_str()}),
        || format!("Tandem listens on {address} and is reached at {public}\nCtrl-C stops it.\n"),
    );
    serve(built, listener, async { told_to_stop().await }).await?;
    Ok(Outcome::Done)
}

/// Serves until `stop` resolves. Attempts under way may end within the grace period; whatever is
/// cut off then is found again by its marks and open intents.
pub async fn serve(
    built: Built,
    listener: TcpListener,
    stop: impl Future<Output = std::io::Result<()>>,
) -> anyhow::Result<()> {
    let Built {
        api,
        service,
        store,
        settings,
    } = built;
    let token = CancellationToken::new();
    let telling = tokio::spawn(std::sync::Arc::clone(&api.notices).run(token.clone()));
    let router = api::router(api);
    let closing = token.clone();
    let server = tokio::spawn(api::accept(listener, router, Bounds::default(), closing));
    let workers = tokio::spawn(std::sync::Arc::clone(&service).run(token.clone()));
    let watcher = tokio::spawn({
        let (settings, service, token) = (settings.clone(), service, token.clone());
        async move { watch(&settings, &service, &token).await }
    });
    stop.await?;
    tracing::info!("stopping");
    token.cancel();
    let ended = async {
        watcher.await.ok();
        workers.await.ok();
        telling.await.ok();
        server.await
    };
    match tokio::time::timeout(settings.grace, ended).await {
        Ok(served) => served.context("the server broke")?,
        Err(_) => tracing::warn!("the grace period is over; what was cut off is found again"),
    }
    drop(store);
    Ok(())
}

/// Hands mapping files that changed to the service; a workspace whose own do not fit keeps the ones
/// it has.
pub async fn watch(
    settings: &crate::config::Service,
    service: &crate::app::Service,
    stop: &CancellationToken,
) {
    if settings.mappings.is_none() {
        return;
    }
    let mut known = mapping_files(settings).ok();
    let mut told = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        match mapping_files(settings) {
            Ok(files) if known.as_ref() != Some(&files) => {
                tracing::info!("the mapping files changed");
                service.set_mappings(files.clone());
                (known, told) = (Some(files), None);
            }
            Ok(_) => {}
            Err(error) => {
                let text = format!("{error:#}");
                if told.as_ref() != Some(&text) {
                    tracing::error!("the mapping files cannot be read: {text}");
                    told = Some(text);
                }
            }
        }
    }
}
