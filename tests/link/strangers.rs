//! What comes to a cluster port and is not what it should be. The members go on as if nothing was.

use std::net::SocketAddr;
use std::time::Duration;

use corelane::base::ids::{NodeId, ShardId};
use corelane::link::{Hello, Refusal, RefusalCode, Start, StreamKind, session_of};
use corelane::quorum::{Body, Message, Outgoing, encode_frame};
use corelane::runtime::tokio::within;
use corelane::transport::read_answer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::member::{CLUSTER, Machine, disk_of, member_of};
use super::{decide, put, run, start_all};

fn address(machine: &Machine) -> SocketAddr {
    machine.listener.local_addr().expect("an address")
}

/// Sends bytes and returns what comes back until the node closes the connection.
async fn say(to: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut socket = TcpStream::connect(to).await.expect("a connection");
    // The node may have closed it before all was sent.
    let _ = socket.write_all(bytes).await;
    read_to_end(&mut socket).await
}

async fn read_to_end(socket: &mut TcpStream) -> Vec<u8> {
    let mut answer = Vec::new();
    let reading = socket.read_to_end(&mut answer);
    // It may have closed it with bytes of ours unread: then the system says that the connection was reset.
    let _ = within(Duration::from_secs(120), reading).await.expect("the node closes the connection");
    answer
}

/// Sends a hello and returns the connection, or why it is refused.
async fn greet(to: SocketAddr, hello: &Hello) -> Result<TcpStream, Refusal> {
    let mut socket = TcpStream::connect(to).await.expect("a connection");
    socket.write_all(&hello.encode()).await.expect("it reads");
    let answer = read_answer(&mut socket).await.expect("an answer");
    answer.refusal.map_or(Ok(socket), Err)
}

fn hello(from: NodeId, connections: u32) -> Hello {
    Hello {
        cluster: CLUSTER,
        from: Start { node: from, disk: disk_of(from), incarnation: 1 },
        to: NodeId(1),
        kind: StreamKind::Quorum,
        from_shard: ShardId(0),
        to_shard: ShardId(0),
        session: session_of(1, connections),
    }
}

#[test]
fn bytes_of_others_get_no_answer_and_do_no_harm() {
    run(async {
        let mut machines = Machine::all(3);
        let mut members = start_all(&mut machines);
        decide(&mut members, put("first", 1)).await;
        let to = address(&machines[0]);
        let mut damaged = hello(NodeId(2), 1).encode();
        damaged[20] ^= 1;
        let mut long = hello(NodeId(2), 1).encode();
        long[8..10].copy_from_slice(&u16::MAX.to_le_bytes());
        let kafka = b"\0\0\0\x12\0\x12\0\x03\0\0\0\x01\0\x04test\0\x01a\x01b";
        let cases: [&[u8]; 6] =
            [b"", b"GET / HTTP/1.1\r\n\r\n", kafka, &[0x16, 3, 1, 0, 200, 1, 0, 0, 196], &damaged, &long];
        for (number, bytes) in cases.into_iter().enumerate() {
            assert_eq!(say(to, bytes).await, b"", "case {number}");
            decide(&mut members, put(&format!("after {number}"), 1)).await;
        }
    });
}

#[test]
fn who_must_not_come_in_is_told_what_to_do() {
    run(async {
        let mut machines = Machine::all(3);
        let mut members = start_all(&mut machines);
        for machine in &mut machines {
            assert_eq!(machine.start_of().incarnation, 1);
        }
        decide(&mut members, put("first", 1)).await;
        for member in &mut members {
            member.until("it is known", super::has("first")).await;
        }
        // Node 2 starts once more, so that its first start is over.
        members.remove(1).kill().await;
        members.insert(1, machines[1].start());
        decide(&mut members, put("second", 1)).await;
        members[1].until("it is back", super::has("second")).await;
        let to = address(&machines[0]);
        let fine = hello(NodeId(2), u32::MAX);
        let cases = [
            (Hello { cluster: [1; 16], ..fine }, RefusalCode::OtherCluster, "another cluster"),
            (hello(NodeId(1), 1), RefusalCode::NodeIdTaken, "two nodes run with this id"),
            (Hello { to: NodeId(3), ..fine }, RefusalCode::OtherNode, "this is node 1, not node 3"),
            (hello(NodeId(9), 1), RefusalCode::NotAVoter, "the same `voters`"),
            (Hello { kind: StreamKind::Live, ..fine }, RefusalCode::Unsupported, "no streams of this kind"),
            (fine, RefusalCode::OlderIncarnation, "an old copy, or is in use twice"),
            (
                Hello { to_shard: ShardId(1), ..fine },
                RefusalCode::Unsupported,
                "names shards where none take part",
            ),
        ];
        for (hello, code, text) in cases {
            let refusal = greet(to, &hello).await.expect_err(text);
            assert_eq!(refusal.code, code, "{refusal}");
            assert!(refusal.text.contains(text), "{refusal}");
        }
        decide(&mut members, put("last", 1)).await;
        for member in &mut members {
            member.until("all is known", super::has("last")).await;
        }
    });
}

/// A stream to node 1 as node 3, which does not run.
#[test]
fn a_connection_that_breaks_the_rules_is_closed() {
    run(async {
        let mut machines = Machine::all(3);
        let mut members = start_all(&mut machines[..2]);
        decide(&mut members, put("first", 1)).await;
        let to = address(&machines[0]);
        let frame_of = |from: NodeId, connections: u32| {
            let (from, to) = (member_of(disk_of(from)), member_of(disk_of(NodeId(1))));
            let heartbeat = Message { term: 1, body: Body::HeartbeatReply { commit: 0, read: 0 } };
            let session = session_of(1, connections);
            encode_frame(&Outgoing::new(CLUSTER, from, to, session, 1).address(), &heartbeat)
        };
        let mut damaged = frame_of(NodeId(3), 2);
        *damaged.last_mut().expect("a body") ^= 1;
        let mut session = 0;
        let of_another_session = frame_of(NodeId(3), 3);
        for bytes in [vec![b'?'; 200], damaged, frame_of(NodeId(2), 3), of_another_session] {
            session += 1;
            let mut socket = greet(to, &hello(NodeId(3), session)).await.expect("let in");
            let _ = socket.write_all(&bytes).await;
            assert_eq!(read_to_end(&mut socket).await, b"");
            decide(&mut members, put(&format!("after {session}"), 1)).await;
        }

        let mut older = greet(to, &hello(NodeId(3), 10)).await.expect("let in");
        older.write_all(&frame_of(NodeId(3), 10)).await.expect("it reads");
        let newer = greet(to, &hello(NodeId(3), 11)).await.expect("let in");
        assert_eq!(read_to_end(&mut older).await, b"", "a newer one takes its place");
        let refusal = greet(to, &hello(NodeId(3), 10)).await.expect_err("it is over");
        assert_eq!(refusal.code, RefusalCode::OldSession);
        drop(newer);
        decide(&mut members, put("last", 1)).await;
    });
}
