//! The HTTP server: pages, their files, server functions, health; with limits and headers around them.

mod archive;
mod backend;
mod bodies;
mod connections;
mod cross_origin;
mod files;
mod guard;
mod headers;
mod health;
mod host;
mod limits;
mod metrics_page;
mod origin;
mod page_files;
mod site;
mod site_asked;
mod trace;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, FromRef, Request, State},
    http::{StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use leptos::{
    config::LeptosOptions,
    prelude::{IntoView, provide_context},
    server_fn::axum as server_fns,
};
use leptos_axum::{
    ErrorHandler, LeptosRoutes, generate_route_list, handle_server_fns_with_context, render_route_with_context,
};
use tokio::net::TcpListener;
use tower::ServiceExt as _;
use tower_http::compression::{
    CompressionLayer,
    predicate::{DefaultPredicate, NotForContentType, Predicate, SizeAbove},
};

use use_aa_server::{
    biconomy,
    call_count::CallCount,
    config::{Config, ConfigError},
    dev_events, metrics, page_sponsorship,
    state::ServerState,
};

use crate::{
    api::{bundler, dan, http_status, node, operation, paymaster, session_ledger, session_uses, status},
    error::AppError,
};

pub use self::{
    files::FileServer,
    page_files::{PageFiles, PageFilesError},
};
use use_aa_listener::CancellationToken;
pub use use_aa_listener::Room;
pub use use_aa_server::check::check;

/// How long requests that are under way may take to end after the signal to stop.
const GRACE: Duration = Duration::from_secs(5);

/// Why the server cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("USE_AA_ADDR: cannot listen on {addr}: {source}")]
    Bind {
        /// The address.
        addr: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] AppError),
    /// A variable that says how the page was built cannot be used.
    #[error(transparent)]
    Site(#[from] ConfigError),
    /// The page's files cannot be used.
    #[error(transparent)]
    PageFiles(#[from] PageFilesError),
    /// Accepting connections failed.
    #[error("serving: {0}")]
    Io(#[from] io::Error),
}

/// What is served as pages. Handed in: this room knows nothing of theirs.
#[derive(Clone, Copy, Debug)]
pub struct Pages<A, S> {
    /// The application; its routes become the server's.
    pub app: A,
    /// The document around it.
    pub shell: S,
}

impl<A, S> Pages<A, S> {
    /// The same with these files, instead of those on disk.
    pub fn with_files(self, files: PageFiles) -> PagesWithFiles<Self> {
        PagesWithFiles { pages: self, files }
    }
}

/// [`Pages`] that bring their files with them.
#[derive(Clone, Debug)]
pub struct PagesWithFiles<P> {
    pages: P,
    files: PageFiles,
}

/// Whatever can be served as pages: in practice [`Pages`].
pub trait Site: Send + 'static {
    /// Their files: those in the folder that `LEPTOS_SITE_ROOT` names, unless they bring their own.
    fn files(&self) -> Result<PageFiles, PageFilesError> {
        PageFiles::find(&[])
    }

    /// The routes of the pages, and the fallback that looks for `files` before it says that there is no such page.
    /// `context` is run before each rendering.
    fn routes(
        self,
        files: FileServer,
        options: &LeptosOptions,
        context: impl Fn() + Clone + Send + Sync + 'static,
    ) -> Router<Served>;
}

impl<A, AV, S, SV> Site for Pages<A, S>
where
    A: Fn() -> AV + Clone + Send + 'static,
    AV: IntoView + 'static,
    S: Fn(LeptosOptions) -> SV + Clone + Send + Sync + 'static,
    SV: IntoView + 'static,
{
    fn routes(
        self,
        files: FileServer,
        options: &LeptosOptions,
        context: impl Fn() + Clone + Send + Sync + 'static,
    ) -> Router<Served> {
        let Self { app, shell } = self;
        let page = {
            let (options, shell) = (options.clone(), shell.clone());
            move || shell(options.clone())
        };
        let no_such_page = ErrorHandler::new_with_context(context.clone(), shell, options.clone());
        let paths = generate_route_list(app);
        let render = render_route_with_context::<Served, _>(paths.clone(), context, page);
        Router::new()
            // Not `leptos_routes_with_context`: it would add the server functions once more, without their guards.
            .leptos_routes_with_handler(paths, render)
            .fallback(async move |request: Request| match files.find(&request).await {
                Some(file) => file,
                None => no_such_page.oneshot(request).await.into_response(),
            })
    }
}

impl<P: Site> Site for PagesWithFiles<P> {
    fn files(&self) -> Result<PageFiles, PageFilesError> {
        Ok(self.files.clone())
    }

    fn routes(
        self,
        files: FileServer,
        options: &LeptosOptions,
        context: impl Fn() + Clone + Send + Sync + 'static,
    ) -> Router<Served> {
        self.pages.routes(files, options, context)
    }
}

/// Serves until `shutdown` is ready, then lets open requests end.
pub async fn serve(
    config: Config,
    pages: impl Site,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let listener = bind(config.addr).await?;
    let state = ServerState::new(config)?;
    state.check_chains().await?;
    serve_on(listener, state, pages, shutdown).await
}

/// Listens on `addr`; port 0 takes a free one.
pub async fn bind(addr: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(addr).await.map_err(|source| ServeError::Bind { addr, source })
}

/// As [`serve`], on a listener that is there already.
pub async fn serve_on(
    listener: TcpListener,
    state: ServerState,
    pages: impl Site,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    serve_within(listener, state, pages, shutdown, Room::of_this_process()).await
}

/// As [`serve_on`], with other limits for connections than those of this process.
pub async fn serve_within(
    listener: TcpListener,
    state: ServerState,
    pages: impl Site,
    shutdown: impl Future<Output = ()> + Send + 'static,
    room: Room,
) -> Result<(), ServeError> {
    // A wrong one is said now; documents take it for none.
    dev_events::origin()?;
    tracing::info!("listening on http://{}", listener.local_addr()?);
    if let Some(description) = page_sponsorship::description(state.config()) {
        tracing::info!("{description}");
    }
    if let Some(description) = state.config().context_description() {
        tracing::info!("{description}");
    }
    let alive = Arc::new(());
    metrics::start(Arc::downgrade(&alive));
    let stopping = CancellationToken::new();
    let stopped = stopping.clone();
    let watcher = state.watcher().clone();
    if let Ok(dan_nodes) = state.dan() {
        dan_nodes.keep_pool();
    }
    state.sponsor().start_settling();
    use_aa_server::session_ledger::keep_tidy(&state);
    let files = pages.files()?;
    let options = site::options(state.config().addr, &files)?;
    if !files.have_page() {
        tracing::warn!(
            "there is no page {files}: scripts and styles are missing; `make front` (cargo xtask page) builds them"
        );
    }
    let owner_of = connections::owner_of(&state.config().protection);
    let router = router(state, files, options, pages);
    let server = use_aa_listener::serve(listener, router, room, owner_of, stopping.clone());
    let told_to_stop = async move {
        shutdown.await;
        // Status streams would keep their connections open for minutes. Their last line sends the page to the next
        // server.
        watcher.close();
        stopping.cancel();
        std::future::pending::<()>().await
    };
    let too_slow = async move {
        stopped.cancelled().await;
        tracing::info!("stopping: requests that are under way may end, for {} s", GRACE.as_secs());
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        () = server => Ok(()),
        () = told_to_stop => Ok(()),
        () = too_slow => {
            tracing::warn!("connections still open after {} s are closed", GRACE.as_secs());
            Ok(())
        }
    }
}

/// What routes are served from.
#[derive(Clone)]
pub struct Served {
    services: ServerState,
    site: LeptosOptions,
}

impl FromRef<Served> for ServerState {
    fn from_ref(served: &Served) -> Self {
        served.services.clone()
    }
}

impl FromRef<Served> for LeptosOptions {
    fn from_ref(served: &Served) -> Self {
        served.site.clone()
    }
}

/// All routes, over `state`, with the `files` of the pages.
pub fn router(state: ServerState, files: PageFiles, options: LeptosOptions, pages: impl Site) -> Router {
    register_server_functions();
    let dev_events: Option<Arc<str>> = dev_events::origin().ok().flatten().map(Into::into);
    let context = {
        let (state, options) = (state.clone(), options.clone());
        let dev_events = dev_events.clone();
        move || {
            provide_context(state.clone());
            headers::content_security_policy(&options, dev_events.as_deref());
        }
    };
    let limits = limits::Limits::new(&state.config().protection);
    let bodies = bodies::Bodies::default();
    let functions = |path: &str| {
        Router::new()
            .route(path, post(server_function))
            // Leptos' own limit; `guard::limits` knows better.
            .layer(DefaultBodyLimit::disable())
            .layer(middleware::from_fn(guard::limits))
            .layer(middleware::from_fn_with_state(bodies.clone(), bodies::bounded))
            .layer(middleware::from_fn_with_state(state.clone(), origin::same_origin))
    };
    // Thousands of these are open at a time: none of them shall carry the state of an encoder that it never uses.
    let streams = functions("/api/fn/user_operation_status").merge(functions("/api/fn/user_operation_statuses"));
    let streams = limits.streams(streams);
    let offers = limits.offers(functions("/api/fn/offer_distributed_key"));
    let json_rpc = Router::new()
        .route("/api/v2/{chain_id}/{key}", post(biconomy::bundler))
        .route("/api/v1/{chain_id}/{key}", post(biconomy::paymaster))
        .route("/rpc/{chain_id}/{key}", post(biconomy::standard))
        .layer(middleware::from_fn_with_state(bodies.clone(), bodies::bounded));
    let json_rpc = limits.json_rpc(json_rpc).layer(cross_origin::any_site());
    // The status stream must not wait in a compressor; small answers are not worth one. A page that is not optimized has
    // thirty megabytes: on one machine they are sent sooner than compressed.
    let compresses = dev_events.is_none();
    let compression = CompressionLayer::new().br(compresses).gzip(compresses).compress_when(
        DefaultPredicate::new().and(SizeAbove::new(1024)).and(NotForContentType::const_new("application/octet-stream")),
    );
    let readiness = health::Cache::default();
    let files = FileServer::new(files, &options);
    let only_files = {
        let files = files.clone();
        async move |request: Request| files.find(&request).await.unwrap_or(StatusCode::NOT_FOUND.into_response())
    };
    limits
        .pages(pages.routes(files.clone(), &options, context).merge(functions("/api/fn/{*name}")).merge(offers))
        .route(&files.route(), get(only_files))
        .merge(json_rpc)
        .layer(compression)
        .merge(streams)
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(move |state: State<ServerState>| async move { readiness.readyz(&state).await }))
        .route("/metrics", get(metrics_page::metrics))
        .layer(middleware::from_fn(headers::security))
        .layer(middleware::from_fn_with_state(state.clone(), host::of_ours))
        .layer(middleware::from_fn(guard::well_formed))
        .layer(middleware::from_fn_with_state(state.clone(), trace::request))
        .with_state(Served { services: state, site: options })
}

