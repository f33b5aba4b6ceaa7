//! [`FunctionCall`]: how a server function travels: the arguments as one JSON object in the body of a POST,
//! the result in the encoding `O`, a failure as JSON of [`AppError`] with a fitting HTTP status.
//!
//! The stock protocol reports unreadable arguments as if an answer had been unreadable, with status 500;
//! this one names the argument and what was expected, so that the caller can mend it.

use std::{marker::PhantomData, pin::Pin};

use leptos::server_fn::{
    ContentType, Protocol,
    client::Client,
    codec::{Encoding, FromRes, IntoReq, IntoRes, Json, StreamingText},
    error::{FromServerFnError, ServerFnErrorErr},
    request::{ClientReq, Req},
    response::ClientRes,
    server::Server,
};
use serde::{Serialize, de::DeserializeOwned};

use crate::error::AppError;

/// The protocol of all our server functions.
pub struct FunctionCall<O = Json>(PhantomData<O>);

impl<O, In, Out, C, S> Protocol<In, Out, C, S, AppError> for FunctionCall<O>
where
    In: IntoReq<Json, C::Request, AppError> + DeserializeOwned + Send,
    Out: IntoRes<O, S::Response, AppError> + FromRes<O, C::Response, AppError> + Send,
    O: Encoding + Caller<In, Out, C>,
    C: Client<AppError>,
    S: Server<AppError>,
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
        O::call(path, input).await
    }
}

/// How a page calls a function whose answer is in this encoding.
pub trait Caller<In, Out, C> {
    /// Sends the arguments and reads the answer.
    fn call(path: &str, input: In) -> impl Future<Output = Result<Out, AppError>> + Send;
}

/// As the stock protocol does it, but with one request for all functions instead of one per function: of a page's code
/// for twenty functions that is most.
impl<In, Out, C> Caller<In, Out, C> for Json
where
    In: Serialize + Send,
    Out: DeserializeOwned + Send,
    C: Client<AppError> + 'static,
{
    async fn call(path: &str, input: In) -> Result<Out, AppError> {
        let body = serde_json::to_string(&input).map_err(unwritable)?;
        serde_json::from_str(&post::<C>(path, body).await?).map_err(unreadable)
    }
}

impl<In, Out, C> Caller<In, Out, C> for StreamingText
where
    In: IntoReq<Json, C::Request, AppError> + Send,
    Out: FromRes<StreamingText, C::Response, AppError> + Send,
    C: Client<AppError>,
{
    async fn call(path: &str, input: In) -> Result<Out, AppError> {
        let response = C::send(input.into_req(path, StreamingText::CONTENT_TYPE)?).await?;
        Out::from_res(checked(response).await?).await
    }
}

fn post<C: Client<AppError> + 'static>(
    path: &str,
    body: String,
) -> Pin<Box<dyn Future<Output = Result<String, AppError>> + Send>> {
    let request = C::Request::try_new_post(path, Json::CONTENT_TYPE, Json::CONTENT_TYPE, body);
    Box::pin(async move { checked(C::send(request?).await?).await?.try_into_string().await })
}

/// The response, or the error that it is.
async fn checked<R: ClientRes<AppError>>(response: R) -> Result<R, AppError> {
    match response.status() {
        // From text, as all else that a page reads: `AppError::de` would bring serde's other reader.
        400..=599 => {
            let text = response.try_into_string().await?;
            Err(serde_json::from_str(&text).unwrap_or_else(unreadable))
        }
        _ => Ok(response),
    }
}

#[cold]
fn unwritable(error: serde_json::Error) -> AppError {
    AppError::from_server_fn_error(ServerFnErrorErr::Serialization(error.to_string()))
}

#[cold]
fn unreadable(error: serde_json::Error) -> AppError {
    AppError::from_server_fn_error(ServerFnErrorErr::Deserialization(error.to_string()))
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
