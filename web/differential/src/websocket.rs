//! WebSocket frames: beside tungstenite, and as a filter for `deflate.py`.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Cursor, Read, Write};

use squall::internals::{WebSocketDeflate, WebSocketEvent, WebSocketSide};
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Message, WebSocket};

/// How many streams of frames are compared.
const STREAMS: usize = 300_000;

/// The longest message and frame.
const LIMIT: usize = 1000;

/// The content of a stream, as one reader sees it.
#[derive(Debug, PartialEq)]
struct Outcome {
    events: Vec<WebSocketEvent>,
    /// Why it reads no further, if it does not only wait for more.
    refused: Option<String>,
}

/// Gives the same streams to Squall and to tungstenite, and prints how often they agree.
pub fn compare() -> io::Result<()> {
    let mut random = fastrand::Rng::with_seed(7);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut unexplained = 0;
    for _ in 0..STREAMS {
        let is_server = random.bool();
        let bytes = stream(&mut random, is_server);
        let (ours, theirs) = (squall(is_server, &bytes), tungstenite(is_server, &bytes));
        let verdict = verdict(is_server, &bytes, &ours, &theirs);
        if verdict.starts_with("DIFFERENT") {
            unexplained += 1;
            if unexplained < 10 {
                println!("server: {is_server}, {bytes:02x?}\n  {ours:?}\n  {theirs:?}");
            }
        }
        *counts.entry(verdict).or_default() += 1;
    }
    println!("{STREAMS} streams of WebSocket frames, beside tungstenite:");
    for (verdict, count) in counts {
        println!("{count:8}  {verdict}");
    }
    match unexplained {
        0 => Ok(()),
        _ => Err(io::Error::other("there are differences without a reason")),
    }
}

/// Some frames, most of them as they should be.
fn stream(random: &mut fastrand::Rng, is_server: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut is_within = false;
    for _ in 0..random.usize(1..6) {
        let opcode = match random.u8(0..20) {
            0..12 if is_within => 0,
            0..7 => 1,
            7..12 => 2,
            12..14 => 9,
            14..16 => 10,
            16 => 8,
            _ => random.u8(0..16),
        };
        let fin = opcode >= 8 || random.u8(0..3) > 0;
        if opcode < 3 {
            is_within = !fin;
        }
        let reserved = if random.u8(0..30) == 0 { random.u8(0..8) << 4 } else { 0 };
        let mut first = opcode | reserved;
        if fin != (random.u8(0..40) == 0) {
            first |= 0x80;
        }
        let payload = payload(random, opcode);
        let is_masked = is_server != (random.u8(0..40) == 0);
        push_frame(random, &mut bytes, first, is_masked, &payload);
    }
    if random.u8(0..4) == 0 {
        bytes.truncate(random.usize(0..bytes.len()));
    }
    if random.u8(0..8) == 0 && !bytes.is_empty() {
        let at = random.usize(0..bytes.len());
        bytes[at] ^= 1 << random.u8(0..8);
    }
    bytes
}

fn payload(random: &mut fastrand::Rng, opcode: u8) -> Vec<u8> {
    if opcode == 8 {
        let code = [1000, 1001, 1002, 1005, 1006, 1015, 2000, 3000, 4999, 5000, 0];
        let code: u16 = code[random.usize(0..code.len())];
        let text = ["", "bye", "\u{e9}"][random.usize(0..3)];
        let payload = [&code.to_be_bytes(), text.as_bytes()].concat();
        return payload[..random.usize(0..=payload.len())].to_vec();
    }
    let length = match random.u8(0..10) {
        0 => random.usize(120..130),
        1 => random.usize(900..1100),
        _ => random.usize(0..20),
    };
    let letters = ["a", "b", "\u{e9}", "\u{20ac}", "\u{1f600}"];
    let mut payload = Vec::new();
    while payload.len() < length {
        payload.extend(letters[random.usize(0..letters.len())].bytes());
    }
    // Often in the middle of a character.
    payload.truncate(length);
    if random.u8(0..20) == 0 && !payload.is_empty() {
        let at = random.usize(0..payload.len());
        payload[at] = random.u8(..);
    }
    payload
}

fn push_frame(
    random: &mut fastrand::Rng,
    bytes: &mut Vec<u8>,
    first: u8,
    is_masked: bool,
    payload: &[u8],
) {
    let masked = if is_masked { 0x80 } else { 0 };
    let long = match random.u8(0..30) {
        0 => 127,
        1 => 126,
        _ => 0,
    };
    match payload.len() {
        length @ 0..126 if long == 0 => bytes.extend([first, masked | length as u8]),
        length if long == 127 => {
            bytes.extend([first, masked | 127]);
            bytes.extend((length as u64).to_be_bytes());
        }
        length => {
            bytes.extend([first, masked | 126]);
            bytes.extend((length as u16).to_be_bytes());
        }
    }
    let key: [u8; 4] = if is_masked { random.u32(..).to_ne_bytes() } else { [0; 4] };
    if is_masked {
        bytes.extend(key);
    }
    bytes.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
}

fn squall(is_server: bool, bytes: &[u8]) -> Outcome {
    let side =
        WebSocketSide { is_server, max_frame_size: LIMIT, max_message_size: LIMIT, deflate: None };
    let mut events = Vec::new();
    let outcome = side.reader().read(&mut bytes.to_vec(), |event| events.push(event));
    let refused = outcome.err().map(|(code, reason)| format!("{code} {reason}"));
    Outcome { events, refused }
}

