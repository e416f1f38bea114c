//! What the server answers when it will not do a thing.

use super::id::new_id;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

const NO_ROUTE: &str = "api.context.404.app_error";

/// An error answer: `{id, message, detailed_error, request_id, status_code}`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{status} {id}: {message}")]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// The server's error id, which clients switch on.
    pub id: &'static str,
    /// For humans.
    pub message: String,
    /// For administrators.
    pub detail: String,
}

impl Refusal {
    pub(crate) fn new(status: u16, id: &'static str, message: impl Into<String>) -> Self {
        Self { status, id, message: message.into(), detail: String::new() }
    }

    pub(crate) fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    pub(crate) fn session_expired() -> Self {
        Self::new(401, "api.context.session_expired.app_error", "Invalid or expired session, please login again.")
    }

    pub(crate) fn forbidden(permission: &str) -> Self {
        Self::new(403, "api.context.permissions.app_error", "You do not have the appropriate permissions.")
            .with_detail(format!("permission={permission}"))
    }

    pub(crate) fn bad_body(name: &str) -> Self {
        Self::new(
            400,
            "api.context.invalid_body_param.app_error",
            format!("Invalid or missing {name} in request body."),
        )
    }

    pub(crate) fn bad_url(name: &str) -> Self {
        Self::new(
            400,
            "api.context.invalid_url_param.app_error",
            format!("Invalid or missing {name} parameter in request URL."),
        )
    }

    pub(crate) fn no_route() -> Self {
        Self::new(404, NO_ROUTE, "Sorry, we could not find the page.")
    }

    pub(crate) fn no_user() -> Self {
        Self::new(404, "app.user.missing_account.const", "Unable to find the user.")
    }

    pub(crate) fn no_channel() -> Self {
        Self::new(404, "app.channel.get.existing.app_error", "Unable to find the existing channel.")
    }

    pub(crate) fn no_post() -> Self {
        Self::new(404, "app.post.get.app_error", "Unable to get the post.")
    }

    /// The body of the answer. A path that leads nowhere has no request to be numbered.
    pub(crate) fn json(&self) -> serde_json::Value {
        let mut body = serde_json::json!({
            "id": self.id,
            "message": self.message,
            "detailed_error": self.detail,
            "status_code": self.status,
        });
        if self.id != NO_ROUTE {
            body["request_id"] = serde_json::json!(new_id());
        }
        body
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, axum::Json(self.json())).into_response()
    }
}
