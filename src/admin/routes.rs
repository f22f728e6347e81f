//! What is answered to a request.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Response, StatusCode};

use super::exposition::{self, Node};
use super::health::{ailments, obstacle, writer_failures};
use super::process::Process;
use super::thread::{Admin, Phase};

/// A response.
pub(super) type Answered = Response<Full<Bytes>>;

const TEXT: &str = "text/plain; charset=utf-8";
const PATHS: &str = "/metrics  what the shards count, for Prometheus\n\
    /healthz  whether the node is well\n\
    /readyz   whether it takes clients\n";

/// Whether the answer may be long: few of those are sent at the same time.
pub(super) fn is_long(path: &str) -> bool {
    path == "/metrics"
}

/// Answers a request. Its body is nobody's business.
pub(super) async fn answer(admin: &Admin, method: &Method, path: &str) -> Answered {
    if method != Method::GET && method != Method::HEAD {
        let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "only GET is served here\n".to_owned());
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    match path {
        "/metrics" => metrics(admin).await,
        "/healthz" => healthz(admin).await,
        "/readyz" => readyz(admin).await,
        "/" => text(StatusCode::OK, PATHS.to_owned()),
        _ => text(StatusCode::NOT_FOUND, format!("there is:\n{PATHS}")),
    }
}

async fn metrics(admin: &Admin) -> Answered {
    let view = admin.view();
    let answers = view.shards.collect().await;
    let node = Node {
        is_ready: view.phase == Phase::Serving,
        memory_bytes: admin.memory_bytes,
        started_ms: admin.started_ms,
        process: Process::look(),
    };
    match exposition::text(node, answers) {
        Ok(metrics) => response(StatusCode::OK, exposition::CONTENT_TYPE, metrics),
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
    }
}

async fn healthz(admin: &Admin) -> Answered {
    let view = admin.view();
    let mut reasons = ailments(&view.shards.collect().await);
    reasons.extend(view.complaint.and_then(|complaint| complaint()));
    well_unless(reasons)
}

async fn readyz(admin: &Admin) -> Answered {
    let view = admin.view();
    match obstacle(view.phase) {
        None => well_unless(writer_failures(&view.shards.collect().await)),
        Some(obstacle) => well_unless(vec![obstacle.to_owned()]),
    }
}

fn well_unless(reasons: Vec<String>) -> Answered {
    match reasons.is_empty() {
        true => text(StatusCode::OK, "ok\n".to_owned()),
        false => text(StatusCode::SERVICE_UNAVAILABLE, reasons.join("\n") + "\n"),
    }
}

fn text(status: StatusCode, text: String) -> Answered {
    response(status, TEXT, text)
}

fn response(status: StatusCode, content_type: &'static str, body: String) -> Answered {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
