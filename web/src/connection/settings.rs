//! The settings of a server and their defaults.

use std::rc::Rc;
use std::time::Duration;

use crate::http1::head::HeadLimits;
use crate::proxy::Protocol;
use crate::proxy::claims::ClientHeader;
use crate::proxy::trust::TrustedProxies;
use websocket::WebSocketOptions;

pub(crate) mod websocket;

/// The settings of a server. `HTTPServer` documents each of them.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) head: HeadLimits,
    pub(crate) max_body_size: u64,
    pub(crate) decompress_request: bool,
    pub(crate) idle_connection_timeout: Option<Duration>,
    pub(crate) header_timeout: Option<Duration>,
    pub(crate) body_timeout: Option<Duration>,
    pub(crate) min_body_rate: u64,
    pub(crate) handler_timeout: Option<Duration>,
    pub(crate) max_requests: Option<u32>,
    pub(crate) max_requests_per_worker: Option<u64>,
    pub(crate) max_connections: Option<usize>,
    pub(crate) write_timeout: Option<Duration>,
    pub(crate) min_write_rate: u64,
    pub(crate) shutdown_timeout: Duration,
    pub(crate) drain_delay: Duration,
    pub(crate) drain_idle: Duration,
    pub(crate) half_close: bool,
    pub(crate) any_json_content_type: bool,
    pub(crate) handle_signals: bool,
    /// `None` leaves the setting of the loop unchanged.
    pub(crate) slow_callback: Option<Option<Duration>>,
    /// `None` if no headers of proxies are read.
    pub(crate) trusted_downstream: Option<TrustedProxies>,
    pub(crate) real_ip_header: ClientHeader,
    pub(crate) protocol: Protocol,
    pub(crate) proxy_protocol: bool,
    pub(crate) websocket: Rc<WebSocketOptions>,
}

/// A time limit for the settings of an [`HTTPServer`](crate::HTTPServer): a `Duration`, or `None`
/// for no limit.
///
/// # Examples
///
/// ```no_run
/// # use std::time::Duration;
/// # use squall::{Application, HTTPServer};
/// let server = HTTPServer::new(Application::new([]))
///     .header_timeout(Duration::from_secs(5))
///     .body_timeout(None);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a time",
    label = "neither a `Duration` nor `None`",
    note = "a number says no unit: `Duration::from_secs(5)`; `None` is no limit"
)]
pub trait IntoTimeout {
    /// Returns the time, or `None` for no limit.
    fn into_timeout(self) -> Option<Duration>;
}

impl IntoTimeout for Duration {
    fn into_timeout(self) -> Option<Duration> {
        Some(self)
    }
}

impl IntoTimeout for Option<Duration> {
    fn into_timeout(self) -> Option<Duration> {
        self
    }
}

/// Checks the time limit of a setting.
///
/// # Panics
///
/// If it is zero.
#[track_caller]
pub(crate) fn time_limit(setting: &str, timeout: impl IntoTimeout) -> Option<Duration> {
    let timeout = timeout.into_timeout();
    assert!(
        timeout != Some(Duration::ZERO),
        "`{setting}` must be longer than zero; `None` is no limit"
    );
    timeout
}

/// Checks the number of a setting.
///
/// # Panics
///
/// If it is zero.
#[track_caller]
pub(crate) fn count_limit<T: Default + PartialEq>(
    setting: &str,
    count: impl Into<Option<T>>,
) -> Option<T> {
    let count = count.into();
    assert!(count != Some(T::default()), "`{setting}` must be at least 1; `None` is no limit");
    count
}

/// The largest limit for the bytes of a head. Offsets in a head have 32 bits.
const MAX_HEAD_SIZE: usize = 1 << 30;

/// Checks the limit of a setting for heads.
///
/// # Panics
///
/// If it is out of range.
#[track_caller]
pub(crate) fn head_limit(setting: &str, limit: usize) -> usize {
    assert!(
        (1..=MAX_HEAD_SIZE).contains(&limit),
        "`{setting}` must be from 1 to {MAX_HEAD_SIZE}, not {limit}"
    );
    limit
}

impl Settings {
    /// The longest time from the signal to the end of the graceful shutdown.
    pub(crate) fn end_limit(&self) -> Duration {
        self.drain_delay.saturating_add(self.shutdown_timeout)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            head: HeadLimits { max_head_size: 64 * 1024, max_fields: 100, max_target: 8 * 1024 },
            max_body_size: 100 * 1024 * 1024,
            decompress_request: false,
            idle_connection_timeout: Some(Duration::from_secs(75)),
            header_timeout: Some(Duration::from_secs(60)),
            body_timeout: Some(Duration::from_secs(60)),
            min_body_rate: 240,
            handler_timeout: None,
            max_requests: None,
            max_requests_per_worker: None,
            max_connections: None,
            write_timeout: Some(Duration::from_secs(60)),
            min_write_rate: 240,
            shutdown_timeout: Duration::from_secs(30),
            drain_delay: Duration::ZERO,
            drain_idle: Duration::from_secs(1),
            half_close: false,
            any_json_content_type: false,
            handle_signals: true,
            slow_callback: None,
            trusted_downstream: None,
            real_ip_header: ClientHeader::Default,
            protocol: Protocol::Http,
            proxy_protocol: false,
            websocket: Rc::default(),
        }
    }
}
