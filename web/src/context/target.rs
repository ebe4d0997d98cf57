/// What the application has found to answer a request.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Target {
    /// The row of the route table.
    Route(usize),
    /// `OPTIONS`, answered by the framework.
    Options,
    #[default]
    NotFound,
}