/// Registered by name, because the linker may drop what nobody calls by name.
fn register_server_functions() {
    server_fns::register_explicit::<node::GetChainInfo>();
    server_fns::register_explicit::<node::GetAccountState>();
    server_fns::register_explicit::<node::ReadChain>();
    server_fns::register_explicit::<bundler::GetGasFees>();
    server_fns::register_explicit::<bundler::EstimateUserOperationGas>();
    server_fns::register_explicit::<bundler::SendUserOperation>();
    server_fns::register_explicit::<bundler::GetSentOperation>();
    server_fns::register_explicit::<paymaster::SponsorUserOperation>();
    server_fns::register_explicit::<paymaster::GetFeeQuotes>();
    server_fns::register_explicit::<session_ledger::PublishSessions>();
    server_fns::register_explicit::<session_ledger::PublishedSessions>();
    server_fns::register_explicit::<session_uses::GetSessionUses>();
    server_fns::register_explicit::<status::UserOperationStatus>();
    server_fns::register_explicit::<operation::LookUpOperation>();
    server_fns::register_explicit::<status::UserOperationStatuses>();
    server_fns::register_explicit::<dan::GetKeyNetwork>();
    server_fns::register_explicit::<dan::OfferDistributedKey>();
    server_fns::register_explicit::<dan::BindDistributedKey>();
    server_fns::register_explicit::<dan::GetSigningChallenge>();
    server_fns::register_explicit::<dan::SignWithDistributedKey>();
    server_fns::register_explicit::<dan::RevokeDistributedKey>();
}

async fn server_function(State(state): State<ServerState>, mut request: Request) -> Response {
    let path = request.uri().path();
    if !server_fns::server_fn_paths().any(|(known, _)| known == path) {
        let error = AppError::invalid("path", "the name of a server function", path);
        return (StatusCode::NOT_FOUND, Json(error)).into_response();
    }
    // A caller that accepts HTML would be redirected as if it had sent a form.
    request.headers_mut().insert(header::ACCEPT, header::HeaderValue::from_static("application/json"));
    let calls = request.extensions().get::<CallCount>().cloned();
    let context = move || {
        provide_context(state.clone());
        if let Some(calls) = &calls {
            provide_context(calls.clone());
        }
    };
    let mut response = handle_server_fns_with_context(context, request).await.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    // Reverse proxies shall pass the status stream on as it comes.
    headers.insert("x-accel-buffering", header::HeaderValue::from_static("no"));
    response
}

/// An error as a server function would send it.
fn refuse(status: Option<StatusCode>, error: AppError) -> Response {
    (status.unwrap_or_else(|| http_status::of(&error)), Json(error)).into_response()
}
