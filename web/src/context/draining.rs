use crate::connection::draining::Draining;
use crate::context::Context;

/// The graceful end of the server, as a handler sees it.
impl Context {
    /// Waits until the server has begun to end: for a handler whose response would go on for
    /// longer than the server will wait for it, which is the
    /// [`shutdown_timeout`](crate::HTTPServer::shutdown_timeout). Where all of the server ends, that
    /// is after the [`drain_delay`](crate::HTTPServer::drain_delay).
    ///
    /// What this returns borrows nothing, and may be kept and polled beside other things. It is
    /// ready at once if the end has begun, and says [why](crate::DrainReason).
    ///
    /// A connection that was [upgraded](Self::upgrade) has [the same](crate::Upgraded::draining). What
    /// belongs to no request does it in [`HTTPServer::on_drain`](crate::HTTPServer::on_drain).
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// use squall::{Context, Result, sleep, timeout};
    ///
    /// async fn clock(cx: &mut Context) -> Result {
    ///     let mut end = cx.draining();
    ///     loop {
    ///         cx.write("tick\n")?;
    ///         cx.flush().await?;
    ///         if timeout(Duration::from_secs(1), &mut end).await.is_ok() {
    ///             return cx.write("come back later\n");
    ///         }
    ///     }
    /// }
    /// ```
    pub fn draining(&self) -> Draining {
        Draining::new(&self.connection.worker)
    }

    /// Whether the server has begun to end. This response is then the last of its connection.
    ///
    /// ```
    /// use squall::testing::TestClient;
    /// use squall::{Application, Context, get, route};
    ///
    /// async fn state(cx: &mut Context) -> &'static str {
    ///     if cx.is_draining() { "draining" } else { "serving" }
    /// }
    ///
    /// let app = Application::new([route("/", get(state))]);
    /// assert_eq!(TestClient::new(app).get("/").send().text(), "serving");
    /// ```
    pub fn is_draining(&self) -> bool {
        self.connection.worker.is_draining()
    }
}
