//! The floor of the network half: two blocking threads and a socket.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

pub struct Echo {
    stream: TcpStream,
    request: Vec<u8>,
    response: Vec<u8>,
}

impl Echo {
    /// A server thread that answers each request of one length by a response of another.
    pub fn start(request_bytes: usize, response_bytes: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("one client");
            stream.set_nodelay(true).expect("TCP");
            let (mut request, response) = (vec![0; request_bytes], vec![0; response_bytes]);
            while stream.read_exact(&mut request).is_ok() && stream.write_all(&response).is_ok() {}
        });
        let stream = TcpStream::connect(address).expect("listening");
        stream.set_nodelay(true).expect("TCP");
        Echo { stream, request: vec![0; request_bytes], response: vec![0; response_bytes] }
    }

    pub fn round_trip(&mut self) {
        self.stream.write_all(&self.request).expect("the server lives");
        self.stream.read_exact(&mut self.response).expect("the server lives");
    }
}
