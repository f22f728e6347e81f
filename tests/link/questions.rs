//! Control's questions between nodes, and peers that are named while the links run.

use std::net::TcpListener;
use std::time::Duration;

use corelane::base::ids::NodeId;
use corelane::config::address::HostPort;
use corelane::link::{HandOver, NO_CLUSTER, Own, RefusalCode, Start, StreamKind};
use corelane::quorum::{Body, Message};
use corelane::runtime::tokio::within;
use corelane::transport::{
    Arrival, CallError, Caller, CallerSettings, ClusterLinks, LinkPeer, Question, Sent,
};
use tokio::sync::mpsc;

use super::member::{CLUSTER, disk_of, member_of};
use super::run;

const LIMIT: Duration = Duration::from_secs(60);

struct Node {
    links: ClusterLinks,
    arrivals: mpsc::Receiver<Arrival>,
    questions: Option<mpsc::Receiver<Question>>,
    address: HostPort,
}

fn start_of(node: u32) -> Start {
    Start { node: NodeId(node), disk: disk_of(NodeId(node)), incarnation: 1 }
}

fn own(node: u32, cluster: [u8; 16]) -> Own {
    let kinds = vec![StreamKind::Control, StreamKind::Quorum];
    Own { cluster, start: start_of(node), shards: 1, voters: vec![NodeId(1), NodeId(2)], kinds }
}

fn start(node: u32, cluster: [u8; 16]) -> Node {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.set_nonblocking(true).expect("a socket");
    let port = listener.local_addr().expect("bound").port();
    let (links, arrivals, questions, serving) =
        ClusterLinks::start(own(node, cluster), member_of, u64::from(node), listener, HandOver::default());
    tokio::spawn(serving);
    let address = HostPort { host: "127.0.0.1".to_owned(), port };
    Node { links, arrivals, questions: Some(questions), address }
}

/// Answers each question with itself, backwards; one that is empty is not answered.
fn echo(node: &mut Node) {
    let mut questions = node.questions.take().expect("once");
    tokio::spawn(async move {
        while let Some(Question { body, reply, .. }) = questions.recv().await {
            if !body.is_empty() {
                let _ = reply.send(body.into_iter().rev().collect());
            }
        }
    });
}

fn caller(node: u32, cluster: [u8; 16]) -> Caller {
    Caller::new(CallerSettings { cluster, own: start_of(node), lane: 0 })
}

#[test]
fn questions_are_answered_one_after_the_other_and_again_after_a_break() {
    run(async {
        let mut node = start(1, CLUSTER);
        echo(&mut node);
        let mut caller = caller(2, CLUSTER);
        let long = vec![7; 3 << 20];
        for question in [&b"abc"[..], b"de", &long] {
            let answer = caller.call(NodeId(1), &node.address, question, LIMIT).await.expect("an answer");
            assert!(answer.iter().rev().eq(question));
        }
        let lost = caller.call(NodeId(1), &node.address, b"", LIMIT).await.expect_err("no answer");
        assert!(!lost.is_unasked(), "{lost}");
        let answer = caller.call(NodeId(1), &node.address, b"x", LIMIT).await.expect("another connection");
        assert_eq!(answer, b"x");
    });
}

#[test]
fn who_cannot_be_asked_was_not_asked() {
    run(async {
        let mut node = start(1, CLUSTER);
        echo(&mut node);
        let refused = caller(2, [9; 16]).call(NodeId(1), &node.address, b"x", LIMIT).await;
        let Err(CallError::Refused(refusal)) = refused else { panic!("{refused:?}") };
        assert_eq!(refusal.code, RefusalCode::OtherCluster);
        let wrong = caller(2, CLUSTER).call(NodeId(3), &node.address, b"x", LIMIT).await.expect_err("node 1");
        assert!(wrong.is_unasked(), "{wrong}");
        // Bound and closed again: nobody listens there.
        let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port();
        let nobody = HostPort { host: "127.0.0.1".to_owned(), port: closed };
        let error = caller(2, CLUSTER).call(NodeId(1), &nobody, b"x", LIMIT).await.expect_err("nobody");
        assert!(error.is_unasked(), "{error}");
        let answer = caller(3, NO_CLUSTER).call(NodeId(1), &node.address, b"who", LIMIT).await;
        assert_eq!(answer.expect("strangers may ask"), b"ohw");
    });
}

#[test]
fn messages_go_to_peers_that_are_named_later() {
    run(async {
        let (one, mut two) = (start(1, CLUSTER), start(2, CLUSTER));
        let message = Message { term: 3, body: Body::TakeOver };
        let to = member_of(disk_of(NodeId(2)));
        assert_eq!(one.links.send(to, &message), Sent::Unreachable);
        one.links.open(own(1, CLUSTER));
        one.links.set_peers(vec![LinkPeer { node: NodeId(2), address: two.address.clone() }]);
        let arriving = async {
            // It is sent again until the connection is there.
            while one.links.send(to, &message) != Sent::Queued {
                tokio::task::yield_now().await;
            }
            two.arrivals.recv().await.expect("the links run")
        };
        let arrival = within(LIMIT, arriving).await.expect("it arrives");
        assert!(matches!(arrival, Arrival::Message { message: found, .. } if found == message));
        one.links.set_peers(Vec::new());
        let parting = async {
            while one.links.send(to, &message) != Sent::Unreachable {
                tokio::task::yield_now().await;
            }
        };
        within(LIMIT, parting).await.expect("its peer is given up");
    });
}
