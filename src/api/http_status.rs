//! The HTTP status that goes with an error of a server function.

use axum::http::StatusCode;
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;

use crate::error::AppError;

/// The status for `error`. The body says everything; the status is for proxies, logs and metrics.
pub(crate) fn of(error: &AppError) -> StatusCode {
    match error {
        AppError::InvalidInput { .. } => StatusCode::BAD_REQUEST,
        AppError::UserOpNotFound { .. } => StatusCode::NOT_FOUND,
        AppError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        AppError::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
        AppError::MethodNotAllowed { .. } | AppError::SponsorshipRefused { .. } | AppError::GasTokenRefused { .. } => {
            StatusCode::FORBIDDEN
        }
        AppError::UpstreamRejected { .. }
        | AppError::UpstreamMalformed { .. }
        | AppError::NodesDisagree { .. }
        | AppError::UserOpUntold { .. } => StatusCode::BAD_GATEWAY,
        AppError::UpstreamUnavailable { .. }
        | AppError::TooFewNodes { .. }
        | AppError::NoDistributedKeys
        | AppError::Busy { .. } => StatusCode::SERVICE_UNAVAILABLE,
        AppError::NodeRefused { .. } => StatusCode::FORBIDDEN,
        AppError::WaitTimedOut { .. } => StatusCode::GATEWAY_TIMEOUT,
        AppError::Internal { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

/// Sets the status of the response that is being made, when there is one.
pub(super) fn set(error: &AppError) {
    if let Some(options) = use_context::<ResponseOptions>() {
        options.set_status(of(error));
    }
}
