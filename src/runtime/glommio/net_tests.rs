use std::io::{ErrorKind, IoSlice};
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{Either, join, select};

use super::testing::run_without_heartbeat;
use super::{Listener, Stream, hold_address, run_here};

const LOCALHOST: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

async fn connected() -> (Stream, Stream) {
    let listener = Listener::bind(LOCALHOST, false).unwrap();
    let address = listener.local_addr().unwrap();
    let (client, accepted) = join(Stream::connect(address), listener.accept()).await;
    let (client, (server, peer)) = (client.unwrap(), accepted.unwrap());
    assert_eq!((peer, address), (client.local_addr().unwrap(), server.local_addr().unwrap()));
    (client, server)
}

async fn read_all(stream: &Stream) -> Vec<u8> {
    let (mut all, mut buffer) = (Vec::new(), vec![0; 10_000]);
    loop {
        match stream.read(&mut buffer).await.unwrap() {
            0 => return all,
            count => all.extend_from_slice(&buffer[..count]),
        }
    }
}

/// Writes in uneven slices until everything is gone, far more than a socket buffers.
async fn write_all(stream: &Stream, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let (head, tail) = bytes.split_at(bytes.len().min(100));
        let written = stream.write_vectored(&[IoSlice::new(head), IoSlice::new(tail)]).await.unwrap();
        bytes = &bytes[written..];
    }
    stream.shutdown(std::net::Shutdown::Write).unwrap();
}

#[test]
fn a_stream_carries_both_directions_at_once() {
    run_without_heartbeat(async {
        let (client, server) = connected().await;
        client.set_nodelay(true).unwrap();
        let bytes: Rc<Vec<u8>> = Rc::new((0..16_000_000_u32).map(|number| (number % 251) as u8).collect());
        let forth = join(write_all(&client, &bytes), read_all(&server));
        let back = join(write_all(&server, &bytes), read_all(&client));
        let ((_, at_server), (_, at_client)) = join(forth, back).await;
        assert!(at_server == *bytes && at_client == *bytes);
    });
}

#[test]
fn what_the_peer_takes_is_seen_before_the_socket_is_writable() {
    run_without_heartbeat(async {
        let (client, server) = connected().await;
        assert_eq!(server.unacknowledged_bytes(), 0);
        let bytes = vec![7; 1 << 20];
        let full = async { while server.write_vectored(&[IoSlice::new(&bytes)]).await.is_ok() {} };
        let full = std::pin::pin!(full);
        assert!(futures_util::poll!(full).is_pending(), "more than sockets hold");
        let before = server.unacknowledged_bytes();
        let mut buffer = vec![0; 64 << 10];
        while server.unacknowledged_bytes() >= before {
            client.read(&mut buffer).await.unwrap();
        }
    });
}

#[test]
fn a_read_that_is_dropped_loses_nothing() {
    run_here(|runtime| async move {
        let (client, server) = connected().await;
        let receiver = async {
            let (mut all, mut buffer) = (Vec::new(), [0; 16]);
            while all.len() < 1000 {
                // Drops the read that is pending whenever the pause ends first.
                let count = {
                    let read = std::pin::pin!(server.read(&mut buffer));
                    let pause = runtime.sleep(Duration::from_micros(20));
                    match select(read, pause).await {
                        Either::Left((count, _)) => count.unwrap(),
                        Either::Right(_) => 0,
                    }
                };
                all.extend_from_slice(&buffer[..count]);
            }
            all
        };
        let sender = async {
            for byte in 0..1000_u32 {
                client.write_vectored(&[IoSlice::new(&[byte as u8])]).await.unwrap();
                runtime.yield_now().await;
            }
        };
        let (all, ()) = join(receiver, sender).await;
        assert!(all.iter().zip(0..1000_u32).all(|(&byte, number)| byte == number as u8));
    })
    .unwrap();
}

#[test]
fn dropping_or_shutting_down_a_stream_ends_both_sides() {
    run_without_heartbeat(async {
        let (client, server) = connected().await;
        drop(client);
        assert_eq!(server.read(&mut [0; 8]).await.unwrap(), 0);
        let (client, _server) = connected().await;
        let end = async { client.shutdown(std::net::Shutdown::Both).unwrap() };
        let mut buffer = [0; 8];
        assert_eq!(join(client.read(&mut buffer), end).await.0.unwrap(), 0);
    });
}

#[test]
fn an_address_in_use_is_refused_by_name_unless_shared() {
    run_without_heartbeat(async {
        let (address, held) = hold_address(LOCALHOST).unwrap();
        assert_ne!(address.port(), 0);
        let first = Listener::bind(address, true).unwrap();
        let second = Listener::bind(address, true).unwrap();
        assert_eq!(first.local_addr().unwrap(), second.local_addr().unwrap());
        drop(held);
        for error in [hold_address(address).unwrap_err(), Listener::bind(address, false).err().unwrap()] {
            assert_eq!(error.kind(), ErrorKind::AddrInUse);
            assert!(error.to_string().contains(&address.to_string()), "{error}");
        }
    });
}

#[test]
fn a_refused_connection_names_the_address() {
    run_without_heartbeat(async {
        let (address, held) = hold_address(LOCALHOST).unwrap();
        let error = Stream::connect(address).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert!(error.to_string().contains(&address.to_string()), "{error}");
        drop(held);
    });
}

#[test]
fn who_knows_a_held_address_may_bind_it() {
    run_without_heartbeat(async {
        for shared in [false, true] {
            let (address, _held) = hold_address(LOCALHOST).unwrap();
            let listener = Listener::bind(address, shared).unwrap();
            let (client, accepted) = join(Stream::connect(address), listener.accept()).await;
            assert_eq!(client.unwrap().peer_addr().unwrap(), address);
            accepted.unwrap();
        }
    });
}

#[test]
fn ipv6_works() {
    run_without_heartbeat(async {
        let listener = Listener::bind("[::1]:0".parse().unwrap(), false).unwrap();
        let address = listener.local_addr().unwrap();
        let (client, accepted) = join(Stream::connect(address), listener.accept()).await;
        assert_eq!(client.unwrap().peer_addr().unwrap(), address);
        accepted.unwrap();
    });
}
