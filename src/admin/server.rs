//! The HTTP server: one request for each connection, everything about it bounded.

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::LocalSet;

use super::routes;
use super::thread::Admin;
use crate::base::limits::{
    ACCEPT_PAUSE_MS, ADMIN_CONNECTION_MS, ADMIN_CONNECTIONS_MAX, ADMIN_HEADER_BYTES_MAX, ADMIN_HEADERS_MAX,
    ADMIN_REQUEST_MS, ADMIN_SCRAPES_MAX,
};
use crate::runtime::tokio::{sleep, within};

/// Serves until it is dropped.
pub(super) async fn serve(admin: Rc<Admin>, listener: TcpListener) {
    let tasks = LocalSet::new();
    tasks.run_until(accept(admin, listener)).await;
}

async fn accept(admin: Rc<Admin>, listener: TcpListener) {
    let connections = Arc::new(Semaphore::new(ADMIN_CONNECTIONS_MAX));
    let scrapes = Arc::new(Semaphore::new(ADMIN_SCRAPES_MAX));
    loop {
        let place = Arc::clone(&connections).acquire_owned().await.expect("never closed");
        match listener.accept().await {
            Ok((stream, _)) => {
                let (admin, scrapes) = (Rc::clone(&admin), Arc::clone(&scrapes));
                tokio::task::spawn_local(async move {
                    serve_one(admin, scrapes, stream).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the admin port cannot accept connections");
                sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
            }
        }
    }
}

/// Serves one connection. What goes wrong with it is its client's business.
async fn serve_one(admin: Rc<Admin>, scrapes: Arc<Semaphore>, stream: TcpStream) {
    // Held until the response is sent, or the connection is given up.
    let scrape: RefCell<Option<OwnedSemaphorePermit>> = RefCell::default();
    let service = service_fn(|request: Request<Incoming>| {
        let (admin, scrapes, scrape) = (&admin, &scrapes, &scrape);
        async move {
            if routes::is_long(request.uri().path()) {
                let permit = Arc::clone(scrapes).acquire_owned().await.expect("never closed");
                scrape.replace(Some(permit));
            }
            Ok::<_, Infallible>(routes::answer(admin, request.method(), request.uri().path()).await)
        }
    });
    let mut server = http1::Builder::new();
    server
        .keep_alive(false)
        .max_buf_size(ADMIN_HEADER_BYTES_MAX)
        .max_headers(ADMIN_HEADERS_MAX)
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(ADMIN_REQUEST_MS));
    let connection = server.serve_connection(TokioIo::new(stream), service);
    let _ = within(Duration::from_millis(ADMIN_CONNECTION_MS), connection).await;
}
