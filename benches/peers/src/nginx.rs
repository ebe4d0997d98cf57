//! nginx, as a server and before one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::scenarios::Proxy;

/// As a server. Its answers are in its configuration.
pub(crate) fn server(port: u16, target: &Path) -> io::Result<Command> {
    let configuration = format!(
        r#"listen {port} backlog=4096;
        default_type text/plain;
        location = /plaintext {{ return 200 "Hello, World!"; }}
        location = /json {{
            default_type application/json;
            return 200 '{{"message":"Hello, World!"}}';
        }}
        location ~ ^/user/(\d+)/posts/(\d+)$ {{ return 200 "post $2 of user $1\n"; }}"#
    );
    run(target, port, &configuration, "")
}

/// Before a server at `upstream`.
pub(crate) fn proxy(port: u16, upstream: u16, proxy: Proxy, target: &Path) -> io::Result<Command> {
    let (kept, version) = match proxy {
        Proxy::Close => ("", ""),
        Proxy::KeepAlive => (
            "keepalive 128; keepalive_requests 1000000000;",
            "proxy_http_version 1.1; proxy_set_header Connection \"\";",
        ),
    };
    let configuration = format!(
        "listen {port} backlog=4096;
        location / {{ proxy_pass http://upstream; {version} }}"
    );
    let upstream = format!("upstream upstream {{ server 127.0.0.1:{upstream}; {kept} }}");
    run(target, port, &configuration, &upstream)
}

fn run(target: &Path, port: u16, server: &str, upstream: &str) -> io::Result<Command> {
    let folder: PathBuf = target.join("nginx").join(port.to_string());
    fs::create_dir_all(&folder)?;
    let configuration = format!(
        "daemon off;
worker_processes 1;
error_log stderr error;
pid nginx.pid;
events {{ worker_connections 16384; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    {upstream}
    server {{
        {server}
    }}
}}
"
    );
    fs::write(folder.join("nginx.conf"), configuration)?;
    let mut command = Command::new("nginx");
    command.arg("-p").arg(&folder).args(["-c", "nginx.conf", "-e", "stderr"]);
    Ok(command)
}
