//! The one HubSpot app that all workspaces share: what their mappings need of it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::Api;
use super::caller::Caller;
use super::error::{ApiError, Problem};
use crate::mapping::Mapping;
use crate::model::{Role, Side, Workspace};
use crate::prepare::{AppJson, AppScopes};

/// Tell what the HubSpot app needs so that it serves every workspace.
///
/// By the mappings that count in each of them, those that were set included; `tandem hubspot-app`
/// makes the files of the app of it.
#[utoipa::path(get, path = "/v1/hubspot-app", tag = "workspaces",
    responses((status = 200, body = AppJson), (status = "4XX", body = Problem)))]
pub(super) async fn show(
    State(api): State<Arc<Api>>,
    caller: Caller,
) -> Result<Json<AppJson>, ApiError> {
    caller.manages(Role::Viewer)?;
    let said = api.app_scopes().unwrap_or_default();
    Ok(Json(api.service.app_needs(&said).await?))
}

impl Api {
    /// The scopes of the HubSpot app in the settings; `None` where there is no app.
    pub fn app_scopes(&self) -> Option<AppScopes> {
        let app = self.keeper.apps.get(Side::HubSpot).as_ref()?;
        Some(AppScopes {
            required: app.scopes.clone(),
            optional: app.optional_scopes.clone(),
        })
    }

    /// What to tell whoever sets mappings that can use scopes for which no connect link asks.
    pub(super) fn unasked(&self, workspace: &Workspace, mappings: &[Mapping]) -> Option<String> {
        let app = self.service.app_for(workspace, self.app_scopes()?)?;
        let lacking = app.lacking(mappings);
        let told = || {
            format!(
                "connect links do not ask HubSpot for {}: `tandem hubspot-app --workspaces` says \
                 how they will",
                lacking.join(", ")
            )
        };
        (!lacking.is_empty()).then(told)
    }
}