/// A stream that was received whole, and to which anything can be sent.
struct Wire(Cursor<Vec<u8>>);

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn tungstenite(is_server: bool, bytes: &[u8]) -> Outcome {
    let role = if is_server { Role::Server } else { Role::Client };
    let config =
        WebSocketConfig::default().max_frame_size(Some(LIMIT)).max_message_size(Some(LIMIT));
    let wire = Wire(Cursor::new(bytes.to_vec()));
    let mut socket = WebSocket::from_raw_socket(wire, role, Some(config));
    let mut events = Vec::new();
    loop {
        let event = match socket.read() {
            Ok(Message::Text(text)) => WebSocketEvent::Text(text.as_str().to_owned()),
            Ok(Message::Binary(bytes)) => WebSocketEvent::Binary(bytes.to_vec()),
            Ok(Message::Ping(payload)) => WebSocketEvent::Ping(payload.to_vec()),
            Ok(Message::Pong(payload)) => WebSocketEvent::Pong(payload.to_vec()),
            Ok(Message::Close(close)) => {
                let close =
                    close.map(|close| (close.code.into(), close.reason.as_str().to_owned()));
                events.push(WebSocketEvent::Close(close));
                return Outcome { events, refused: None };
            }
            Ok(Message::Frame(_)) => continue,
            Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                return Outcome { events, refused: None };
            }
            Err(error) => return Outcome { events, refused: Some(error.to_string()) },
        };
        events.push(event);
    }
}

/// Whether both read the same. `README.md` says more about the reasons.
fn verdict(is_server: bool, bytes: &[u8], ours: &Outcome, theirs: &Outcome) -> String {
    let both = ours.events.len().min(theirs.events.len());
    if ours.events[..both] != theirs.events[..both] {
        return "DIFFERENT events".into();
    }
    let are_equal = ours.events == theirs.events;
    match (&ours.refused, &theirs.refused) {
        (None, None) if are_equal => "read alike".into(),
        (Some(_), Some(_)) if are_equal => "refused by both".into(),
        (Some(reason), _) => {
            let is_stricter = [
                "1002 length is not encoded minimally",
                // Its length is not minimal, or it is too long for them as well.
                "1002 control frame too long",
                "1002 invalid close code",
            ];
            if is_stricter.contains(&reason.as_str()) {
                return format!("we refuse, they go on: {reason}");
            }
            // They look at a frame when all of it has arrived.
            let longer = [bytes, &[0; 2 * LIMIT]].concat();
            let later = tungstenite(is_server, &longer);
            match later.refused {
                Some(_) if later.events == ours.events => "refused by both, by us earlier".into(),
                _ => format!("DIFFERENT: we refuse: {reason}"),
            }
        }
        (None, Some(reason)) => format!("DIFFERENT: they refuse: {reason}"),
        (None, None) => "DIFFERENT: they read more or less".into(),
    }
}

/// Reads commands from standard input, one a line, and answers each with a line.
///
/// A command is `decode` or `encode`, the side that reads (`server` or `client`), `takeover` or
/// `reset`, the window bits, and then what is read: the pieces of a stream in hexadecimal digits,
/// or the events to encode. An event is its name, a colon, and its payload in hexadecimal digits.
pub fn filter() -> io::Result<()> {
    let mut output = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        let [command, side, takeover, bits, rest @ ..] = words.as_slice() else {
            return Err(io::Error::other("not a command"));
        };
        let deflate = WebSocketDeflate {
            takeover: *takeover == "takeover",
            window_bits: bits.parse().map_err(io::Error::other)?,
            level: 6,
        };
        let side = WebSocketSide {
            is_server: *side == "server",
            max_frame_size: usize::MAX,
            max_message_size: 1 << 24,
            deflate: Some(deflate),
        };
        match *command {
            "decode" => writeln!(output, "{}", decode(&side, rest))?,
            _ => writeln!(output, "{}", encode(&side, rest))?,
        }
        output.flush()?;
    }
    Ok(())
}

fn decode(side: &WebSocketSide, pieces: &[&str]) -> String {
    let (mut reader, mut shown) = (side.reader(), Vec::new());
    for piece in pieces {
        let read = reader.read(&mut bytes(piece), |event| shown.push(show(&event)));
        if let Err((code, _)) = read {
            shown.push(format!("error:{code}"));
            break;
        }
    }
    shown.join(" ")
}

/// The frames that the peer of `side` sends.
fn encode(side: &WebSocketSide, events: &[&str]) -> String {
    let mut writer = WebSocketSide { is_server: !side.is_server, ..side.clone() }.writer();
    let frames = events.iter().map(|event| {
        let (name, payload) = event.split_once(':').unwrap_or((event, ""));
        let payload = bytes(payload);
        hex(&writer.write(&match name {
            "text" => WebSocketEvent::Text(String::from_utf8_lossy(&payload).into_owned()),
            "ping" => WebSocketEvent::Ping(payload),
            _ => WebSocketEvent::Binary(payload),
        }))
    });
    frames.collect()
}

fn show(event: &WebSocketEvent) -> String {
    match event {
        WebSocketEvent::Text(text) => format!("text:{}", hex(text.as_bytes())),
        WebSocketEvent::Binary(bytes) => format!("binary:{}", hex(bytes)),
        WebSocketEvent::Ping(payload) => format!("ping:{}", hex(payload)),
        WebSocketEvent::Pong(payload) => format!("pong:{}", hex(payload)),
        WebSocketEvent::Close(None) => "close".into(),
        WebSocketEvent::Close(Some((code, reason))) => {
            format!("close:{code}:{}", hex(reason.as_bytes()))
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |place: usize| u8::from_str_radix(&hex[place..place + 2], 16).unwrap_or(0);
    (0..hex.len() / 2).map(|index| digit(2 * index)).collect()
}
