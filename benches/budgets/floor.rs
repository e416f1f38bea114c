//! A bot that does as little as a bot can: it looks for the line in the frames as text and answers by a request of which only the text
//! varies. What it reaches is what the server allows.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

fn read_frame(from: &mut impl Read) -> std::io::Result<Vec<u8>> {
    let mut head = [0; 2];
    from.read_exact(&mut head)?;
    let length = match head[1] & 0x7f {
        126 => {
            let mut bytes = [0; 2];
            from.read_exact(&mut bytes)?;
            u64::from(u16::from_be_bytes(bytes))
        }
        127 => {
            let mut bytes = [0; 8];
            from.read_exact(&mut bytes)?;
            u64::from_be_bytes(bytes)
        }
        short => u64::from(short),
    };
    let mut frame = vec![0; usize::try_from(length).map_err(std::io::Error::other)?];
    from.read_exact(&mut frame)?;
    Ok(frame)
}

/// Reads an answer's head and gives its length.
fn read_head(from: &mut impl BufRead) -> std::io::Result<usize> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        from.read_line(&mut line)?;
        if line.trim().is_empty() {
            return Ok(length);
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().map_err(std::io::Error::other)?;
        }
    }
}

/// Until the server hangs up.
pub(crate) fn run(address: &str, token: &str) -> std::io::Result<()> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_nodelay(true)?;
    write!(
        socket,
        "GET /api/v4/websocket HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: aGFsY3lvbi1mbG9vci1ib3Q=\r\n\r\n"
    )?;
    let mut frames = BufReader::new(socket);
    read_head(&mut frames)?;
    let rest = TcpStream::connect(address)?;
    rest.set_nodelay(true)?;
    let mut answers = BufReader::new(rest.try_clone()?);
    let mut rest = rest;
    loop {
        let frame = String::from_utf8_lossy(&read_frame(&mut frames)?).into_owned();
        let Some((_, from)) = frame.split_once(r#"\"channel_id\":\""#) else { continue };
        let asked = frame.contains(r#"\"message\":\"!"#) && frame.contains(r#""posted""#);
        let Some((channel, _)) = from.split_once('\\').filter(|_| asked) else { continue };
        let body =
            format!(r#"{{"channel_id":"{channel}","message":"You are **operator**; you may do this and that."}}"#);
        let request = format!(
            "POST /api/v4/posts HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        rest.write_all(request.as_bytes())?;
        let mut answer = vec![0; read_head(&mut answers)?];
        answers.read_exact(&mut answer)?;
    }
}
