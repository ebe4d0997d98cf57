//! A function that answers requests, its type erased.

use std::marker::PhantomData;
use std::rc::Rc;

use super::{Function, PathArgs};
use crate::context::Context;
use crate::error::Result;
use crate::handler::drive::drive;
use crate::handler::future_slot::{Answer, Answered, Spare};
use crate::handler::respond::Respond;
use crate::types::local_future::LocalBoxFuture;

/// A function of any arguments, its type erased.
pub(super) trait Call {
    fn path_arguments(&self) -> usize;
    fn call<'a>(&'a self, cx: &'a mut Context) -> LocalBoxFuture<'a, Result>;
    fn answer(&self, cx: Context) -> Answer;
}

/// A function, and what was inferred of its arguments.
struct Typed<F, A, K, M, W> {
    function: Rc<F>,
    args: PhantomData<(A, K)>,
    make_answer: M,
    spare: Rc<Spare<W>>,
}

pub(super) fn erased<F, A, K>(function: F) -> Box<dyn Call>
where
    F: Function<A, Output: Respond>,
    A: PathArgs<K>,
    K: 'static,
{
    Box::new(Typed::new(function, answer::<F, A, K>))
}

impl<F, A, K, M: Fn(Rc<F>, Context) -> W, W> Typed<F, A, K, M, W> {
    fn new(function: F, make_answer: M) -> Self {
        let function = Rc::new(function);
        Self { function, args: PhantomData, make_answer, spare: Rc::default() }
    }
}

impl<F, A, K, M, W> Call for Typed<F, A, K, M, W>
where
    F: Function<A, Output: Respond>,
    A: PathArgs<K>,
    M: Fn(Rc<F>, Context) -> W,
    W: Future<Output = Answered> + 'static,
{
    fn path_arguments(&self) -> usize {
        A::COUNT
    }

    fn call<'a>(&'a self, cx: &'a mut Context) -> LocalBoxFuture<'a, Result> {
        Box::pin(execute::<F, A, K, false>(&self.function, cx))
    }

    fn answer(&self, cx: Context) -> Answer {
        self.spare.begin((self.make_answer)(Rc::clone(&self.function), cx))
    }
}

/// Each of its two callers has one of its own, so that it can become a part of it.
async fn execute<F, A, K, const OWNED: bool>(function: &F, cx: &mut Context) -> Result
where
    F: Function<A, Output: Respond>,
    A: PathArgs<K>,
{
    let args = A::from_path(cx)?;
    function.call(cx, args).await.respond(cx)
}

/// As [`execute`], and owns the context.
#[expect(clippy::manual_async_fn, reason = "that would hold its arguments twice")]
fn answer<F, A, K>(function: Rc<F>, mut cx: Context) -> impl Future<Output = Answered>
where
    F: Function<A, Output: Respond>,
    A: PathArgs<K>,
{
    async move {
        let (connection, served) = (cx.connection(), cx.served());
        let outcome = drive(connection, served, execute::<F, A, K, true>(&function, &mut cx)).await;
        Answered { cx, outcome }
    }
}
