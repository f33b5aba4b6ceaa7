//! [`FunctionCall`]: how a server function travels: the arguments as one JSON object in the body of a POST,
//! the result in the encoding `O`, a failure as JSON of [`AppError`] with a fitting HTTP status.
//!
//! The stock protocol reports unreadable arguments as if an answer had been unreadable, with status 500;
//! this one names the argument and what was expected, so that the caller can mend it.

use std::marker::PhantomData;

use leptos::server_fn::{
    Http, Protocol,
    client::Client,
    codec::{Encoding, FromRes, IntoReq, IntoRes, Json},
    request::Req,
    server::Server,
};
use serde::de::DeserializeOwned;

use crate::error::AppError;

/// The protocol of all our server functions.
pub struct FunctionCall<O = Json>(PhantomData<O>);

impl<O, In, Out, C, S> Protocol<In, Out, C, S, AppError> for FunctionCall<O>
where
    In: IntoReq<Json, C::Request, AppError> + DeserializeOwned + Send,
    Out: IntoRes<O, S::Response, AppError> + FromRes<O, C::Response, AppError> + Send,
    O: Encoding,
    C: Client<AppError>,
    S: Server<AppError>,
    Http<Json, O>: Protocol<In, Out, C, S, AppError>,
{
    const METHOD: http::Method = http::Method::POST;

    async fn run_server<F, Fut>(request: S::Request, server_fn: F) -> Result<S::Response, AppError>
    where
        F: Fn(In) -> Fut + Send,
        Fut: Future<Output = Result<Out, AppError>> + Send,
    {
        let result = async move {
            let body = request.try_into_bytes().await?;
            server_fn(decode(&body)?).await?.into_res().await
        }
        .await;
        #[cfg(feature = "ssr")]
        if let Err(error) = &result {
            super::http_status::set(error);
        }
        result
    }

    async fn run_client(path: &str, input: In) -> Result<Out, AppError> {
        <Http<Json, O> as Protocol<In, Out, C, S, AppError>>::run_client(path, input).await
    }
}

/// Reads the arguments; an error names the argument by its path.
fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, AppError> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        // Before the first argument is reached the path is `.` or `?`.
        let field =
            if path.len() == 1 && !path.starts_with(char::is_alphanumeric) { "request".to_owned() } else { path };
        AppError::invalid(field, "the arguments of this function as one JSON object", error.into_inner())
    })?;
    deserializer.end().map_err(|error| AppError::invalid("request", "one JSON object and nothing after it", error))?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[allow(dead_code)]
    struct Arguments {
        account: alloy::primitives::Address,
        list: Vec<u8>,
    }

    fn field(body: &str) -> String {
        match decode::<Arguments>(body.as_bytes()) {
            Err(AppError::InvalidInput { field, .. }) => field,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_wrong_argument_is_named() {
        assert_eq!(field(r#"{"account":"0x12","list":[]}"#), "account");
        assert_eq!(field(r#"{"account":"0x0000000000000000000000000000000000000001","list":[1,"a"]}"#), "list[1]");
        assert_eq!(field("{"), "request");
        assert_eq!(field(""), "request");
        assert_eq!(field(r#"{"account":"0x0000000000000000000000000000000000000001","list":[]} {}"#), "request");
    }
}
